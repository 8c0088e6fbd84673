//! Checks of a node file against the components it names. The back-office made them already; a node
//! file written by hand has only these.

use std::collections::BTreeMap;

use model::{name::Name, node::Node};

use super::InspectionError;
use crate::deployment::Deployment;

/// The node with declared defaults filled in, checked against the declared types.
pub(super) fn complete_with_defaults(
    node: &Node,
    found: &BTreeMap<&Name, Deployment>,
    problems: &mut Vec<InspectionError>,
) -> Option<Node> {
    let components =
        found.iter().map(|(name, deployment)| ((*name).clone(), &deployment.component)).collect();
    match model::resolve::complete_node(node, &components) {
        Ok(node) => Some(node),
        Err(error) => {
            problems
                .extend(error.faults.into_iter().map(|fault| InspectionError::from(fault.kind.to_string())));
            None
        }
    }
}

/// Checks that each component's required components are in the node file, in versions within range.
pub(super) fn check_requirements(
    node: &Node,
    found: &BTreeMap<&Name, Deployment>,
    problems: &mut Vec<InspectionError>,
) {
    for (name, deployment) in found {
        for (required, range) in &deployment.component.requires {
            match (node.components.get(required), found.get(required)) {
                (None, _) => problems.push(
                    format!(
                        "{name} needs component `{required}` ({range}), which the node file does not have"
                    )
                    .into(),
                ),
                (Some(_), Some(other)) if !range.contains(&other.component.version) => problems.push(
                    format!(
                        "{name} needs `{required}` {range}; the node file has {}",
                        other.component.version
                    )
                    .into(),
                ),
                _ => (),
            }
        }
    }
}

/// Components so that each comes after those it requires; by name otherwise.
pub(super) fn deployment_order<'a>(
    found: &BTreeMap<&'a Name, Deployment>,
    problems: &mut Vec<InspectionError>,
) -> Vec<&'a Name> {
    let mut order: Vec<&'a Name> = Vec::with_capacity(found.len());
    while order.len() < found.len() {
        let ready = |name: &Name, deployment: &Deployment| {
            let mut required = deployment.component.requires.keys();
            required.all(|other| other == name || !found.contains_key(other) || order.contains(&other))
        };
        let next = found.iter().find(|(name, deployment)| !order.contains(name) && ready(name, deployment));
        let Some((name, _)) = next else {
            let names: Vec<&str> =
                found.keys().filter(|name| !order.contains(name)).map(|name| name.as_str()).collect();
            problems.push(format!("components require each other in a circle: {}", names.join(", ")).into());
            break;
        };
        order.push(name);
    }
    order
}
