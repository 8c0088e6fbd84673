//! A real host: `/`, or a folder that holds one, or a bare folder a developer tries a deployment on.

mod cron;
mod directory;
mod exec;
mod file;
mod group;
mod package;
mod service;
mod symlink;
mod user;

mod account_database;
mod account_repair;
mod account_tools;
mod dpkg_repair;
mod leftovers;
mod network_probe;
mod os_family;
mod package_paths;
mod path_entry;
mod paths;
mod payload_drift;
mod process;
mod resource_folders;
mod rpm_command;
mod rpm_database;
mod rpm_messages;
mod rpm_transaction;
mod service_watch;
mod unit_overrides;
mod validation;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use model::{
    health::{HealthProbe, request_and_check_http_answer},
    observe::{
        Observation, ObservationRequest, OsFamily, PayloadDrift, ResourcePropertiesByKind,
        ResourcePropertyKind,
    },
    plan::{PlannedAction, PlannedChange},
    report::RepairOfInterruptedWork,
    resource::{FileResourceBody, Resource, ResourceBody, ResourceId, ResourceKind},
    version::Version,
};
use nix::unistd::geteuid;

pub use network_probe::HttpGetFunction;
pub(crate) use resource_folders::require_protected_folder_below_root;

use self::{
    account_database::AccountDatabase,
    account_tools::AccountTools,
    exec::CommandRunner,
    package::OsPackageManager,
    resource_folders::{ActingUser, ResourceFolders},
    rpm_command::RpmCommand,
    service::Systemd,
};
use super::{Host, HostError};
use crate::{
    host_root::{HostRoot, WalkedFolderCache},
    payload::{
        PayloadDriftRequest, VerifiedPayloads,
        observed_paths::{ObservedPackagePaths, PackagePathsRequest},
    },
    punch_state_folder::RunLock,
};

/// A real host.
#[derive(Debug)]
pub struct RealHost {
    /// The path of the root for the arguments of tools, when it is not `/`.
    prefix: Option<String>,
    root: HostRoot,
    rpm: RpmCommand,
    os_packages: OsPackageManager,
    systemd: Systemd,
    http: HttpGetFunction,
    /// What programs that change something hold locked.
    held: Option<PathBuf>,
    /// The folders that resources lie in.
    walked: WalkedFolderCache,
}

impl RealHost {
    /// The host whose root folder is `root`; health checks ask URLs with `http`.
    pub fn new(root: &Path, http: HttpGetFunction) -> Result<Self, HostError> {
        let shown = root.display().to_string();
        let wrong = |error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => HostError::File {
                what: "cannot open the root folder",
                path: shown.clone(),
                because: format!("it does not exist; make it with `mkdir -p {shown}`"),
            },
            _ => HostError::from_io_error("cannot open the root folder", shown.as_str(), error),
        };
        let path = fs::canonicalize(root).map_err(|error| wrong(&error))?;
        let prefix = match path.to_str() {
            Some("/") => None,
            Some(text) => Some(text.to_owned()),
            None => {
                return Err(HostError::Other(format!("the root folder {shown} must have a name in UTF-8")));
            }
        };
        let root = HostRoot::open_existing_root(&path).map_err(|error| wrong(&error))?;
        let booted = prefix.is_none() && Path::new("/run/systemd/system").exists();
        Ok(Self {
            rpm: RpmCommand { prefix: prefix.clone() },
            os_packages: OsPackageManager {
                family: os_family::detect_os_family(&root),
                zypper: root.exists("/usr/bin/zypper").unwrap_or(false)
                    && !root.exists("/usr/bin/dnf").unwrap_or(false),
                prefix: prefix.clone(),
            },
            systemd: Systemd::new(booted, prefix.clone()),
            prefix,
            root,
            http,
            held: None,
            walked: WalkedFolderCache::default(),
        })
    }

    /// Programs that change something hold `lock` from now on, also when this process is killed meanwhile.
    pub fn make_programs_hold_lock(&mut self, lock: &RunLock) {
        self.held = Some(lock.running_programs_lock_path().to_owned());
    }

    fn accounts(&self) -> AccountDatabase {
        AccountDatabase::read_passwd_and_group(&self.root, self.prefix.is_none())
    }

    fn apply_resource(
        &mut self,
        resource: &Resource,
        change: &PlannedChange,
    ) -> Result<Option<String>, HostError> {
        let name = resource.id.name.as_str();
        let properties: Vec<ResourcePropertyKind> =
            change.differences.iter().map(|difference| difference.property).collect();
        let accounts = self.accounts();
        let folders = ResourceFolders { root: &self.root, accounts: &accounts, cache: &self.walked };
        let acting = ActingUser::of_resource(Some(resource), &accounts);
        let tools = AccountTools { prefix: self.prefix.as_deref() };
        match &resource.body {
            ResourceBody::File(file) => {
                let note = self.validate_content_of_file(resource, file, &properties, &accounts)?;
                file::create_or_change_file(&folders, acting, name, file)?;
                return Ok(note);
            }
            ResourceBody::Directory(directory) => {
                directory::create_or_change_directory(&folders, acting, name, directory)?;
            }
            ResourceBody::Symlink(link) => symlink::create_or_replace_symlink(&folders, name, link)?,
            ResourceBody::User(user) => tools.create_or_change_user(&folders, name, user, &properties)?,
            ResourceBody::Group(group) => tools.create_or_change_group(&self.root, &accounts, name, group)?,
            ResourceBody::Service(service) => {
                // A folder without a system has only the units our packages bring: others come with the
                // packages of the operating system, which cannot be installed there.
                if self.os_packages.family.is_none() && service::has_no_unit_file(&self.root, name)? {
                    return Ok(Some(
                        "not enabled: there is no such unit, and no system to get it from".to_owned(),
                    ));
                }
                folders.require_protected_folder(service::ADMINISTRATOR_UNITS_FOLDER)?;
                self.systemd.apply_service(&self.root, name, service, &properties)?;
            }
            ResourceBody::Cron(cron) => cron::write_cron_file(&folders, &resource.id, cron, resource.secret)?,
            ResourceBody::Package(package) => {
                self.os_packages.install_os_package(name, package.version.as_deref())?
            }
            ResourceBody::Exec(exec) => {
                let runner =
                    CommandRunner { root: &self.root, accounts: &accounts, prefix: self.prefix.as_deref() };
                return runner
                    .run_exec_if_guard_asks(exec)
                    .map_err(|error| hide_secret_output(resource, error));
            }
        }
        Ok(None)
    }

    /// Lets a file's own program try its new content; returns why it was not tried, if so.
    fn validate_content_of_file(
        &self,
        resource: &Resource,
        file: &FileResourceBody,
        properties: &[ResourcePropertyKind],
        accounts: &AccountDatabase,
    ) -> Result<Option<String>, HostError> {
        let replaces = |kind: &ResourcePropertyKind| {
            matches!(kind, ResourcePropertyKind::Content | ResourcePropertyKind::Type)
        };
        let Some(validate) = file.validate.as_deref().filter(|_| properties.iter().any(replaces)) else {
            return Ok(None);
        };
        if self.prefix.is_some() {
            return Ok(Some(format!(
                "not validated: `{}` is asked only on the host itself, not below a root",
                validate.join(" ")
            )));
        }
        let runner = CommandRunner { root: &self.root, accounts, prefix: None };
        validation::validate_new_content(&runner, &resource.id.name, &file.content, validate)
            .map(|()| None)
            .map_err(|error| match resource.secret {
                true => HostError::Other(HIDDEN_VALIDATION.to_owned()),
                false => error,
            })
    }

    /// Removes a resource; returns why it was kept, if it was.
    fn remove(&mut self, id: &ResourceId) -> Result<Option<String>, HostError> {
        let tools = AccountTools { prefix: self.prefix.as_deref() };
        let accounts = self.accounts();
        let folders = ResourceFolders { root: &self.root, accounts: &accounts, cache: &self.walked };
        match id.kind {
            ResourceKind::File | ResourceKind::Directory | ResourceKind::Symlink => {
                paths::remove_unless_nonempty_folder(&folders, id)
            }
            ResourceKind::Cron => cron::remove_cron_file(&folders, id),
            ResourceKind::User => {
                tools.remove_user_and_private_group(&self.root, &accounts, &id.name).map(|()| None)
            }
            ResourceKind::Group => tools.remove_group(&accounts, &id.name).map(|()| None),
            ResourceKind::Service => {
                folders.require_protected_folder(service::ADMINISTRATOR_UNITS_FOLDER)?;
                self.systemd.stop_and_disable_service(&self.root, &id.name)
            }
            ResourceKind::Package => self.os_packages.remove_os_package_unless_needed(&self.root, &id.name),
            ResourceKind::Exec => Ok(None),
        }
    }
}

impl Host for RealHost {
    fn os_family(&self) -> Option<OsFamily> {
        self.os_packages.family
    }

    fn is_systemd_running(&self) -> bool {
        self.systemd.booted
    }

    fn is_shutting_down(&self) -> bool {
        self.systemd.is_stopping_or_silent()
    }

    fn can_run_commands(&self) -> bool {
        // A shell that cannot be checked is tried: the tool then reports the error.
        self.prefix.is_none() || self.root.exists("/bin/sh").unwrap_or(true)
    }

    fn can_give_files_to_any_user(&self) -> bool {
        // On the host itself the attempt fails, and says that root is needed.
        self.prefix.is_none() || geteuid().is_root()
    }

    fn observe_component_packages(&self, names: &[String]) -> BTreeMap<String, Observation<Version>> {
        self.rpm.query_installed_versions(&self.root, names)
    }

    fn observe_package_paths(
        &self,
        request: &PackagePathsRequest<'_>,
    ) -> Result<ObservedPackagePaths, HostError> {
        package_paths::observe_package_paths(&self.root, &self.rpm, &self.accounts(), request)
    }

    fn observe_payload_drift(
        &self,
        request: &PayloadDriftRequest<'_>,
        known: &mut VerifiedPayloads,
    ) -> BTreeMap<String, Result<PayloadDrift, String>> {
        payload_drift::observe_payload_drift(&self.root, &self.rpm, &self.accounts(), request, known)
    }

    fn observe_unit_overrides(&self, units: &BTreeSet<String>, described: &BTreeSet<String>) -> Vec<String> {
        unit_overrides::observe_unit_overrides(&self.root, units, described)
    }

    fn observe_resources(
        &self,
        request: &ObservationRequest<'_>,
    ) -> BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>> {
        let mut all: BTreeMap<&ResourceId, Option<&Resource>> =
            request.others.iter().map(|id| (id, None)).collect();
        all.extend(request.wanted.iter().map(|resource| (&resource.id, Some(*resource))));
        let of = |kind: ResourceKind| all.iter().filter(move |(id, _)| id.kind == kind);
        let services: Vec<(&str, Option<&Resource>)> = of(ResourceKind::Service)
            .map(|(id, wanted_resource)| (id.name.as_str(), *wanted_resource))
            .collect();
        let mut services = self.systemd.observe_services(&self.root, &services);
        let packages: Vec<(&str, Option<&Resource>)> = of(ResourceKind::Package)
            .map(|(id, wanted_resource)| (id.name.as_str(), *wanted_resource))
            .collect();
        let mut packages = self.os_packages.observe_os_packages(&packages);
        let accounts = self.accounts();
        let folders = ResourceFolders { root: &self.root, accounts: &accounts, cache: &self.walked };
        let directories = all
            .values()
            .flatten()
            .filter(|resource| resource.present && resource.id.kind == ResourceKind::Directory)
            .filter_map(|resource| Some((resource.id.name.as_str(), resource.body.ownership()?)))
            .collect();
        let runner = CommandRunner { root: &self.root, accounts: &accounts, prefix: self.prefix.as_deref() };
        let mut observed = BTreeMap::new();
        for (id, wanted_resource) in all {
            let one = match id.kind {
                ResourceKind::File | ResourceKind::Directory | ResourceKind::Symlink => {
                    paths::observe_path(&folders, id, wanted_resource, &directories)
                }
                ResourceKind::Cron => {
                    let secret = wanted_resource.is_some_and(|wanted_resource| wanted_resource.secret);
                    cron::observe_cron_file(&folders, id, secret)
                }
                ResourceKind::User => {
                    accounts.observe_user(&folders, &id.name, wanted_resource, &request.leaving)
                }
                ResourceKind::Group => accounts.observe_group(&id.name, wanted_resource, &request.leaving),
                ResourceKind::Service => services.remove(&id.name).unwrap_or(Observation::Absent),
                ResourceKind::Package => packages.remove(&id.name).unwrap_or(Observation::Absent),
                ResourceKind::Exec => match wanted_resource
                    .map(|wanted_resource| (&wanted_resource.body, wanted_resource.secret))
                {
                    Some((ResourceBody::Exec(exec), secret)) if self.can_run_commands() => {
                        let observed = match request.downgraded.contains(id) {
                            true => runner.observe_exec_of_downgrade(exec),
                            false => runner.observe_exec(exec),
                        };
                        match observed {
                            Observation::Unreadable(_) if secret => {
                                Observation::Unreadable(HIDDEN.to_owned())
                            }
                            observed => observed,
                        }
                    }
                    _ => Observation::Absent,
                },
            };
            observed.insert(id.clone(), one);
        }
        observed
    }

    fn remove_temporary_files(&mut self, resources: &BTreeSet<ResourceId>) -> Result<(), HostError> {
        let accounts = self.accounts();
        let folders = ResourceFolders { root: &self.root, accounts: &accounts, cache: &self.walked };
        leftovers::remove_temporary_files_of_resources(&folders, resources)
    }

    fn open_file_to_save(&self, id: &ResourceId) -> Result<Option<File>, HostError> {
        let accounts = self.accounts();
        let folders = ResourceFolders { root: &self.root, accounts: &accounts, cache: &self.walked };
        paths::open_file_to_save(&folders, id)
    }

    fn apply_change(
        &mut self,
        change: &PlannedChange,
        packages: &[PathBuf],
    ) -> Result<Option<String>, HostError> {
        let held = self.held.clone();
        process::run_work_with_children_holding_lock(held.as_deref(), || self.make(change, packages))
    }

    fn repair_interrupted_work(&mut self, thorough: bool) -> Result<Vec<RepairOfInterruptedWork>, HostError> {
        let held = self.held.clone();
        process::run_work_with_children_holding_lock(held.as_deref(), || {
            let tools = AccountTools { prefix: self.prefix.as_deref() };
            let mut repairs = tools.repair_half_made_accounts(&self.root, thorough)?;
            repairs.extend(self.os_packages.repair_interrupted_dpkg(&self.root, thorough)?);
            if thorough {
                repairs.extend(self.rpm.repair_database(&self.root)?);
            }
            Ok(repairs)
        })
    }

    fn finish_deferred_work(&mut self) -> Result<(), HostError> {
        self.systemd.reload_systemd_if_unit_files_changed()?;
        self.systemd.wait_for_watched_services()
    }

    fn run_health_probe(&self, probe: &HealthProbe) -> Result<(), String> {
        match probe {
            HealthProbe::Http { url, status, contains } => {
                request_and_check_http_answer(url, *status, contains.as_deref(), self.http)
            }
            HealthProbe::Tcp { address } => network_probe::check_tcp_connection(address),
            HealthProbe::Command { command } => {
                let accounts = self.accounts();
                let runner =
                    CommandRunner { root: &self.root, accounts: &accounts, prefix: self.prefix.as_deref() };
                runner.run_health_command(command)
            }
        }
    }
}

impl RealHost {
    fn make(&mut self, change: &PlannedChange, packages: &[PathBuf]) -> Result<Option<String>, HostError> {
        let result = match &change.action {
            PlannedAction::InstallPackages(_) => {
                self.rpm.install_upgrade_or_downgrade_rpm_files(&self.root, packages)
            }
            PlannedAction::RemovePackages { names, changing } => {
                self.rpm.remove_rpm_packages(&self.root, names, changing)
            }
            PlannedAction::Apply(resource) => self.apply_resource(resource, change),
            PlannedAction::Remove { id, must } => self.remove(id).and_then(|left| match left {
                Some(because) if *must => Err(HostError::Other(format!("{id} is still there: {because}"))),
                Some(because) => Ok(Some(format!("left: {because}"))),
                None => Ok(None),
            }),
            PlannedAction::Restart { service, reload, settle } => {
                self.systemd.restart_or_reload_service(&service.name, *reload, *settle).map(|()| None)
            }
            // What is seen then is made right by changes of its own.
            PlannedAction::LookAgain(_) => Ok(None),
        };
        if !leaves_folders_as_they_are(change) {
            self.walked.clear();
        }
        // Also when it failed: half of it may be done.
        if service::action_may_change_unit_files(&change.action) {
            self.systemd.mark_unit_files_changed();
        }
        result
    }
}

/// Whether all folders lie where they did after a change: only what takes the place of something else, and
/// programs, can move them.
fn leaves_folders_as_they_are(change: &PlannedChange) -> bool {
    match &change.action {
        PlannedAction::Apply(resource) => {
            let kind = resource.id.kind;
            let replaces = change.differences.iter().any(|difference| {
                difference.property == ResourcePropertyKind::Type && difference.before.is_some()
            });
            matches!(kind, ResourceKind::File | ResourceKind::Cron) && !replaces
        }
        PlannedAction::Restart { .. } | PlannedAction::LookAgain(_) => true,
        _ => false,
    }
}

const HIDDEN_VALIDATION: &str = "its new content does not pass its `validate` command, and the old content stays; what the command wrote is not shown, because a secret is in the file";

const HIDDEN: &str = "the command failed; its output is not shown, because a secret is given to it";

/// A command with a secret in it may repeat it when it fails.
fn hide_secret_output(resource: &Resource, error: HostError) -> HostError {
    match error {
        HostError::Command { .. } | HostError::Other(_) if resource.secret => {
            HostError::Other(HIDDEN.to_owned())
        }
        error => error,
    }
}
