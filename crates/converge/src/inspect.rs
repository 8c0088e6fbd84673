//! Inspection: reads everything a node file names, renders all templates, and observes the host.
//!
//! Nothing is changed: a deployment that is not installed yet is read from its package.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use model::{
    component::{
        COMPONENT_DESCRIPTION_FILE, Component, INSTALLED_COMPONENTS_FOLDER, deployment_package_name,
    },
    deployment::{self, DeploymentDescription},
    fault::Fault,
    name::Name,
    node::{Node, NodeComponent},
    observe::{ManagedState, Observation, ObservationRequest, ObservedHost, node_and_managed_package_names},
    plan::DesiredHost,
    version::Version,
};

use crate::{
    CannotApplyCause, Host, PackageFetcher, PackagePin, PunchStateFolder, deployment_files,
    package_fetcher::PackageFetchError,
};

/// The desired and the observed state of a host: all that a plan needs.
#[derive(Debug, Clone)]
pub struct DesiredAndObservedHost {
    /// What the host must be.
    pub wanted: DesiredHost,
    /// What it is.
    pub observed: ObservedHost,
    /// The packages the node file names, by package name.
    pub pins: BTreeMap<String, PackagePin>,
    /// When the looking began, in microseconds since 1970: a run counts from then.
    pub began_us: i64,
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
pub fn fetch_deployments_and_observe_host(
    node: &Node,
    host: &dyn Host,
    state: &PunchStateFolder,
    packages: &mut dyn PackageFetcher,
    began_us: i64,
) -> Result<DesiredAndObservedHost, Vec<CannotApplyNodeError>> {
    let managed =
        state.load_managed_state().map_err(|error| vec![CannotApplyNodeError::from(error.to_string())])?;
    let installed = host.observe_packages(&node_and_managed_package_names(node, &managed));

    let mut problems = Vec::new();
    let mut deployments = BTreeMap::new();
    let mut pins = BTreeMap::new();
    for (name, node_component) in &node.components {
        match read_deployment(name, node_component, &installed, host, packages) {
            Ok(deployment) => {
                add_pins(name, node_component, &deployment, &mut pins);
                deployments.insert(name.clone(), deployment);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let wanted = match problems.is_empty() {
        true => deployment::evaluate_deployments(node, &deployments, host.os_family()),
        // What the others lack is worth saying too.
        false => Err(deployment::check_component_requirements(node, &deployments)),
    };
    let wanted = wanted.map_err(|faults| {
        problems.extend(faults.into_iter().map(CannotApplyNodeError::from));
        problems
    })?;
    let descriptions = installed_descriptions_of_changing_components(node, &managed, &installed, host);
    let resources = host.observe_resources(&ObservationRequest::new(&wanted, &managed));
    let observed = ObservedHost {
        resources,
        packages: installed,
        installed: descriptions,
        managed,
        family: host.os_family(),
        booted: host.is_systemd_running(),
        runs_commands: host.can_run_commands(),
    };
    Ok(DesiredAndObservedHost { wanted, observed, pins, began_us })
}

/// The deployment of a component: the installed one when its version is the wanted one, else the one in
/// the package.
fn read_deployment(
    name: &Name,
    node_component: &NodeComponent,
    installed: &BTreeMap<String, Observation<Version>>,
    host: &dyn Host,
    packages: &mut dyn PackageFetcher,
) -> Result<DeploymentDescription, CannotApplyNodeError> {
    let package = deployment_package_name(name);
    if let Some(Observation::Present(version)) = installed.get(&package)
        && version.satisfies_requested_version(&node_component.version)
    {
        match host.read_deployment_files_of_installed_component(name) {
            Observation::Present(files) => {
                let place = format!("/{INSTALLED_COMPONENTS_FOLDER}/{name}");
                let deployment = DeploymentDescription::parse_deployment_files(name, &place, files)
                    .map_err(|error| error.to_string())?;
                if deployment.component.version == *version {
                    return Ok(deployment);
                }
            }
            Observation::Unreadable(because) | Observation::Unsafe(because) => return Err(because.into()),
            // Its installed files are gone: the package still has them.
            Observation::Absent => (),
        }
    }
    let file = node_component.deployment.as_ref();
    let path = packages.fetch(&PackagePin {
        name: package,
        version: node_component.version.clone(),
        file: file.map(|file| file.file.clone()),
        sha256: file.map(|file| file.sha256.clone()),
        size: file.map(|file| file.size),
    })?;
    let (place, files) = deployment_files::read_deployment_files_from_rpm(name, &path)?;
    let deployment = DeploymentDescription::parse_deployment_files(name, &place, files)
        .map_err(|error| error.to_string())?;
    if !deployment.component.version.satisfies_requested_version(&node_component.version) {
        return Err(CannotApplyNodeError::from(format!(
            "{} deploys {name} {}, not {}; was it packaged under a wrong name?",
            path.display(),
            deployment.component.version,
            node_component.version
        )));
    }
    Ok(deployment)
}

/// What the installed deployments say of their components, where the node file has another version or none.
/// One that cannot be read is left out: rpm checks what installed packages need, too.
fn installed_descriptions_of_changing_components(
    node: &Node,
    managed: &ManagedState,
    installed: &BTreeMap<String, Observation<Version>>,
    host: &dyn Host,
) -> BTreeMap<Name, Component> {
    let names: BTreeSet<&Name> = node.components.keys().chain(managed.packages.values()).collect();
    let is_changing = |name: &&Name| match installed.get(&deployment_package_name(name)) {
        Some(Observation::Present(version)) => node
            .components
            .get(*name)
            .is_none_or(|wanted| !version.satisfies_requested_version(&wanted.version)),
        _ => false,
    };
    let description = |name: &Name| match host.read_deployment_files_of_installed_component(name) {
        Observation::Present(mut files) => {
            serde_json::from_slice(&files.remove(COMPONENT_DESCRIPTION_FILE)?).ok()
        }
        _ => None,
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
