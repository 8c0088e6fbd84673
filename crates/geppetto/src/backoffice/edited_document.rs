//! The document of a place as pages show it and a person edits it: secrets are masks, which stand for what is stored.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    estate::{Estate, PlaceId, PlaceSettings, VersionRangeWithRevisionAndAuthor},
    format::estate::{self, EstateYamlByPath},
    name::Name,
    value::Value,
    version::VersionRange,
    wire::{EstateChangeResult, PlaceDocument},
};

use super::{
    BackOffice, BackOfficeError, EstateChangeSubmission, SubmittedEstate,
    estate_snapshot::iter_estate_settings_mut_by_path, mask,
};
use crate::auth::{Operator, UnscopedPermit, Viewer};

/// A document to be edited.
#[derive(Debug, Clone)]
pub(crate) struct DocumentToEdit {
    /// `roles/web.yaml`
    pub(crate) path: String,
    /// The revision it is of.
    pub(crate) revision: u64,
    /// Its text, with masks for secrets; empty when there is no such place yet.
    pub(crate) text: String,
    /// Whether the place is there.
    pub(crate) exists: bool,
}

/// What becomes of a document.
#[derive(Debug, Clone)]
pub(crate) struct EditedDocument {
    /// `roles/web.yaml`
    pub(crate) path: String,
    /// The new text; `None` removes the place.
    pub(crate) text: Option<String>,
    /// The revision that was edited.
    pub(crate) base: u64,
    /// Why.
    pub(crate) message: String,
}

/// The path of a place's document.
pub(crate) fn document_path(place: &PlaceId) -> Option<String> {
    match place {
        PlaceId::Role(name) => Some(format!("roles/{name}.yaml")),
        PlaceId::Group(name) => Some(format!("groups/{name}.yaml")),
        PlaceId::Environment(name) => Some(format!("environments/{name}.yaml")),
        PlaceId::Server(name) => Some(format!("servers/{name}.yaml")),
        PlaceId::Default(_) => None,
    }
}

impl BackOffice {
    /// The document of a place in the newest revision, with masks for all secrets, also for those who may see them.
    pub(crate) async fn read_document_to_edit(
        &self,
        permit: &UnscopedPermit<Operator>,
        place: &PlaceId,
    ) -> Result<DocumentToEdit, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let path = document_path(place).ok_or_else(|| {
            BackOfficeError::Refused("the defaults of a component are in its package".to_owned())
        })?;
        if let PlaceId::Server(server) = place
            && let Some(known) = state.estate.servers.get(server)
        {
            permit.principal().require_view_of_server(server, &known.environment)?;
        }
        if let PlaceId::Environment(name) = place
            && state.estate.environments.contains_key(name)
            && !permit.principal().can_see_part_of_environment(name)
        {
            let scope = crate::auth::EnvironmentAndComponentScope::scope_of_environment(name);
            permit.require_grant_in_scope(&scope)?;
        }
        let Some(text) = state.documents.get(&path) else {
            return Ok(DocumentToEdit { path, revision: state.revision, text: String::new(), exists: false });
        };
        let text = self.with_masked_secrets(&path, text).await?;
        Ok(DocumentToEdit { path, revision: state.revision, text, exists: true })
    }

    /// The document of a place in the newest revision as pages show it: with masks for all secrets, also for those who may
    /// see them.
    pub(crate) async fn get_place_document_with_masked_secrets(
        &self,
        permit: &UnscopedPermit<Viewer>,
        place: &PlaceId,
    ) -> Result<PlaceDocument, BackOfficeError> {
        let mut document = self.get_place_document(permit, place).await?;
        document.document = self.with_masked_secrets(&document.path, &document.document).await?;
        Ok(document)
    }

    async fn with_masked_secrets(&self, path: &str, text: &str) -> Result<String, BackOfficeError> {
        let mut alone = parse_one(path, text)?;
        self.load_and_store_ever_secret_parameters().await?.mask_secrets_in_estate(&mut alone);
        Ok(estate::estate_to_yaml_by_path(&alone).remove(path).unwrap_or_default())
    }

    /// Previews or commits an edited document. Where a mask was left, what is stored stays.
    pub(crate) async fn commit_or_preview_edited_document(
        &self,
        permit: &UnscopedPermit<Operator>,
        edited: EditedDocument,
        preview: bool,
    ) -> Result<EstateChangeResult, BackOfficeError> {
        let EditedDocument { path, text, base, message } = edited;
        let text = match text {
            Some(text) => Some(self.with_stored_secrets(&path, text).await?),
            None => None,
        };
        let proposed = SubmittedEstate::Some(BTreeMap::from([(path, text)]));
        let submission = EstateChangeSubmission { proposed, message, preview, base: Some(base), diffs: true };
        self.commit_or_preview_change(permit, submission).await
    }

    /// The text with what is stored in the place of masks. One with faults stays as it is: whoever reads it finds them.
    async fn with_stored_secrets(&self, path: &str, text: String) -> Result<String, BackOfficeError> {
        let Ok(mut edited) = parse_one(path, &text) else { return Ok(text) };
        let state = self.cached_or_read_current_estate().await?;
        let mut stored = match state.documents.get(path) {
            Some(text) => parse_one(path, text)?,
            None => Estate::default(),
        };
        let stored: Option<PlaceSettings> =
            iter_estate_settings_mut_by_path(&mut stored).next().map(|(_, settings)| settings.clone());
        let mut replaced = false;
        for (_, settings) in iter_estate_settings_mut_by_path(&mut edited) {
            for (component, values) in &mut settings.values {
                for (key, assignment) in values {
                    if !matches!(&*assignment.value, Value::Text(text) if mask::is_mask_of_stored_value(text))
                    {
                        continue;
                    }
                    let kept = stored.as_ref().and_then(|stored| stored.values.get(component)?.get(key));
                    let Some(kept) = kept else {
                        return Err(BackOfficeError::Refused(format!(
                            "values: {component}: {key}: a mask stands for a value that is stored here, and none is; \
                             write the value"
                        )));
                    };
                    assignment.value = Arc::clone(&kept.value);
                    replaced = true;
                }
            }
        }
        match replaced {
            true => Ok(estate::estate_to_yaml_by_path(&edited).remove(path).unwrap_or(text)),
            false => Ok(text),
        }
    }
}

/// The document with one more component that it requires; one that is required already gets this range.
pub(crate) fn with_required_component(
    path: &str,
    text: &str,
    component: &Name,
    range: &VersionRange,
) -> Result<String, BackOfficeError> {
    let mut estate = parse_one(path, text)?;
    for (_, settings) in iter_estate_settings_mut_by_path(&mut estate) {
        let wanted = VersionRangeWithRevisionAndAuthor { range: range.clone(), origin: None };
        settings.components.insert(component.clone(), wanted);
    }
    Ok(estate::estate_to_yaml_by_path(&estate).remove(path).unwrap_or_default())
}

fn parse_one(path: &str, text: &str) -> Result<Estate, BackOfficeError> {
    let alone = EstateYamlByPath::from([(path.to_owned(), text.to_owned())]);
    estate::parse_estate_yaml(&alone)
        .map_err(|errors| BackOfficeError::Invalid(errors.into_iter().map(Into::into).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_that_is_added_is_required_and_what_was_there_stays() {
        let text = "format: geppetto/role/1\ndescription: Shops\ncomponents:\n  mail: '>=1'\nvalues:\n  mail:\n    port: 25\n";
        let shop = Name::new("shop").unwrap();
        let added = with_required_component("roles/web.yaml", text, &shop, &">=2".parse().unwrap()).unwrap();
        for part in ["mail:", "shop:", "port: 25", "description: Shops"] {
            assert!(added.contains(part), "{part} in\n{added}");
        }
        let changed =
            with_required_component("roles/web.yaml", &added, &shop, &"3.0.0".parse().unwrap()).unwrap();
        assert!(changed.contains("3.0.0") && !changed.contains(">=2"), "{changed}");
        with_required_component("roles/web.yaml", "components: [", &shop, &"*".parse().unwrap()).unwrap_err();
    }
}
