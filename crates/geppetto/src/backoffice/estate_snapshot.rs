//! The estate as it is stored: texts and origins become an estate again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    estate::{Estate, PlaceId, PlaceSettings},
    format::estate::{self, EstateYamlByPath, SettingRevisionsAndAuthors},
};

use super::{BackOffice, BackOfficeError};
use crate::store::{PlaceTextAndOriginsRow, Store};

/// The estate in one revision.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EstateSnapshot {
    /// The revision; 0 before the first.
    pub(crate) revision: u64,
    /// All its places.
    pub(crate) estate: Estate,
    /// The canonical texts it was read from.
    pub(crate) documents: EstateYamlByPath,
}

impl BackOffice {
    /// The estate in the newest revision. Read from the database once for each revision that others commit.
    pub(super) async fn cached_or_read_current_estate(&self) -> Result<Arc<EstateSnapshot>, BackOfficeError> {
        let revision = self.store.read_current_revision_number().await?;
        if let Some(state) = self.cache().snapshot_if_cached(revision) {
            return Ok(state);
        }
        let state = Arc::new(read_current_estate(&self.store).await?);
        Ok(self.cache().insert_snapshot_and_forget_reached_nodes(state))
    }

    /// The estate in any revision.
    pub(super) async fn read_estate_of_revision(
        &self,
        revision: u64,
    ) -> Result<EstateSnapshot, BackOfficeError> {
        let newest = self.store.read_current_revision_number().await?;
        if revision > newest {
            let there = match newest {
                0 => "nothing was imported yet (`punch import DIR`)".to_owned(),
                newest => format!("the newest is {newest} (`punch revision list`)"),
            };
            return Err(BackOfficeError::Absent(format!("there is no revision `{revision}`; {there}")));
        }
        let places = self.store.read_revision_places(revision).await?;
        parse_place_documents(revision, places)
    }
}

/// The estate in the newest revision, read from the database.
pub(super) async fn read_current_estate(store: &Store) -> Result<EstateSnapshot, BackOfficeError> {
    let (revision, places) = store.read_current_places().await?;
    parse_place_documents(revision, places)
}

/// The estate that stored places are.
pub(super) fn parse_place_documents(
    revision: u64,
    places: BTreeMap<String, PlaceTextAndOriginsRow>,
) -> Result<EstateSnapshot, BackOfficeError> {
    let documents: EstateYamlByPath =
        places.iter().map(|(path, place)| (path.clone(), place.text.clone())).collect();
    let broken = |why: String| {
        BackOfficeError::Broken(format!(
            "revision {revision} cannot be read back by this version of geppetto: {why}"
        ))
    };
    let mut estate = estate::parse_estate_yaml(&documents)
        .map_err(|errors| broken(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    for (path, settings) in iter_estate_settings_mut_by_path(&mut estate) {
        let Some(place) = places.get(&path) else { continue };
        let origins: SettingRevisionsAndAuthors =
            serde_json::from_str(&place.origins).map_err(|error| broken(format!("{path}: {error}")))?;
        origins.restore_to_place_settings(settings);
    }
    Ok(EstateSnapshot { revision, estate, documents })
}

/// The stored origins of every place's settings, by path.
pub(super) fn setting_origins_json_by_document_path(estate: &mut Estate) -> BTreeMap<String, String> {
    iter_estate_settings_mut_by_path(estate)
        // Maps of texts and numbers always have a JSON form.
        .map(|(path, settings)| {
            (
                path,
                serde_json::to_string(&SettingRevisionsAndAuthors::from_place_settings(settings))
                    .unwrap_or_default(),
            )
        })
        .collect()
}

/// The places of an estate whose files have these paths.
pub(super) fn select_places_by_path(estate: &Estate, paths: &BTreeSet<&str>) -> Estate {
    let mut part = Estate::default();
    for place in paths.iter().filter_map(|path| estate::place_of_document_path(path).ok()) {
        match place {
            PlaceId::Role(name) => part.roles.extend(one(&estate.roles, &name)),
            PlaceId::Group(name) => part.groups.extend(one(&estate.groups, &name)),
            PlaceId::Environment(name) => part.environments.extend(one(&estate.environments, &name)),
            PlaceId::Server(name) => part.servers.extend(one(&estate.servers, &name)),
            PlaceId::Default(_) => {}
        }
    }
    part
}

fn one<K: Ord + Clone, V: Clone>(map: &BTreeMap<K, V>, key: &K) -> Option<(K, V)> {
    map.get_key_value(key).map(|(key, value)| (key.clone(), value.clone()))
}

/// Adds the places of `part` to an estate, over those of the same name.
pub(super) fn add_or_replace_places(estate: &mut Estate, part: Estate) {
    estate.roles.extend(part.roles);
    estate.groups.extend(part.groups);
    estate.environments.extend(part.environments);
    estate.servers.extend(part.servers);
}

/// Removes the place whose file has this path.
pub(super) fn remove_place_by_path(estate: &mut Estate, path: &str) {
    match estate::place_of_document_path(path) {
        Ok(PlaceId::Role(name)) => _ = estate.roles.remove(&name),
        Ok(PlaceId::Group(name)) => _ = estate.groups.remove(&name),
        Ok(PlaceId::Environment(name)) => _ = estate.environments.remove(&name),
        Ok(PlaceId::Server(name)) => _ = estate.servers.remove(&name),
        Ok(PlaceId::Default(_)) | Err(_) => {}
    }
}

/// The settings of all places of an estate, by path.
pub(super) fn iter_estate_settings_mut_by_path(
    estate: &mut Estate,
) -> impl Iterator<Item = (String, &mut PlaceSettings)> {
    let Estate { roles, groups, environments, servers } = estate;
    let roles = roles.iter_mut().map(|(name, role)| (format!("roles/{name}.yaml"), &mut role.settings));
    let groups = groups.iter_mut().map(|(name, group)| (format!("groups/{name}.yaml"), &mut group.settings));
    let environments = environments
        .iter_mut()
        .map(|(name, environment)| (format!("environments/{name}.yaml"), &mut environment.settings));
    let servers =
        servers.iter_mut().map(|(name, server)| (format!("servers/{name}.yaml"), &mut server.settings));
    roles.chain(groups).chain(environments).chain(servers)
}
