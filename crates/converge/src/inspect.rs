//! Inspection: reads everything a node file names, renders all templates, and observes the host.
//!
//! Nothing is changed: a deployment that is not installed yet is read from its package.

mod check;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use model::{
    component::deployment_package,
    manifest::{self, EvaluationContext},
    name::Name,
    node::{Node, NodeComponent},
    observe::{Observation, ObservedHost, OsFamily},
    plan::{DesiredComponent, DesiredHost},
    resource::{Resource, ResourceBody, ResourceId, ResourceKind},
};

use crate::{Host, HostState, PackageFetcher, PackagePin, deployment::Deployment, packages::FetchError};

/// The desired and the observed state of a host: all that a plan needs.
#[derive(Debug, Clone)]
pub struct HostInspection {
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
pub struct InspectionError {
    /// What failed, where, why, and what to do next.
    pub message: String,
    /// Whether it failed because the repository could not be reached.
    pub unreachable: bool,
}

impl fmt::Display for InspectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for InspectionError {}
impl From<String> for InspectionError {
    fn from(message: String) -> Self {
        Self { message, unreachable: false }
    }
}
impl From<FetchError> for InspectionError {
    fn from(error: FetchError) -> Self {
        Self { message: error.message, unreachable: error.unreachable }
    }
}

/// Reads the deployments and observes the host; the run began at `began_us`. Returns all errors, not only the first.
pub fn inspect_host(
    node: &Node,
    host: &dyn Host,
    state: &HostState,
    packages: &mut dyn PackageFetcher,
    began_us: i64,
) -> Result<HostInspection, Vec<InspectionError>> {
    let managed = state.load_managed().map_err(|error| vec![InspectionError::from(error.to_string())])?;
    let names: BTreeSet<String> = node
        .components
        .keys()
        .flat_map(|name| [name.to_string(), deployment_package(name)])
        .chain(managed.packages.keys().cloned())
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    let installed = host.packages(&names);

    let mut problems = Vec::new();
    let mut found = BTreeMap::new();
    let mut pins = BTreeMap::new();
    for (name, wish) in &node.components {
        match read_deployment(name, wish, &installed, host, packages) {
            Ok(deployment) => {
                add_pins(name, wish, &deployment, &mut pins);
                found.insert(name, deployment);
            }
            Err(problem) => problems.push(problem),
        }
    }
    check::check_requirements(node, &found, &mut problems);
    // Missing components would only be reported a second time, as unknown references.
    let complete = match problems.is_empty() {
        true => check::complete_with_defaults(node, &found, &mut problems),
        false => None,
    };
    let wanted = match &complete {
        Some(node) => evaluate_deployments(node, &found, host.family(), &mut problems),
        None => DesiredHost::default(),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let resources: Vec<&Resource> =
        wanted.components.iter().flat_map(|component| &component.resources).collect();
    let made = managed.resources.iter().flat_map(|made| made.notify.iter().chain([&made.id]));
    // Services that earlier runs notified are observed too, even when they are no longer described.
    let made = made.chain(&managed.pending).cloned();
    let accounts = resources.iter().flat_map(|resource| resource.accounts());
    let others: Vec<ResourceId> = made.chain(accounts).collect();
    let observed = ObservedHost {
        resources: host.resources(&resources, &others),
        packages: installed,
        managed,
        family: host.family(),
        booted: host.booted(),
        runs_commands: host.runs_commands(),
    };
    Ok(HostInspection { wanted, observed, pins, began_us })
}

/// The deployment of a component: the installed one when its version is the wanted one, else the one in
/// the package.
fn read_deployment(
    name: &Name,
    wish: &NodeComponent,
    installed: &BTreeMap<String, Observation<model::version::Version>>,
    host: &dyn Host,
    packages: &mut dyn PackageFetcher,
) -> Result<Deployment, InspectionError> {
    let package = deployment_package(name);
    if let Some(Observation::Present(version)) = installed.get(&package)
        && version.matches(&wish.version)
    {
        match host.deployment(name) {
            Observation::Present(files) => {
                let place = format!("/{}/{name}", model::component::DEPLOYMENTS_FOLDER);
                let deployment = Deployment::from_files(name, &place, files)?;
                if deployment.component.version == *version {
                    return Ok(deployment);
                }
            }
            Observation::Unreadable(because) => return Err(because.into()),
            // Its installed files are gone: the package still has them.
            Observation::Absent => (),
        }
    }
    let file = wish.deployment.as_ref();
    let path = packages.fetch(&PackagePin {
        name: package,
        version: wish.version.clone(),
        file: file.map(|file| file.file.clone()),
        sha256: file.map(|file| file.sha256.clone()),
        size: file.map(|file| file.size),
    })?;
    let deployment = Deployment::from_package(name, &path)?;
    if !deployment.component.version.matches(&wish.version) {
        return Err(InspectionError::from(format!(
            "{} deploys {name} {}, not {}; was it packaged under a wrong name?",
            path.display(),
            deployment.component.version,
            wish.version
        )));
    }
    Ok(deployment)
}

fn add_pins(
    name: &Name,
    wish: &NodeComponent,
    deployment: &Deployment,
    pins: &mut BTreeMap<String, PackagePin>,
) {
    for (package, file) in [(name.to_string(), &wish.payload), (deployment_package(name), &wish.deployment)] {
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

fn evaluate_deployments(
    node: &Node,
    found: &BTreeMap<&Name, Deployment>,
    family: Option<OsFamily>,
    problems: &mut Vec<InspectionError>,
) -> DesiredHost {
    let mut wanted = DesiredHost::default();
    for name in check::deployment_order(found, problems) {
        let deployment = &found[name];
        let scope = EvaluationContext {
            server: node.server.as_str(),
            environment: node.environment.as_str(),
            component: &deployment.component,
            values: &node.components[name].values,
            others: node
                .components
                .iter()
                .filter(|(other, _)| *other != name)
                .map(|(other, component)| (other, &component.values))
                .collect(),
            family,
        };
        match manifest::evaluate_manifest(&deployment.manifest, &deployment.templates, &scope) {
            Ok(evaluated) => {
                let mut resources = required_os_packages(deployment, family, &evaluated.resources);
                resources.extend(evaluated.resources);
                wanted.components.push(DesiredComponent {
                    name: name.clone(),
                    version: deployment.component.version.clone(),
                    resources,
                    health: evaluated.health,
                });
            }
            Err(errors) => {
                problems.extend(
                    errors
                        .into_iter()
                        .map(|error| InspectionError::from(format!("component {name}: {error}"))),
                );
            }
        }
    }
    wanted
}

/// The packages of the operating system a component asks for, as resources; the manifest's own
/// description of one wins.
fn required_os_packages(
    deployment: &Deployment,
    family: Option<OsFamily>,
    described: &[Resource],
) -> Vec<Resource> {
    let names = match family {
        Some(OsFamily::Deb) => &deployment.component.os_packages.deb,
        Some(OsFamily::Rpm) => &deployment.component.os_packages.rpm,
        None => return Vec::new(),
    };
    names
        .iter()
        .map(|name| ResourceId::new(ResourceKind::Package, name))
        .filter(|id| !described.iter().any(|resource| resource.id == *id))
        .map(|id| Resource {
            id,
            present: true,
            body: ResourceBody::Package { version: None },
            require: Vec::new(),
            notify: Vec::new(),
            secret: false,
        })
        .collect()
}
