//! Checks of a node file against the components it names. The back-office made them already; a node
//! file written by hand has only these.

use std::collections::BTreeMap;

use model::{
    name::{Key, Name},
    nearest,
    node::{Node, NodeValue},
};

use super::Problem;
use crate::deployment::Deployment;

/// The values of a component with declared defaults filled in, checked against the declared types.
pub(super) fn values(
    name: &Name,
    given: &BTreeMap<Key, NodeValue>,
    deployment: &Deployment,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Key, NodeValue> {
    let parameters = &deployment.component.parameters;
    for key in given.keys().filter(|key| !parameters.contains_key(*key)) {
        let hint = match nearest(key.as_str(), parameters.keys().map(Key::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if parameters.is_empty() => "it has none".to_owned(),
            None => {
                let names: Vec<&str> = parameters.keys().map(Key::as_str).collect();
                format!("it has: {}", names.join(", "))
            }
        };
        let version = &deployment.component.version;
        problems.push(format!("{name} {version} has no parameter `{key}`; {hint}").into());
    }
    let mut values = BTreeMap::new();
    for (key, parameter) in parameters {
        let Some(value) = given.get(key) else {
            match &parameter.default {
                Some(default) => {
                    let value =
                        NodeValue { value: default.clone(), secret: parameter.secret, voices: Vec::new() };
                    values.insert(key.clone(), value);
                }
                None if parameter.required => problems.push(
                    format!("`{name}.{key}` is required and nobody set it: {}", parameter.description).into(),
                ),
                None => (),
            }
            continue;
        };
        if let Err(because) = parameter.check(&value.value) {
            problems.push(format!("`{name}.{key}`: {because}").into());
        }
        let secret = value.secret || parameter.secret;
        values.insert(key.clone(), NodeValue { secret, ..value.clone() });
    }
    values
}

/// Each component's required components must be in the node file, in versions that will do.
pub(super) fn requirements(node: &Node, found: &BTreeMap<&Name, Deployment>, problems: &mut Vec<Problem>) {
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
pub(super) fn order<'a>(
    found: &BTreeMap<&'a Name, Deployment>,
    problems: &mut Vec<Problem>,
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
