//! Inspection: reads everything a node file names, renders all templates, and observes the host.
//!
//! Nothing is changed: a deployment that is not kept on the host is read from its fetched package.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    path::PathBuf,
};

use model::{
    component::{COMPONENT_JSON_FILE_NAME, Component, deployment_package_name},
    deployment::{self, DeploymentDescription},
    fault::Fault,
    name::Name,
    node::{Node, NodeComponent},
    observe::{ManagedState, Observation, ObservationRequest, ObservedHost, node_and_managed_package_names},
    plan::DesiredHost,
    report::RepairOfInterruptedWork,
    version::Version,
};
use nix::unistd::geteuid;

use crate::{
    CannotApplyCause, Host, PackageFetcher, PackagePin, PunchStateFolder, PunchStateFolderError, RunPurpose,
    deployment_files,
    host::file_system_error_reason_with_advice,
    package_fetcher::PackageFetchError,
    payload::{
        installed_files::VerifiedPayloads,
        verify::{PayloadVerification, VerifiedHost, verify_installed_payloads},
    },
    punch_state_folder::StoredDeploymentPackage,
};

/// The desired and the observed state of a host: all that a plan needs.
#[derive(Debug, Clone)]
pub struct DesiredAndObservedHost {
    /// What the host must be.
    pub wanted: DesiredHost,
    /// What it is.
    pub observed: ObservedHost,
    /// What the deployments say of their components.
    pub components: BTreeMap<Name, Component>,
    /// The packages the node file names, by package name.
    pub pins: BTreeMap<String, PackagePin>,
    /// The deployment packages that were not kept on the host: their components' versions, and where they are.
    pub fetched_deployments: BTreeMap<Name, (Version, PathBuf)>,
    /// What is known of the files of installed packages, where that is news.
    pub verified_payloads: Option<VerifiedPayloads>,
    /// What was repaired before the looking, for the report.
    pub repairs: Vec<RepairOfInterruptedWork>,
    /// When the looking began, in microseconds since 1970: a run counts from then.
    pub began_us: i64,
    /// Why the host is made what the node file says.
    pub purpose: RunPurpose,
}

/// Why a node file cannot be applied; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotApplyNodeError {
    /// What failed, where, why, and what to do next.
    pub message: String,
    /// What kind of cause it has.
    pub cause: CannotApplyCause,
}

impl fmt::Display for CannotApplyNodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for CannotApplyNodeError {}
impl From<String> for CannotApplyNodeError {
    fn from(message: String) -> Self {
        Self { message, cause: CannotApplyCause::Blocked }
    }
}
impl From<Fault> for CannotApplyNodeError {
    fn from(fault: Fault) -> Self {
        let (message, cause) = match (&fault.component, &fault.file) {
            // The manifest's file is named within its component; the node file is not what is wrong.
            (Some(component), Some(_)) => {
                (format!("component {component}: {fault}"), CannotApplyCause::Blocked)
            }
            _ => (fault.to_string(), CannotApplyCause::WrongInput),
        };
        Self { message, cause }
    }
}
impl From<PackageFetchError> for CannotApplyNodeError {
    fn from(error: PackageFetchError) -> Self {
        Self { message: error.message, cause: error.cause }
    }
}

/// Reads the deployments and observes the host; the run began at `began_us`. Returns all errors, not only the first.
///
/// How closely installed files are looked at, `verification` says.
pub fn fetch_deployments_and_observe_host(
    node: &Node,
    host: &dyn Host,
    state: &PunchStateFolder,
    packages: &mut dyn PackageFetcher,
    verification: PayloadVerification,
    began_us: i64,
) -> Result<DesiredAndObservedHost, Vec<CannotApplyNodeError>> {
    let blocked = |error: PunchStateFolderError| vec![CannotApplyNodeError::from(error.to_string())];
    let managed = state.load_managed_state().map_err(blocked)?;
    let mut names = node_and_managed_package_names(node, &managed);
    names.extend(state.packages_with_kept_state().map_err(blocked)?);
    names.sort();
    names.dedup();
    let mut installed = host.observe_component_packages(&names);

    let mut problems = Vec::new();
    let mut deployments = BTreeMap::new();
    let mut pins = BTreeMap::new();
    let stored = state.load_stored_deployments().map_err(blocked)?;
    let mut reader = DeploymentReader {
        state,
        stored: &stored,
        installed: &installed,
        packages,
        fetched: BTreeMap::new(),
    };
    for (name, node_component) in &node.components {
        match reader.read_deployment(name, node_component) {
            Ok(deployment) => {
                add_pins(name, node_component, &deployment, &mut pins);
                deployments.insert(name.clone(), deployment);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let fetched_deployments = reader.fetched;
    let components = deployments.iter().map(|(name, read)| (name.clone(), read.component.clone())).collect();
    let wanted = match problems.is_empty() {
        true => deployment::evaluate_deployments(node, &deployments, host.os_family()),
        // What the others lack is worth saying too.
        false => Err(deployment::check_component_requirements(node, &deployments)),
    };
    let wanted = wanted.map_err(|faults| {
        problems.extend(faults.into_iter().map(CannotApplyNodeError::from));
        problems
    })?;
    let descriptions =
        installed_descriptions_of_changing_components(node, &managed, &installed, &stored, state);
    let verified =
        verify_installed_payloads(host, state, (&wanted, &managed), &mut installed, (verification, began_us))
            .map_err(blocked)?;
    let VerifiedHost { drift, unit_overrides, news } = verified;
    let request = ObservationRequest::new(&wanted, &managed).ask_downgrade_guards(&wanted, &installed);
    let resources = host.observe_resources(&request);
    let observed = ObservedHost {
        resources,
        payload_drift: drift,
        unit_overrides,
        packages: installed,
        installed: descriptions,
        managed,
        family: host.os_family(),
        booted: host.is_systemd_running(),
        runs_commands: host.can_run_commands(),
        acts_as_root: geteuid().is_root(),
        cannot_give_files_to_any_user: !host.can_give_files_to_any_user(),
    };
    Ok(DesiredAndObservedHost {
        wanted,
        observed,
        components,
        pins,
        fetched_deployments,
        verified_payloads: news,
        repairs: Vec::new(),
        began_us,
        purpose: RunPurpose::Deploy,
    })
}

/// Where deployments are read from: what is kept on the host, and where packages come from.
struct DeploymentReader<'a> {
    state: &'a PunchStateFolder,
    stored: &'a BTreeMap<Name, StoredDeploymentPackage>,
    installed: &'a BTreeMap<String, Observation<Version>>,
    packages: &'a mut dyn PackageFetcher,
    /// The deployment packages that had to be fetched.
    fetched: BTreeMap<Name, (Version, PathBuf)>,
}

impl DeploymentReader<'_> {
    /// The deployment of a component: from the package that the node file pins, and without a pin from the one that
    /// was installed. It is kept on the host, or fetched. The installed copy is never read: it may have been edited.
    fn read_deployment(
        &mut self,
        name: &Name,
        node_component: &NodeComponent,
    ) -> Result<DeploymentDescription, CannotApplyNodeError> {
        let sha256 = match &node_component.deployment {
            Some(pinned) => Some(pinned.sha256.clone()),
            None => self.recorded_sha256_of_installed(name, node_component),
        };
        if let Some(sha256) = &sha256
            && let Some(file) =
                self.state.open_stored_content_if_intact(sha256).map_err(|error| error.to_string())?
        {
            let place = self.state.display_path_of_stored_content(sha256);
            return parse_deployment(name, node_component, &place, file);
        }
        let file = node_component.deployment.as_ref();
        let path = self.packages.fetch_and_verify_package(&PackagePin {
            name: deployment_package_name(name),
            version: node_component.version.clone(),
            file: file.map(|file| file.file.clone()),
            sha256: file.map(|file| file.sha256.clone()),
            size: file.map(|file| file.size),
        })?;
        let place = path.display().to_string();
        let opened = File::open(&path).map_err(|error| {
            format!("cannot read {place}: {}", file_system_error_reason_with_advice(&error))
        })?;
        let deployment = parse_deployment(name, node_component, &place, opened)?;
        self.fetched.insert(name.clone(), (deployment.component.version.clone(), path));
        Ok(deployment)
    }

    /// The digest of the deployment package whose version is installed, and wanted.
    fn recorded_sha256_of_installed(&self, name: &Name, node_component: &NodeComponent) -> Option<String> {
        let stored = self.stored.get(name)?;
        let installed = self.installed.get(&deployment_package_name(name))?;
        let right = *installed == Observation::Present(stored.version.clone())
            && stored.version.satisfies_requested_version(&node_component.version);
        right.then(|| stored.sha256.clone())
    }
}

/// Reads a deployment from the opened package file at `place`.
fn parse_deployment(
    name: &Name,
    node_component: &NodeComponent,
    place: &str,
    file: File,
) -> Result<DeploymentDescription, CannotApplyNodeError> {
    let (folder, files) = deployment_files::read_deployment_files_from_rpm(name, place, file)?;
    let deployment = DeploymentDescription::parse_deployment_files(name, &folder, files)
        .map_err(|error| error.to_string())?;
    if !deployment.component.version.satisfies_requested_version(&node_component.version) {
        return Err(CannotApplyNodeError::from(format!(
            "{place} deploys {name} {}, not {}; was it packaged under a wrong name?",
            deployment.component.version, node_component.version
        )));
    }
    Ok(deployment)
}

/// What the kept packages of installed deployments say of their components, where the node file has another version or
/// none.
/// One that cannot be read is left out: rpm checks what installed packages need, too.
fn installed_descriptions_of_changing_components(
    node: &Node,
    managed: &ManagedState,
    installed: &BTreeMap<String, Observation<Version>>,
    stored: &BTreeMap<Name, StoredDeploymentPackage>,
    state: &PunchStateFolder,
) -> BTreeMap<Name, Component> {
    let names: BTreeSet<&Name> = node.components.keys().chain(managed.packages.values()).collect();
    let is_changing = |name: &&Name| match installed.get(&deployment_package_name(name)) {
        Some(Observation::Present(version)) => node
            .components
            .get(*name)
            .is_none_or(|wanted| !version.satisfies_requested_version(&wanted.version)),
        _ => false,
    };
    let description = |name: &Name| {
        let kept = stored.get(name)?;
        let is_installed =
            installed.get(&deployment_package_name(name))? == &Observation::Present(kept.version.clone());
        let file =
            state.open_stored_content_if_intact(&kept.sha256).ok().flatten().filter(|_| is_installed)?;
        let place = state.display_path_of_stored_content(&kept.sha256);
        let (_, mut files) = deployment_files::read_deployment_files_from_rpm(name, &place, file).ok()?;
        serde_json::from_slice(&files.remove(COMPONENT_JSON_FILE_NAME)?).ok()
    };
    names
        .into_iter()
        .filter(is_changing)
        .filter_map(|name| Some((name.clone(), description(name)?)))
        .collect()
}

fn add_pins(
    name: &Name,
    node_component: &NodeComponent,
    deployment: &DeploymentDescription,
    pins: &mut BTreeMap<String, PackagePin>,
) {
    for (package, file) in [
        (name.to_string(), &node_component.payload),
        (deployment_package_name(name), &node_component.deployment),
    ] {
        let pin = PackagePin {
            name: package.clone(),
            version: deployment.component.version.clone(),
            file: file.as_ref().map(|file| file.file.clone()),
            sha256: file.as_ref().map(|file| file.sha256.clone()),
            size: file.as_ref().map(|file| file.size),
        };
        pins.insert(package, pin);
    }
}
