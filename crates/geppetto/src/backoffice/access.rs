//! Authentication: the principal of a secret, and what a principal may hear of.

use model::{
    name::{Name, ServerName},
    wire::{self, ControlPlaneEvent},
};

use super::{BackOffice, BackOfficeError};
use crate::{
    auth::{
        AccessLevel, BearerSecretKind, EnvironmentAndComponentScope, Grant, PresentedBearerSecret, Principal,
    },
    store::{GrantRow, StoreError},
};

impl BackOffice {
    /// The principal of a secret; `None` when it is unknown, expired or revoked.
    pub(crate) async fn authenticate_bearer_secret(
        &self,
        secret: &str,
    ) -> Result<Option<Principal>, BackOfficeError> {
        let Some(presented) = PresentedBearerSecret::parse_presented_secret(secret) else { return Ok(None) };
        match presented.kind {
            BearerSecretKind::Token => {
                let token = self.store.read_valid_token_by_id(&presented.id, self.clock.now_us()).await?;
                let Some(token) = token.filter(|token| presented.matches_hash(&token.hash)) else {
                    return Ok(None);
                };
                let grants = token.grants.iter().map(read_grant).collect::<Result<_, _>>()?;
                Ok(Some(Principal::Token { name: token.name, grants }))
            }
            BearerSecretKind::Server => {
                let credential = self.store.read_unrevoked_credential_by_id(&presented.id).await?;
                let Some((server, _)) = credential.filter(|(_, hash)| presented.matches_hash(hash)) else {
                    return Ok(None);
                };
                let server = ServerName::new(&server)
                    .map_err(|_| StoreError::Corrupt(format!("the server name `{server}`")))?;
                Ok(Some(Principal::Server(server)))
            }
            // A join token is good for joining only, which takes it in the body; the others are those of pages.
            BearerSecretKind::Join | BearerSecretKind::Session | BearerSecretKind::PasswordLink => Ok(None),
        }
    }

    /// Whether the server is in the newest revision.
    pub(crate) async fn has_server(&self, server: &ServerName) -> Result<bool, BackOfficeError> {
        Ok(self.read_environment_of_server(server).await?.is_some())
    }

    /// Who the principal is and what it may do.
    pub(crate) fn whoami(&self, principal: &Principal) -> wire::PrincipalInfo {
        let kind = match principal {
            Principal::LocalAdministrator { .. } => "local administrator",
            Principal::ControlPlane { .. } => "control plane",
            Principal::User { .. } => "user",
            Principal::Token { .. } => "token",
            Principal::Server(_) => "server",
        };
        wire::PrincipalInfo {
            kind: kind.to_owned(),
            name: principal.audit_actor(),
            grants: principal.grants().iter().map(Grant::to_string).collect(),
        }
    }

    /// Whether a principal may hear of this event, by what it may see.
    pub(crate) async fn can_receive_event(
        &self,
        principal: &Principal,
        event: &ControlPlaneEvent,
    ) -> Result<bool, BackOfficeError> {
        let everywhere =
            |level| principal.has_grant_in_scope(level, &EnvironmentAndComponentScope::EVERYWHERE);
        Ok(match event {
            ControlPlaneEvent::NodeGenerated { server, .. }
            | ControlPlaneEvent::ServerReported { server, .. } => {
                let Ok(server) = ServerName::new(server) else { return Ok(false) };
                let state = self.cached_or_read_current_estate().await?;
                let environment = state.estate.servers.get(&server).map(|server| &server.environment);
                match environment {
                    Some(environment) => principal.require_view_of_server(&server, environment).is_ok(),
                    None => everywhere(AccessLevel::Viewer),
                }
            }
            ControlPlaneEvent::RevisionCommitted { .. } | ControlPlaneEvent::ChannelChanged { .. } => {
                !principal.grants().is_empty()
            }
            ControlPlaneEvent::JobChanged { .. } => everywhere(AccessLevel::Viewer),
            // For the control planes, which look again at who listens.
            ControlPlaneEvent::AccessChanged {} => false,
            ControlPlaneEvent::Resynchronize {} => true,
        })
    }
}

pub(super) fn read_grant(row: &GrantRow) -> Result<Grant, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("the grant {row:?}"));
    let named = |column: &Option<String>| column.as_deref().map(Name::new).transpose().map_err(|_| corrupt());
    Ok(Grant {
        level: row.access_level.parse().map_err(|_| corrupt())?,
        environment: named(&row.environment)?,
        component: named(&row.component)?,
    })
}

/// The row of a grant.
pub(super) fn grant_to_row(grant: &Grant) -> GrantRow {
    GrantRow {
        access_level: grant.level.to_string(),
        environment: grant.environment.as_ref().map(Name::to_string),
        component: grant.component.as_ref().map(Name::to_string),
    }
}

/// The text of a grant that is stored.
pub(super) fn grant_text_from_row(row: &GrantRow) -> Result<String, StoreError> {
    Ok(read_grant(row)?.to_string())
}
