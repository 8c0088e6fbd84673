//! Masks secrets in estates and node files for principals that may not see them.
//!
//! A value is secret if any version of its component declares it so, also one that left the channels since. The
//! values of a parameter that no published version declares stay hidden until one does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    catalog::ComponentCatalog,
    estate::{Estate, PlaceSettings, ValueWithRevisionAndAuthor},
    name::{Key, Name},
    node::Node,
    value::Value,
};

use super::{BackOffice, BackOfficeError, estate_snapshot::iter_estate_settings_mut_by_path};

/// The mask of a secret.
const MASK: &str = "(secret)";
/// The mask of a secret that differs between two compared texts.
const CHANGED_MASK: &str = "(secret, changed)";
/// The mask of a value that may be a secret.
const UNKNOWN_MASK: &str = "(hidden: no published version declares it)";
/// The same, when it differs between two texts that are compared.
const CHANGED_UNKNOWN_MASK: &str = "(hidden: no published version declares it; changed)";

/// Whether a text is a mask that stands for a stored value.
pub(super) fn is_mask_of_stored_value(text: &str) -> bool {
    text == MASK || text == UNKNOWN_MASK
}

/// Parameters by the names of their components, as the store keeps them.
type Parameters = BTreeSet<(String, String)>;

/// Which parameters are secret.
#[derive(Debug, Clone)]
pub(super) struct SecretParameters {
    catalog: Arc<ComponentCatalog>,
    ever: Arc<Parameters>,
}

/// The catalog that this was computed for, and every parameter that any version in a channel ever declared secret.
pub(super) type CachedSecretParameters = Option<(Arc<ComponentCatalog>, Arc<Parameters>)>;

impl BackOffice {
    /// The parameters that a version declares secret which is or ever was in a channel; those that are new are recorded.
    pub(super) async fn load_and_store_ever_secret_parameters(
        &self,
    ) -> Result<SecretParameters, BackOfficeError> {
        let catalog = self.read_catalog_of_all_channels().await?;
        let known = self.secrets.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        if let Some((of, ever)) = known
            && Arc::ptr_eq(&of, &catalog)
        {
            return Ok(SecretParameters { catalog, ever });
        }
        let mut ever = self.store.read_ever_secret_parameters().await?;
        let new: Vec<(String, String)> =
            declared_secrets(&catalog).into_iter().filter(|parameter| !ever.contains(parameter)).collect();
        if !new.is_empty() {
            self.store.insert_secret_parameters(&new).await?;
            ever.extend(new);
        }
        let ever = Arc::new(ever);
        let known = Some((Arc::clone(&catalog), Arc::clone(&ever)));
        *self.secrets.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = known;
        Ok(SecretParameters { catalog, ever })
    }
}

fn declared_secrets(catalog: &ComponentCatalog) -> Parameters {
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
    pub(super) fn was_parameter_ever_secret(&self, component: &Name, key: &Key) -> Option<bool> {
        if self.ever.contains(&(component.to_string(), key.to_string())) {
            return Some(true);
        }
        let mut versions = self.catalog.components.get(component)?.values();
        versions.any(|published| published.component.parameters.contains_key(key)).then_some(false)
    }

    fn mask(&self, component: &Name, key: &Key, assignment: &mut ValueWithRevisionAndAuthor, changed: bool) {
        let text = match (self.was_parameter_ever_secret(component, key), changed) {
            (Some(false), _) => return,
            (Some(true), false) => MASK,
            (Some(true), true) => CHANGED_MASK,
            (None, false) => UNKNOWN_MASK,
            (None, true) => CHANGED_UNKNOWN_MASK,
        };
        assignment.value = Arc::new(Value::from(text));
    }

    /// Masks the secrets of an estate.
    pub(super) fn mask_secrets_in_estate(&self, estate: &mut Estate) {
        for (_, settings) in iter_estate_settings_mut_by_path(estate) {
            for (component, values) in &mut settings.values {
                for (key, assignment) in values {
                    self.mask(component, key, assignment, false);
                }
            }
        }
    }

    /// Masks the secrets of two estates that are compared, so that a secret that changed still shows as changed.
    pub(super) fn mask_secrets_in_compared_estates(&self, old: &mut Estate, new: &mut Estate) {
        let before: BTreeMap<String, PlaceSettings> =
            iter_estate_settings_mut_by_path(old).map(|(path, settings)| (path, settings.clone())).collect();
        for (path, settings) in iter_estate_settings_mut_by_path(new) {
            for (component, values) in &mut settings.values {
                for (key, assignment) in values {
                    let value =
                        before.get(&path).and_then(|settings| settings.values.get(component)?.get(key));
                    let changed = value.is_some_and(|value| value.value != assignment.value);
                    self.mask(component, key, assignment, changed);
                }
            }
        }
        self.mask_secrets_in_estate(old);
    }
}

/// Masks the secrets of a node.
pub(super) fn mask_secrets_in_node(node: &mut Node) {
    for component in node.components.values_mut() {
        if component.values.values().any(|value| value.secret) {
            let values = Arc::make_mut(component).values.values_mut();
            for value in values.filter(|value| value.secret) {
                Arc::make_mut(value).value = Arc::new(Value::from(MASK));
            }
        }
    }
}
