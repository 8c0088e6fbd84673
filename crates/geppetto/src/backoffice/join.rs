//! How a server joins: an operator makes a one-time token for it, the server shows it and gets a credential.

use model::{
    estate::Server,
    name::{Name, ServerName},
    wire,
};
use rand::rngs::OsRng;

use super::{BackOffice, BackOfficeError, keys};
use crate::{
    auth::{
        BearerSecretKind, EnvironmentAndComponentScope, Operator, PresentedBearerSecret, UnscopedPermit,
        generate_bearer_secret,
    },
    store::NewJoinTokenRow,
};

/// The longest a join token may be good for: thirty days.
const LONGEST_SECONDS: u32 = 30 * 86_400;

impl BackOffice {
    /// Makes a token `server` can join with, once.
    pub(crate) async fn create_join_token(
        &self,
        permit: &UnscopedPermit<Operator>,
        server: &ServerName,
        seconds: u32,
        control_plane: &wire::ControlPlaneAddress,
    ) -> Result<wire::IssuedJoinToken, BackOfficeError> {
        let environment = self.require_visible_environment_of_server(permit.principal(), server).await?;
        permit.require_grant_in_scope(&EnvironmentAndComponentScope::scope_of_environment(&environment))?;
        if seconds == 0 || seconds > LONGEST_SECONDS {
            return Err(BackOfficeError::Refused(format!(
                "a join token can be good for 1 to {LONGEST_SECONDS} seconds, not {seconds}"
            )));
        }
        let now_us = self.clock.now_us();
        let expires_us = now_us.saturating_add(i64::from(seconds) * 1_000_000);
        let generated = generate_bearer_secret(BearerSecretKind::Join, &mut OsRng);
        let token =
            NewJoinTokenRow { id: &generated.id, server: server.as_str(), hash: &generated.hash, expires_us };
        self.store.insert_join_token(&token, &self.audit_context(&permit.audit_actor())).await?;
        Ok(wire::IssuedJoinToken {
            token: generated.text,
            server: server.to_string(),
            expires_us,
            control_plane: control_plane.clone(),
        })
    }

    /// Gives the server its credential, if the token is good; `None` if it is not.
    ///
    /// The answer does not say why a token is refused, so that it reveals nothing about valid tokens.
    pub(crate) async fn exchange_join_token_for_credential(
        &self,
        join: &wire::JoinRequest,
    ) -> Result<Option<wire::JoinResponse>, BackOfficeError> {
        let Some(presented) = PresentedBearerSecret::parse_presented_secret(&join.token) else {
            return Ok(None);
        };
        let now_us = self.clock.now_us();
        let Some(hash) = self.store.read_usable_join_token_hash(&presented.id, &join.server, now_us).await?
        else {
            return Ok(None);
        };
        if presented.kind != BearerSecretKind::Join || !presented.matches_hash(&hash) {
            return Ok(None);
        }
        let credential = generate_bearer_secret(BearerSecretKind::Server, &mut OsRng);
        let actor = format!("server {}", join.server);
        let context = self.audit_context(&actor);
        if !self
            .store
            .replace_credential_by_join_token(
                &presented.id,
                &join.server,
                &credential.id,
                &credential.hash,
                &context,
            )
            .await?
        {
            return Ok(None);
        }
        Ok(Some(wire::JoinResponse {
            server: join.server.clone(),
            credential: credential.text,
            node_key: keys::public_key_base64(&self.node_key),
            package_keys: self.read_trusted_keys_armored().await?,
        }))
    }

    /// What revoking the credential of a server takes away.
    pub(crate) async fn get_server_credential_status(
        &self,
        permit: &UnscopedPermit<Operator>,
        server: &ServerName,
    ) -> Result<wire::ServerCredentialStatus, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let found = state.estate.servers.get(server);
        self.require_revocation_grant(permit, found)?;
        let credential = self.store.read_credential_status(server.as_str(), self.clock.now_us()).await?;
        if found.is_none() && credential.joined_us.is_none() {
            self.require_visible_environment_of_server(permit.principal(), server).await?;
        }
        let name = server.as_str();
        let status =
            self.store.read_server_statuses_in_range(name, name).await?.remove(name).unwrap_or_default();
        let roles = found.iter().flat_map(|server| &server.roles).map(Name::to_string).collect();
        Ok(wire::ServerCredentialStatus {
            server: server.to_string(),
            environment: found.map(|server| server.environment.to_string()),
            roles,
            joined_us: credential.joined_us,
            usable_join_tokens: credential.usable_join_tokens,
            reported_us: status.reported_us,
            outcome: status.outcome,
            reported_generation: status.reported_generation,
        })
    }

    /// Checks that the principal may revoke the credential of a server of the estate, or of one that left it.
    fn require_revocation_grant(
        &self,
        permit: &UnscopedPermit<Operator>,
        server: Option<&Server>,
    ) -> Result<(), BackOfficeError> {
        match server {
            Some(found) => permit.require_grant_in_scope(
                &EnvironmentAndComponentScope::scope_of_environment(&found.environment),
            )?,
            // A server that left the estate belongs to no environment.
            None => permit.require_grant_everywhere()?,
        }
        Ok(())
    }

    /// Revokes a server's credential and the join tokens made for it; `false` if it had no credential.
    pub(crate) async fn revoke_server_credential_and_join_tokens(
        &self,
        permit: &UnscopedPermit<Operator>,
        server: &ServerName,
    ) -> Result<bool, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        self.require_revocation_grant(permit, state.estate.servers.get(server))?;
        let revoked = self
            .store
            .revoke_server_credential_and_join_tokens(
                server.as_str(),
                &self.audit_context(&permit.audit_actor()),
            )
            .await?;
        if !revoked {
            self.require_visible_environment_of_server(permit.principal(), server).await?;
        }
        Ok(revoked)
    }
}
