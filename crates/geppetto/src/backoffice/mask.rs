//! Secrets in estates and node files, masked for everybody who need not know them.
//!
//! Which values are secret is the components' word, so it is looked up in the catalog. A component that is not
//! in the catalog has not said yet: all its values stay hidden until it is published.

use std::collections::BTreeMap;

use model::{
    catalog::{Catalog, Published},
    estate::{Estate, Said, Says},
    name::{Key, Name},
    node::Node,
    value::Value,
};

use super::state::everything;

/// What stands in the place of a secret.
const MASK: &str = "(secret)";
/// What stands in the place of a secret that differs between two texts that are compared.
const CHANGED_MASK: &str = "(secret, changed)";
/// What stands in the place of a value that may be a secret.
const UNKNOWN_MASK: &str = "(hidden until the component is published)";
/// The same, when it differs between two texts that are compared.
const CHANGED_UNKNOWN_MASK: &str = "(hidden until the component is published, changed)";

/// Whether any version of the component declares the parameter a secret; `None` when there is no version.
///
/// Any version: a value that was a secret once is not shown because a later version forgot to say so.
fn secret(catalog: &Catalog, component: &Name, key: &Key) -> Option<bool> {
    let versions = catalog.components.get(component).filter(|versions| !versions.is_empty())?;
    let declared = |published: &Published| published.component.parameters.get(key).map(|p| p.secret);
    Some(versions.values().any(|published| declared(published) == Some(true)))
}

fn mask(catalog: &Catalog, component: &Name, key: &Key, said: &mut Said, changed: bool) {
    let text = match (secret(catalog, component, key), changed) {
        (Some(false), _) => return,
        (Some(true), false) => MASK,
        (Some(true), true) => CHANGED_MASK,
        (None, false) => UNKNOWN_MASK,
        (None, true) => CHANGED_UNKNOWN_MASK,
    };
    said.value = Value::from(text);
}

/// Masks the secrets of an estate.
pub fn estate(catalog: &Catalog, estate: &mut Estate) {
    for (_, says) in everything(estate) {
        for (component, values) in &mut says.values {
            for (key, said) in values {
                mask(catalog, component, key, said, false);
            }
        }
    }
}

/// Masks the secrets of two estates that are compared, so that a secret that changed still shows as changed.
pub fn pair(catalog: &Catalog, old: &mut Estate, new: &mut Estate) {
    let before: BTreeMap<String, Says> = everything(old).map(|(path, says)| (path, says.clone())).collect();
    for (path, says) in everything(new) {
        for (component, values) in &mut says.values {
            for (key, said) in values {
                let value = before.get(&path).and_then(|says| says.values.get(component)?.get(key));
                let changed = value.is_some_and(|value| value.value != said.value);
                mask(catalog, component, key, said, changed);
            }
        }
    }
    estate(catalog, old);
}

/// Masks the secrets of a node.
pub fn node(node: &mut Node) {
    for component in node.components.values_mut() {
        for value in component.values.values_mut() {
            if value.secret {
                value.value = Value::from(MASK);
            }
        }
    }
}
