//! Services: observed with one systemctl call, changed one at a time.
//!
//! Where systemd does not run (`--root DIR`, an image being built) units are only enabled and disabled;
//! what is enabled is then read from the links in `/etc/systemd/system`.

use std::{collections::BTreeMap, os::fd::AsFd};

use model::{
    observe::{Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    plan::PlannedAction,
    resource::{Resource, ResourceBody, ResourceId, ResourceKind, ServiceResourceBody, UNIT_SUFFIXES},
};
use nix::fcntl::{OFlag, openat};

use super::process::{new_noninteractive_command, run_expecting_success, run_to_any_exit};
use crate::{
    host::{HostError, file_system_error_reason_with_advice},
    host_root::HostRoot,
};

/// Where the units and links of administrators lie.
pub(super) const ADMINISTRATOR_UNITS_FOLDER: &str = "/etc/systemd/system";

/// Where units lie, strongest first.
const FOLDERS: [&str; 4] =
    [ADMINISTRATOR_UNITS_FOLDER, "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// systemd, running or as files.
#[derive(Debug)]
pub(super) struct Systemd {
    pub(super) booted: bool,
    /// The host's root when it is not `/`.
    prefix: Option<String>,
    /// Whether systemd has read the unit files as they are now.
    reloaded: bool,
    /// Whether this run changed unit files since systemd read them.
    changed: bool,
    /// What this run started, and has not yet seen running for long enough.
    pub(super) watched: BTreeMap<String, WatchedService>,
}

/// The full name of a unit: services may leave out `.service`.
pub(super) fn unit(name: &str) -> String {
    if UNIT_SUFFIXES.iter().any(|end| name.ends_with(end)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// Whether an action may change unit files, or what lies beside them.
pub(super) fn action_may_change_unit_files(action: &PlannedAction) -> bool {
    let folder = |id: &ResourceId| {
        id.occupied_path().is_some_and(|path| {
            FOLDERS.iter().any(|folder| path.strip_prefix(*folder).is_some_and(|rest| rest.starts_with('/')))
        })
    };
    match action {
        PlannedAction::InstallPackages(_) | PlannedAction::RemovePackages { .. } => true,
        PlannedAction::Apply(resource) => resource.id.kind == ResourceKind::Package || folder(&resource.id),
        PlannedAction::Remove { id, .. } => id.kind == ResourceKind::Package || folder(id),
        PlannedAction::Restart { .. } | PlannedAction::LookAgain(_) => false,
    }
}

/// A service that was started.
#[derive(Debug)]
pub(super) struct WatchedService {
    /// How long it is watched, in seconds.
    pub(super) settle: u64,
    /// How often systemd had started it again by itself when the watching began.
    pub(super) restarts: u64,
}

impl Systemd {
    pub(super) fn new(booted: bool, prefix: Option<String>) -> Self {
        Self { booted, prefix, reloaded: false, changed: false, watched: BTreeMap::new() }
    }

    /// Properties of services, by name; `wanted` is their desired state.
    pub(super) fn observe_services(
        &self,
        root: &HostRoot,
        services: &[(&str, Option<&Resource>)],
    ) -> BTreeMap<String, Observation<ResourcePropertiesByKind>> {
        if services.is_empty() {
            return BTreeMap::new();
        }
        if !self.booted {
            return services
                .iter()
                .map(|(name, wanted_resource)| ((*name).to_owned(), from_files(root, name, *wanted_resource)))
                .collect();
        }
        let mut command = new_noninteractive_command("systemctl");
        command.args(["show", "--property=LoadState,ActiveState,SubState,UnitFileState", "--"]);
        command.args(services.iter().map(|(name, _)| unit(name)));
        let shown = match run_to_any_exit(&mut command) {
            Ok(ended) if ended.status.success() => ended.stdout,
            Ok(ended) => {
                return observe_running_services(
                    services,
                    &format!("systemctl cannot show services: {}", ended.stderr.trim()),
                );
            }
            Err(error) => return observe_running_services(services, &error.to_string()),
        };
        // One block for each unit, in the order asked, with an empty line between.
        let mut blocks = shown.split("\n\n");
        services
            .iter()
            .map(|(name, wanted_resource)| {
                let observed = match blocks.next() {
                    Some(block) => from_block(block, *wanted_resource),
                    None => Observation::Unreadable(format!("systemctl shows nothing about {name}")),
                };
                ((*name).to_owned(), observed)
            })
            .collect()
    }

    /// Whether systemd shuts the host down, or does not answer: then its first process is going or gone.
    pub(super) fn is_stopping_or_silent(&self) -> bool {
        let mut command = new_noninteractive_command("systemctl");
        let asked = self.booted.then(|| run_to_any_exit(command.arg("is-system-running")));
        let Some(Ok(ended)) = asked else { return false };
        // It prints `offline` or `unknown`, or nothing, when nobody answers (systemctl(1)).
        matches!(ended.stdout.trim(), "stopping" | "offline" | "unknown" | "")
    }

    /// Makes a service what it must be; `properties` are the names of what differs.
    pub(super) fn apply_service(
        &mut self,
        root: &HostRoot,
        name: &str,
        service: &ServiceResourceBody,
        properties: &[ResourcePropertyKind],
    ) -> Result<(), HostError> {
        self.reload_units()?;
        let on = service.enabled == Some(true) || service.running == Some(true);
        // The package that was to bring it has not: a service that is not there is off.
        if !on && self.observe_services(root, &[(name, None)]).get(name) == Some(&Observation::Absent) {
            return Ok(());
        }
        if let Some(enabled) = service.enabled.filter(|_| properties.contains(&ResourcePropertyKind::Enabled))
        {
            self.systemctl(if enabled { "enable" } else { "disable" }, name)?;
        }
        if let Some(running) =
            service.running.filter(|_| self.booted && properties.contains(&ResourcePropertyKind::Running))
        {
            self.systemctl(if running { "start" } else { "stop" }, name)?;
            if running {
                self.watch_started_service(name, service.settle_seconds())?;
            }
        }
        Ok(())
    }

    pub(super) fn restart_or_reload_service(
        &mut self,
        name: &str,
        reload: bool,
        settle: u64,
    ) -> Result<(), HostError> {
        self.reload_units()?;
        self.systemctl(if reload { "reload-or-restart" } else { "restart" }, name)?;
        self.watch_started_service(name, settle)
    }

    /// Stops a service and keeps it from starting at boot.
    pub(super) fn stop_and_disable_service(
        &mut self,
        root: &HostRoot,
        name: &str,
    ) -> Result<Option<String>, HostError> {
        if self.booted {
            self.systemctl("stop", name)?;
        }
        if !self.booted && has_no_unit_file(root, name)? && !enabled_by_link(root, name) {
            return Ok(None);
        }
        self.systemctl("disable", name).map(|()| None)
    }

    fn systemctl(&self, verb: &str, name: &str) -> Result<(), HostError> {
        let mut command = new_noninteractive_command("systemctl");
        if let Some(prefix) = &self.prefix {
            command.arg(format!("--root={prefix}"));
        }
        let result = run_expecting_success(command.args(["--quiet", verb, "--"]).arg(unit(name)));
        match result {
            Err(HostError::Command { command, message })
                if matches!(verb, "start" | "restart" | "reload-or-restart") =>
            {
                Err(HostError::Command {
                    command,
                    message: format!("{message}{}", self.recent_journal_lines(name)),
                })
            }
            result => result.map(drop),
        }
    }

    /// The service's last journal lines, for the error message.
    pub(super) fn recent_journal_lines(&self, name: &str) -> String {
        let mut command = new_noninteractive_command("journalctl");
        command.args(["--no-pager", "--output=cat", "--lines=10", "--unit"]).arg(unit(name));
        match run_to_any_exit(&mut command) {
            Ok(ended) if !ended.stdout.trim().is_empty() => {
                format!("\nits last words:\n{}", ended.stdout.trim())
            }
            _ => String::new(),
        }
    }

    /// Unit files are no longer what systemd has read.
    pub(super) fn mark_unit_files_changed(&mut self) {
        (self.reloaded, self.changed) = (false, true);
    }

    /// Reloads systemd when unit files changed and no later service action did.
    pub(super) fn reload_systemd_if_unit_files_changed(&mut self) -> Result<(), HostError> {
        if self.changed { self.reload_units() } else { Ok(()) }
    }

    /// systemd reads the unit files before the first action of a run, because an earlier run that was
    /// killed may have changed them, and before an action that follows a change of them.
    fn reload_units(&mut self) -> Result<(), HostError> {
        if self.booted && !self.reloaded {
            run_expecting_success(new_noninteractive_command("systemctl").arg("daemon-reload"))?;
        }
        (self.reloaded, self.changed) = (true, false);
        Ok(())
    }
}

fn observe_running_services(
    services: &[(&str, Option<&Resource>)],
    because: &str,
) -> BTreeMap<String, Observation<ResourcePropertiesByKind>> {
    services
        .iter()
        .map(|(name, _)| ((*name).to_owned(), Observation::Unreadable(because.to_owned())))
        .collect()
}

fn from_block(block: &str, wanted_resource: Option<&Resource>) -> Observation<ResourcePropertiesByKind> {
    let value = |key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default()
    };
    match value("LoadState") {
        "not-found" => return Observation::Absent,
        // Nothing starts a masked unit: that is off enough for who wants it off, and gone enough for
        // who wants it gone.
        "masked" if wanted_resource.is_none() => return Observation::Absent,
        "masked" if !wants_on(wanted_resource) => {
            let running = matches!(value("ActiveState"), "active" | "reloading");
            return Observation::Present(ResourcePropertiesByKind::from([
                (ResourcePropertyKind::Enabled, ResourcePropertyValue::Flag(false)),
                (ResourcePropertyKind::Running, ResourcePropertyValue::Flag(running)),
            ]));
        }
        "masked" => {
            return Observation::Unreadable(
                "the unit is masked; `systemctl unmask` it if punch is to manage it".to_owned(),
            );
        }
        _ => (),
    }
    // What waits for its next start has ended.
    let running = matches!(value("ActiveState"), "active" | "reloading" | "activating")
        && value("SubState") != "auto-restart";
    let enabled = match value("UnitFileState") {
        "enabled" | "enabled-runtime" => true,
        // A linked unit can be started, and nothing starts it.
        "disabled" | "linked" | "linked-runtime" => false,
        // Static and generated units are neither: other units decide. They are as good as wanted.
        _ => wanted_setting(wanted_resource).unwrap_or(false),
    };
    Observation::Present(ResourcePropertiesByKind::from([
        (ResourcePropertyKind::Enabled, ResourcePropertyValue::Flag(enabled)),
        (ResourcePropertyKind::Running, ResourcePropertyValue::Flag(running)),
    ]))
}

fn wants_on(wanted_resource: Option<&Resource>) -> bool {
    match wanted_resource.map(|wanted_resource| &wanted_resource.body) {
        Some(ResourceBody::Service(service)) => {
            service.enabled == Some(true) || service.running == Some(true)
        }
        _ => false,
    }
}

fn wanted_setting(wanted_resource: Option<&Resource>) -> Option<bool> {
    match wanted_resource.map(|wanted_resource| &wanted_resource.body) {
        Some(ResourceBody::Service(service)) => service.enabled,
        _ => None,
    }
}

fn from_files(
    root: &HostRoot,
    name: &str,
    wanted_resource: Option<&Resource>,
) -> Observation<ResourcePropertiesByKind> {
    let enabled = enabled_by_link(root, name);
    match file_of(root, name).and_then(|file| Ok((file.is_some(), has_install_section(root, file)?))) {
        Ok((false, _)) if !enabled => Observation::Absent,
        Ok((_, true)) => Observation::Present(ResourcePropertiesByKind::from([(
            ResourcePropertyKind::Enabled,
            ResourcePropertyValue::Flag(enabled),
        )])),
        Ok((_, false)) => Observation::Present(ResourcePropertiesByKind::from([(
            ResourcePropertyKind::Enabled,
            ResourcePropertyValue::Flag(wanted_setting(wanted_resource).unwrap_or(enabled)),
        )])),
        Err(error) => Observation::Unreadable(format!(
            "cannot read the unit of {name}: {}",
            file_system_error_reason_with_advice(&error)
        )),
    }
}

/// The unit file of a service; an instance `name@x` has the file of `name@`.
fn unit_files(name: &str) -> impl Iterator<Item = String> {
    let unit = unit(name);
    let file = match (unit.split_once('@'), unit.rsplit_once('.')) {
        (Some((before, _)), Some((_, end))) => format!("{before}@.{end}"),
        _ => unit,
    };
    FOLDERS.iter().map(move |folder| format!("{folder}/{file}"))
}

/// The file that a package brought for a unit.
pub(super) fn packaged_unit_file(root: &HostRoot, name: &str) -> Option<String> {
    let packaged = unit_files(name).filter(|path| !path.starts_with("/etc/") && !path.starts_with("/run/"));
    root.first_existing_path(packaged).ok().flatten()
}

/// Whether no file below the root describes the unit.
pub(super) fn has_no_unit_file(root: &HostRoot, name: &str) -> Result<bool, HostError> {
    let wrong = |error| HostError::from_io_error("cannot look for the unit", name, &error);
    Ok(file_of(root, name).map_err(wrong)?.is_none())
}

fn file_of(root: &HostRoot, name: &str) -> std::io::Result<Option<String>> {
    root.first_existing_path(unit_files(name))
}

/// Whether a unit can be enabled: it has an `[Install]` section. Unknown for a unit without a file.
fn has_install_section(root: &HostRoot, file: Option<String>) -> std::io::Result<bool> {
    use std::io::Read;
    let Some(path) = file else { return Ok(true) };
    let mut text = String::new();
    root.open_file(&path)?.take(1024 * 1024).read_to_string(&mut text)?;
    Ok(text.lines().any(|line| line.trim() == "[Install]"))
}

/// Whether a link in `/etc/systemd/system/*.wants` starts the unit at boot.
fn enabled_by_link(root: &HostRoot, name: &str) -> bool {
    let unit = unit(name);
    let Ok(folder) = root.open_folder("/etc/systemd/system") else { return false };
    let Ok(copy) = folder.try_clone() else { return false };
    let Ok(mut entries) = nix::dir::Dir::from_fd(copy) else { return false };
    entries.iter().flatten().any(|entry| {
        let target = entry.file_name().to_string_lossy();
        if !target.ends_with(".wants") && !target.ends_with(".requires") {
            return false;
        }
        let path = format!("{target}/{unit}");
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(folder.as_fd(), path.as_str(), flags, nix::sys::stat::Mode::empty()).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_bring_or_take_a_unit_makes_systemd_read_them_again() {
        let remove = |id: &str| PlannedAction::Remove {
            id: ResourceId::try_from(id.to_owned()).unwrap(),
            must: false,
        };
        for (action, touches) in [
            (PlannedAction::InstallPackages(BTreeMap::new()), true),
            (PlannedAction::RemovePackages { names: Vec::new(), changing: Default::default() }, true),
            (remove("file:/etc/systemd/system/shop.service.d/limits.conf"), true),
            (remove("directory:/usr/lib/systemd/system/shop.service.d"), true),
            (remove("package:nginx"), true),
            (remove("file:/etc/systemd/system.conf"), false),
            (remove("service:shop"), false),
            (remove("cron:shop"), false),
        ] {
            assert_eq!(action_may_change_unit_files(&action), touches, "{action}");
        }
    }

    #[test]
    fn units_that_change_after_a_reload_are_read_again() {
        let mut systemd = Systemd::new(false, None);
        systemd.reload_units().unwrap();
        assert!(systemd.reloaded);
        systemd.mark_unit_files_changed();
        assert!(!systemd.reloaded, "the next action on a service reads them");
        systemd.reload_systemd_if_unit_files_changed().unwrap();
        assert!(systemd.reloaded, "and so does the end of the run");
    }

    #[test]
    fn stopping_a_service_without_a_unit_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let root = HostRoot::open_existing_root(folder.path()).unwrap();
        let mut systemd = Systemd::new(false, folder.path().to_str().map(str::to_owned));
        let off = ServiceResourceBody { enabled: Some(false), running: Some(false), ..Default::default() };
        systemd
            .apply_service(
                &root,
                "telnet",
                &off,
                &[ResourcePropertyKind::Enabled, ResourcePropertyKind::Running],
            )
            .unwrap();
    }

    fn service(enabled: bool) -> Resource {
        Resource {
            id: ResourceId::new(ResourceKind::Service, "shop"),
            present: true,
            body: ResourceBody::Service(ServiceResourceBody {
                enabled: Some(enabled),
                running: Some(enabled),
                ..ServiceResourceBody::default()
            }),
            require: Vec::new(),
            notify: Vec::new(),
            secret: false,
        }
    }

    #[test]
    fn masked_unit_is_unreadable_only_when_the_service_is_wanted_running() {
        let masked = "LoadState=masked\nActiveState=inactive\nUnitFileState=masked";
        assert!(matches!(from_block(masked, Some(&service(true))), Observation::Unreadable(_)));
        let off = ResourcePropertiesByKind::from([
            (ResourcePropertyKind::Enabled, ResourcePropertyValue::Flag(false)),
            (ResourcePropertyKind::Running, ResourcePropertyValue::Flag(false)),
        ]);
        assert_eq!(from_block(masked, Some(&service(false))), Observation::Present(off));
        assert_eq!(from_block(masked, None), Observation::Absent);
    }

    #[test]
    fn service_that_waits_for_its_next_start_is_not_running() {
        let loops = "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=enabled";
        let Observation::Present(properties) = from_block(loops, Some(&service(true))) else { panic!() };
        assert_eq!(properties[&ResourcePropertyKind::Running], ResourcePropertyValue::Flag(false));
    }

    #[test]
    fn linked_unit_is_not_enabled() {
        let linked = "LoadState=loaded\nActiveState=active\nUnitFileState=linked";
        let Observation::Present(properties) = from_block(linked, Some(&service(true))) else { panic!() };
        assert_eq!(properties[&ResourcePropertyKind::Enabled], ResourcePropertyValue::Flag(false));
    }
}
