//! The part of the estate that one server is made of, read without the rest of it.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    catalog::ComponentCatalog,
    estate::PlaceId,
    format::estate::document_path_of_place,
    name::{Name, ServerName},
    resolve::{Resolution, Resolver},
};

use super::{
    BackOffice, BackOfficeError, EstateSnapshot,
    estate_snapshot::{add_or_replace_places, parse_place_documents},
};
use crate::store::StoreError;

/// A server with more places than this is resolved in the whole estate, which is read at once.
const MAX_PLACES: usize = 200;

impl BackOffice {
    /// Resolves a server in its part of the estate, if the whole estate is not known yet. `None` if it cannot be done
    /// so: something is wrong with the server, it reads values of others, or the estate changes meanwhile.
    pub(super) async fn try_resolve_without_whole_estate(
        &self,
        server: &ServerName,
        revision: u64,
        catalog: &Arc<ComponentCatalog>,
    ) -> Result<Option<(u64, Resolution)>, BackOfficeError> {
        if self.cache().snapshot_if_cached(revision).is_some() {
            return Ok(None);
        }
        let Some(part) = self.places_of_server(server, revision).await? else { return Ok(None) };
        let (catalog, name, revision) = (Arc::clone(catalog), server.clone(), part.revision);
        let resolve = move || Resolver::new(&part.estate, &catalog).resolve_server(&name);
        let resolved = tokio::task::spawn_blocking(resolve)
            .await
            .map_err(|error| BackOfficeError::Broken(format!("{server} could not be resolved: {error}")))?;
        Ok(resolved
            .ok()
            .filter(|resolution| resolution.reads.selections.is_empty())
            .map(|one| (revision, one)))
    }

    /// Reads the places that servers share, so that the first requests find them in memory. What is wrong with them is told
    /// to whoever asks.
    pub(crate) async fn preload_shared_places(&self) {
        let Ok((revision, documents)) = self.store.read_current_places_but_servers().await else { return };
        let parse = move || parse_place_documents(revision, documents);
        if let Ok(Ok(places)) = tokio::task::spawn_blocking(parse).await {
            self.cache().insert_shared_places(Arc::new(places));
        }
    }

    /// The server with its environment, its groups and all its roles, of one revision: `newest` or one that was committed
    /// since.
    async fn places_of_server(
        &self,
        server: &ServerName,
        newest: u64,
    ) -> Result<Option<EstateSnapshot>, BackOfficeError> {
        let known = {
            let cache = self.cache();
            cache.server_document_if_read_last(server, newest).zip(cache.shared_places_if_cached(newest))
        };
        if let Some((server, shared)) = known {
            return Ok(add_shared_places_of_servers(EstateSnapshot::clone(&server), &shared));
        }
        let mut part: Option<EstateSnapshot> = None;
        let mut places = vec![PlaceId::Server(server.clone())];
        loop {
            let known = |path: &String| part.as_ref().is_some_and(|part| part.documents.contains_key(path));
            let paths: BTreeSet<String> =
                places.drain(..).filter_map(|place| document_path_of_place(&place)).collect();
            let paths: Vec<String> = paths.into_iter().filter(|path| !known(path)).collect();
            if paths.is_empty() {
                return Ok(part);
            }
            let (revision, documents) = match self.store.read_current_places_at_paths(&paths).await {
                Err(StoreError::Overtaken { .. }) => return Ok(None),
                read => read?,
            };
            if documents.len() < paths.len() {
                return Ok(None);
            }
            let read = parse_place_documents(revision, documents)?;
            if part.is_none()
                && let Some(shared) = self.cache().shared_places_if_cached(revision)
            {
                return Ok(add_shared_places_of_servers(read, &shared));
            }
            for server in read.estate.servers.values() {
                places.push(PlaceId::Environment(server.environment.clone()));
                places.extend(server.groups.iter().cloned().map(PlaceId::Group));
                places.extend(server.roles.iter().cloned().map(PlaceId::Role));
            }
            let roles = read.estate.roles.values();
            places.extend(roles.flat_map(|role| &role.inherits).cloned().map(PlaceId::Role));
            match &mut part {
                Some(part) if part.revision != revision || part.documents.len() >= MAX_PLACES => {
                    return Ok(None);
                }
                Some(part) => {
                    add_or_replace_places(&mut part.estate, read.estate);
                    part.documents.extend(read.documents);
                }
                None => part = Some(read),
            }
        }
    }
}

/// Adds the environment, the groups and the roles of the servers in `part`; `None` if one is not there.
fn add_shared_places_of_servers(mut part: EstateSnapshot, shared: &EstateSnapshot) -> Option<EstateSnapshot> {
    let mut roles: Vec<Name> = Vec::new();
    for server in part.estate.servers.values() {
        let environment = shared.estate.environments.get_key_value(&server.environment)?;
        part.estate.environments.insert(environment.0.clone(), environment.1.clone());
        for group in &server.groups {
            let (name, group) = shared.estate.groups.get_key_value(group)?;
            part.estate.groups.insert(name.clone(), group.clone());
        }
        roles.extend(server.roles.iter().cloned());
    }
    while let Some(name) = roles.pop() {
        if part.estate.roles.contains_key(&name) {
            continue;
        }
        let role = shared.estate.roles.get(&name)?;
        roles.extend(role.inherits.iter().cloned());
        part.estate.roles.insert(name, role.clone());
    }
    Some(part)
}
