//! Evaluates the deployments of a node file: checks what they require of each other, orders them, fills in
//! their manifests.
//!
//! The back-office made the checks already; a node file written by hand has only these.

use std::collections::BTreeMap;

use super::{DeploymentDescription, default_owner::complete_owners_in_user_folders};
use crate::{
    deployment_manifest::{self, ManifestVariables},
    fault::Fault,
    name::Name,
    node::Node,
    observe::OsFamily,
    plan::{DesiredComponentWithResources, DesiredHost},
    resolve::add_defaults_and_check_node,
    resource::{PackageResourceBody, Resource, ResourceBody, ResourceId, ResourceKind},
};

/// What a host of `family` must be like to be as `node` says. `deployments` holds that of each component, in
/// its exact version. Returns all faults, not only the first.
pub fn evaluate_deployments(
    node: &Node,
    deployments: &BTreeMap<Name, DeploymentDescription>,
    family: Option<OsFamily>,
) -> Result<DesiredHost, Vec<Fault>> {
    let mut faults = check_component_requirements(node, deployments);
    let missing = node.components.keys().filter(|name| !deployments.contains_key(*name));
    faults.extend(missing.map(|name| Fault {
        component: Some(name.clone()),
        ..Fault::new_error(format!("the deployment of {name} is not known"))
    }));
    if !faults.is_empty() {
        // Missing components would only be reported a second time, as unknown references.
        return Err(faults);
    }
    let components = deployments.iter().map(|(name, deployment)| (name.clone(), &deployment.component));
    let node = add_defaults_and_check_node(node, &components.collect()).map_err(|error| {
        let faults = error.faults.into_iter();
        faults
            .map(|fault| Fault {
                component: fault.component,
                key: fault.key,
                hint: fault.kind.correction_hint(),
                ..Fault::new_error(fault.kind.to_string())
            })
            .collect::<Vec<_>>()
    })?;
    let order = match deployment_order(deployments) {
        Ok(order) => order,
        Err(cycle) => {
            let names: Vec<&str> = cycle.into_iter().map(Name::as_str).collect();
            let message = format!("components require each other in a cycle: {}", names.join(", "));
            return Err(vec![Fault::new_error(message)]);
        }
    };
    let mut desired = DesiredHost::default();
    for name in order {
        match evaluate_deployment(&node, name, &deployments[name], family) {
            Ok(component) => desired.components.push(component),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(desired) } else { Err(faults) }
}

/// Checks that each component's required components are in the node file, in versions within range.
pub fn check_component_requirements(
    node: &Node,
    deployments: &BTreeMap<Name, DeploymentDescription>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, deployment) in deployments {
        for (required, range) in &deployment.component.requires {
            let message = match (node.components.get(required), deployments.get(required)) {
                (None, _) => {
                    format!(
                        "{name} needs component `{required}` ({range}), which the node file does not have"
                    )
                }
                (Some(_), Some(other)) if !range.contains_version(&other.component.version) => {
                    let version = &other.component.version;
                    format!("{name} needs `{required}` {range}; the node file has {version}")
                }
                _ => continue,
            };
            faults.push(Fault { component: Some(name.clone()), ..Fault::new_error(message) });
        }
    }
    faults
}

fn evaluate_deployment(
    node: &Node,
    name: &Name,
    deployment: &DeploymentDescription,
    family: Option<OsFamily>,
) -> Result<DesiredComponentWithResources, Vec<Fault>> {
    let others = node.components.iter().filter(|(other, _)| *other != name);
    let context = ManifestVariables {
        server: node.server.as_str(),
        environment: node.environment.as_str(),
        component: &deployment.component,
        values: &node.components[name].values,
        others: others.map(|(other, component)| (other, &component.values)).collect(),
        family,
    };
    let evaluated =
        deployment_manifest::evaluate_manifest(&deployment.manifest, &deployment.templates, &context);
    let evaluated = evaluated.map_err(|errors| {
        let faults = errors.into_iter().map(Fault::from);
        faults.map(|fault| Fault { component: Some(name.clone()), ..fault }).collect::<Vec<_>>()
    })?;
    let mut resources = required_os_packages(deployment, family, &evaluated.resources);
    resources.extend(evaluated.resources);
    complete_owners_in_user_folders(&mut resources);
    Ok(DesiredComponentWithResources {
        name: name.clone(),
        version: deployment.component.version.clone(),
        requires: deployment.component.requires.keys().cloned().collect(),
        resources,
        health: evaluated.health,
    })
}

/// Components so that each comes after those it requires; by name otherwise. An error is those that
/// require each other.
fn deployment_order(deployments: &BTreeMap<Name, DeploymentDescription>) -> Result<Vec<&Name>, Vec<&Name>> {
    let mut order: Vec<&Name> = Vec::with_capacity(deployments.len());
    while order.len() < deployments.len() {
        let ready = |name: &Name, deployment: &DeploymentDescription| {
            let mut required = deployment.component.requires.keys();
            required.all(|other| other == name || !deployments.contains_key(other) || order.contains(&other))
        };
        let mut left = deployments.iter().filter(|(name, _)| !order.contains(name));
        match left.find(|(name, deployment)| ready(name, deployment)) {
            Some((name, _)) => order.push(name),
            None => return Err(deployments.keys().filter(|name| !order.contains(name)).collect()),
        }
    }
    Ok(order)
}

/// The packages of the operating system a component asks for, as resources; the manifest's own
/// description of one wins.
fn required_os_packages(
    deployment: &DeploymentDescription,
    family: Option<OsFamily>,
    described: &[Resource],
) -> Vec<Resource> {
    let names = match family {
        Some(OsFamily::Deb) => &deployment.component.os_packages.deb,
        Some(OsFamily::Rpm) => &deployment.component.os_packages.rpm,
        None => return Vec::new(),
    };
    let ids = names.iter().map(|name| ResourceId::new(ResourceKind::Package, name));
    let missing = ids.filter(|id| !described.iter().any(|resource| resource.id == *id));
    missing
        .map(|id| Resource {
            id,
            present: true,
            body: ResourceBody::Package(PackageResourceBody::default()),
            require: Vec::new(),
            notify: Vec::new(),
            secret: false,
        })
        .collect()
}
