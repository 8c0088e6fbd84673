//! Masks secrets in estates and node files for principals that may not see them.
//!
//! Which values are secret is the components' word: any version's, also of one that left the channels since. A
//! parameter that no published version declares has not been spoken of: its values stay hidden until one does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    catalog::Catalog,
    estate::{Assignment, Estate, Overrides},
    name::{Key, Name},
    node::Node,
    value::Value,
};

use super::{BackOffice, BackOfficeError, estate_snapshot::overrides_by_path};

/// The mask of a secret.
const MASK: &str = "(secret)";
/// The mask of a secret that differs between two compared texts.
const CHANGED_MASK: &str = "(secret, changed)";
/// The mask of a value that may be a secret.
const UNKNOWN_MASK: &str = "(hidden: no published version declares it)";
/// The same, when it differs between two texts that are compared.
const CHANGED_UNKNOWN_MASK: &str = "(hidden: no published version declares it; changed)";

/// Parameters by the names of their components, as the store keeps them.
type Parameters = BTreeSet<(String, String)>;

/// Knows which values are secret.
#[derive(Debug, Clone)]
pub struct SecretParameters {
    catalog: Arc<Catalog>,
    ever: Arc<Parameters>,
}

/// The catalog whose secrets are remembered, and all that are.
pub(super) type Remembered = Option<(Arc<Catalog>, Arc<Parameters>)>;

impl BackOffice {
    /// What is secret, by the word of every version that is or ever was in a channel.
    pub async fn secret_parameters(&self) -> Result<SecretParameters, BackOfficeError> {
        let catalog = self.catalog().await?;
        let remembered = self.remembered.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        if let Some((known, ever)) = remembered
            && Arc::ptr_eq(&known, &catalog)
        {
            return Ok(SecretParameters { catalog, ever });
        }
        let mut ever = self.store.secret_parameters().await?;
        let new: Vec<(String, String)> =
            declared_secrets(&catalog).into_iter().filter(|parameter| !ever.contains(parameter)).collect();
        if !new.is_empty() {
            self.store.remember_secret(&new).await?;
            ever.extend(new);
        }
        let ever = Arc::new(ever);
        let remembered = Some((Arc::clone(&catalog), Arc::clone(&ever)));
        *self.remembered.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = remembered;
        Ok(SecretParameters { catalog, ever })
    }
}

fn declared_secrets(catalog: &Catalog) -> Parameters {
    let mut secrets = Parameters::new();
    for (name, versions) in &catalog.components {
        for published in versions.values() {
            let parameters = published.component.parameters.iter().filter(|(_, parameter)| parameter.secret);
            secrets.extend(parameters.map(|(key, _)| (name.to_string(), key.to_string())));
        }
    }
    secrets
}

impl SecretParameters {
    /// Whether the parameter is a secret; `None` when no version there is declares it.
    fn is_secret(&self, component: &Name, key: &Key) -> Option<bool> {
        if self.ever.contains(&(component.to_string(), key.to_string())) {
            return Some(true);
        }
        let mut versions = self.catalog.components.get(component)?.values();
        versions.any(|published| published.component.parameters.contains_key(key)).then_some(false)
    }

    fn mask(&self, component: &Name, key: &Key, said: &mut Assignment, changed: bool) {
        let text = match (self.is_secret(component, key), changed) {
            (Some(false), _) => return,
            (Some(true), false) => MASK,
            (Some(true), true) => CHANGED_MASK,
            (None, false) => UNKNOWN_MASK,
            (None, true) => CHANGED_UNKNOWN_MASK,
        };
        said.value = Value::from(text);
    }

    /// Masks the secrets of an estate.
    pub fn mask_estate(&self, estate: &mut Estate) {
        for (_, overrides) in overrides_by_path(estate) {
            for (component, values) in &mut overrides.values {
                for (key, said) in values {
                    self.mask(component, key, said, false);
                }
            }
        }
    }

    /// Masks the secrets of two estates that are compared, so that a secret that changed still shows as changed.
    pub fn mask_compared_estates(&self, old: &mut Estate, new: &mut Estate) {
        let before: BTreeMap<String, Overrides> =
            overrides_by_path(old).map(|(path, overrides)| (path, overrides.clone())).collect();
        for (path, overrides) in overrides_by_path(new) {
            for (component, values) in &mut overrides.values {
                for (key, said) in values {
                    let value =
                        before.get(&path).and_then(|overrides| overrides.values.get(component)?.get(key));
                    let changed = value.is_some_and(|value| value.value != said.value);
                    self.mask(component, key, said, changed);
                }
            }
        }
        self.mask_estate(old);
    }
}

/// Masks the secrets of a node.
pub fn mask_node(node: &mut Node) {
    for component in node.components.values_mut() {
        for value in component.values.values_mut() {
            if value.secret {
                value.value = Value::from(MASK);
            }
        }
    }
}
