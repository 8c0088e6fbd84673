//! Roles, groups, environments and servers as they are in the newest revision, secrets masked where required.

use std::collections::BTreeMap;

use model::{
    estate::{Estate, PlaceId},
    format::estate::{self, EstateYamlByPath},
    name::{Name, ServerName},
    wire,
};

use super::{
    BackOffice, BackOfficeError, PageRequest, estate_snapshot::parse_place_documents, page::PageSlice,
};
use crate::auth::{AccessLevel, EnvironmentAndComponentScope, Principal, UnscopedPermit, Viewer};

/// The kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceKind {
    /// Roles.
    Role,
    /// Groups.
    Group,
    /// Environments.
    Environment,
    /// Servers.
    Server,
}

impl PlaceKind {
    fn title(self) -> &'static str {
        match self {
            PlaceKind::Role => "role",
            PlaceKind::Group => "group",
            PlaceKind::Environment => "environment",
            PlaceKind::Server => "server",
        }
    }
}

impl BackOffice {
    /// A page of the places of one kind that the principal may see.
    pub(crate) async fn list_places(
        &self,
        permit: &UnscopedPermit<Viewer>,
        kind: PlaceKind,
        page: &PageRequest,
    ) -> Result<wire::RoleGroupOrEnvironmentPage, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let Estate { roles, groups, environments, servers } = &state.estate;
        let principal = permit.principal();
        let PageSlice { items, next } = match kind {
            PlaceKind::Role => {
                page.slice_page(roles.iter().map(|(name, role)| (name.as_str(), &role.description)))
            }
            PlaceKind::Group => {
                page.slice_page(groups.iter().map(|(name, group)| (name.as_str(), &group.description)))
            }
            PlaceKind::Environment => page.slice_page(
                environments
                    .iter()
                    .filter(|(name, _)| principal.can_see_part_of_environment(name))
                    .map(|(name, environment)| (name.as_str(), &environment.description)),
            ),
            PlaceKind::Server => page.slice_page(
                servers
                    .iter()
                    .filter(|(_, server)| principal.can_see_part_of_environment(&server.environment))
                    .map(|(name, server)| (name.as_str(), &server.description)),
            ),
        };
        let summary = |(name, description): (&str, &String)| wire::RoleGroupOrEnvironmentSummary {
            name: name.to_owned(),
            description: description.clone(),
        };
        Ok(wire::RoleGroupOrEnvironmentPage { items: items.into_iter().map(summary).collect(), next })
    }

    /// A page of the servers that the principal may see, with how they are.
    pub(crate) async fn list_servers(
        &self,
        permit: &UnscopedPermit<Viewer>,
        page: &PageRequest,
    ) -> Result<wire::ServerPage, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let visible = state
            .estate
            .servers
            .iter()
            .filter(|(_, server)| permit.principal().can_see_part_of_environment(&server.environment))
            .map(|(name, server)| (name.as_str(), server));
        let PageSlice { items, next } = page.slice_page(visible);
        let (Some((first, _)), Some((last, _))) = (items.first(), items.last()) else {
            return Ok(wire::ServerPage { items: Vec::new(), next });
        };
        let mut states = self.store.read_server_statuses_in_range(first, last).await?;
        let summary = |(name, server): (&str, &model::estate::Server)| {
            let status = states.remove(name).unwrap_or_default();
            wire::ServerSummary {
                name: name.to_owned(),
                description: server.description.clone(),
                environment: server.environment.to_string(),
                roles: server.roles.iter().map(Name::to_string).collect(),
                generation: status.generation,
                reported_generation: status.reported_generation,
                outcome: status.outcome,
                reported_us: status.reported_us,
                unchanged_reports: status.unchanged_reports,
            }
        };
        Ok(wire::ServerPage { items: items.into_iter().map(summary).collect(), next })
    }

    /// The document of a place in the newest revision.
    pub(crate) async fn get_place_document(
        &self,
        permit: &UnscopedPermit<Viewer>,
        place: &PlaceId,
    ) -> Result<wire::PlaceDocument, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let principal = permit.principal();
        let (kind, name, list) = match place {
            PlaceId::Role(name) => {
                (PlaceKind::Role, name.as_str(), "`punch export DIR` writes all there are")
            }
            PlaceId::Group(name) => {
                (PlaceKind::Group, name.as_str(), "`punch export DIR` writes all there are")
            }
            PlaceId::Environment(name) => {
                (PlaceKind::Environment, name.as_str(), "`punch export DIR` writes all there are")
            }
            PlaceId::Server(name) => (PlaceKind::Server, name.as_str(), NO_SERVER),
            PlaceId::Default(name) => {
                return Err(BackOfficeError::Refused(format!("the defaults of {name} are in its package")));
            }
        };
        let path = format!("{}s/{name}.yaml", kind.title());
        let Some(text) = state.documents.get(&path) else {
            let names = visible_names(&state.estate, kind, principal);
            return Err(BackOfficeError::unknown_name_error(kind.title(), name, names, list));
        };
        match place {
            PlaceId::Server(server) => {
                principal.require_view_of_server(server, &state.estate.servers[server].environment)?;
            }
            PlaceId::Environment(name) if !principal.can_see_part_of_environment(name) => {
                permit.require_grant_in_scope(&EnvironmentAndComponentScope::scope_of_environment(name))?;
            }
            _ => {}
        }
        let alone = EstateYamlByPath::from([(path.clone(), text.clone())]);
        let document = self
            .mask_documents_for_principal(principal, &state.estate, alone)
            .await?
            .remove(&path)
            .unwrap_or_default();
        Ok(wire::PlaceDocument { path, revision: state.revision, document })
    }

    /// The documents as the principal may see them: secrets are masked in those of environments, and of places
    /// above them, for which it has no grant of an operator.
    pub(super) async fn mask_documents_for_principal(
        &self,
        principal: &Principal,
        estate: &Estate,
        documents: EstateYamlByPath,
    ) -> Result<EstateYamlByPath, BackOfficeError> {
        let sees_secrets = |path: &str| {
            let environment = match estate::place_of_document_path(path) {
                Ok(PlaceId::Environment(name)) => Some(name),
                Ok(PlaceId::Server(name)) => {
                    estate.servers.get(&name).map(|server| server.environment.clone())
                }
                _ => None,
            };
            principal.can_see_secrets(environment.as_ref())
        };
        let (mut open, hidden): (EstateYamlByPath, EstateYamlByPath) =
            documents.into_iter().partition(|(path, _)| sees_secrets(path));
        if !hidden.is_empty() {
            let mut masked = estate::parse_estate_yaml(&hidden)
                .map_err(|_| BackOfficeError::Broken("a stored document cannot be read back".to_owned()))?;
            self.load_and_store_ever_secret_parameters().await?.mask_secrets_in_estate(&mut masked);
            open.extend(estate::estate_to_yaml_by_path(&masked));
        }
        Ok(open)
    }

    /// The environment of a server in the newest revision; refused where the principal may not see it.
    pub(super) async fn require_visible_environment_of_server(
        &self,
        principal: &Principal,
        server: &ServerName,
    ) -> Result<Name, BackOfficeError> {
        let (_, environment) = self.require_visible_revision_and_environment(principal, server).await?;
        Ok(environment)
    }

    /// The number of the newest revision, and the environment of a server in it; refused where the principal may not see it.
    pub(super) async fn require_visible_revision_and_environment(
        &self,
        principal: &Principal,
        server: &ServerName,
    ) -> Result<(u64, Name), BackOfficeError> {
        let (revision, environment) = self.read_revision_and_environment(server).await?;
        if let Some(environment) = environment {
            principal.require_view_of_server(server, &environment)?;
            return Ok((revision, environment));
        }
        let state = self.cached_or_read_current_estate().await?;
        let names = visible_names(&state.estate, PlaceKind::Server, principal);
        Err(BackOfficeError::unknown_name_error("server", server.as_str(), names, NO_SERVER))
    }

    /// The environment of a server in the newest revision; no other document is read for it.
    pub(super) async fn read_environment_of_server(
        &self,
        server: &ServerName,
    ) -> Result<Option<Name>, BackOfficeError> {
        Ok(self.read_revision_and_environment(server).await?.1)
    }

    async fn read_revision_and_environment(
        &self,
        server: &ServerName,
    ) -> Result<(u64, Option<Name>), BackOfficeError> {
        let may_know = self.cache().may_know_environment(server);
        if may_know {
            let revision = self.store.read_current_revision_number().await?;
            if let Some(state) = self.cache().snapshot_if_cached(revision) {
                let server = state.estate.servers.get(server);
                return Ok((revision, server.map(|server| server.environment.clone())));
            }
            if let Some(environment) = self.cache().cached_environment(server, revision) {
                return Ok((revision, Some(environment)));
            }
        }
        let path = format!("servers/{server}.yaml");
        let (revision, place) = self.store.read_current_place(&path).await?;
        let Some(place) = place else { return Ok((revision, None)) };
        let document = parse_place_documents(revision, BTreeMap::from([(path, place)]))?;
        let environment = document.estate.servers.get(server).map(|server| server.environment.clone());
        if let Some(environment) = &environment {
            self.cache().insert_server_document(server, environment, document);
        }
        Ok((revision, environment))
    }

    /// Refuses a principal that may see nothing of what is stored of a server. A server that left the estate belongs
    /// to no environment; what is stored of it is seen by those who see every environment.
    pub(super) async fn require_view_of_server_history(
        &self,
        principal: &Principal,
        server: &ServerName,
        stored: bool,
    ) -> Result<(), BackOfficeError> {
        let sees_all =
            principal.has_grant_in_scope(AccessLevel::Viewer, &EnvironmentAndComponentScope::EVERYWHERE);
        if stored && sees_all {
            return Ok(());
        }
        self.require_visible_environment_of_server(principal, server).await.map(drop)
    }
}

/// The names of the places of one kind that the principal may see.
fn visible_names<'a>(estate: &'a Estate, kind: PlaceKind, principal: &Principal) -> Vec<&'a str> {
    match kind {
        PlaceKind::Role => estate.roles.keys().map(Name::as_str).collect(),
        PlaceKind::Group => estate.groups.keys().map(Name::as_str).collect(),
        PlaceKind::Environment => {
            let names = estate.environments.keys();
            names.filter(|name| principal.can_see_part_of_environment(name)).map(Name::as_str).collect()
        }
        PlaceKind::Server => estate
            .servers
            .iter()
            .filter(|(_, server)| principal.can_see_part_of_environment(&server.environment))
            .map(|(name, _)| name.as_str())
            .collect(),
    }
}

/// The hint for an unknown server.
const NO_SERVER: &str = "a server is made by importing servers/NAME.yaml (`punch import DIR`), and `punch server list` lists them";
