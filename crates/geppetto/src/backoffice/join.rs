//! How a server joins: an operator makes a one-time token for it, the server shows it and gets a credential.

use model::{name::ServerName, wire};
use rand::rngs::OsRng;

use super::{BackOffice, BackOfficeError, keys};
use crate::{
    auth::{PresentedSecret, SecretKind, constant_time_eq, generate_secret},
    store::{AuditContext, JoinTokenRow},
};

/// The longest a join token may be good for: thirty days.
const LONGEST_SECONDS: u32 = 30 * 86_400;

impl BackOffice {
    /// Makes a token `server` can join with, once.
    pub async fn create_join_token(
        &self,
        server: &ServerName,
        seconds: u32,
        actor: &str,
    ) -> Result<wire::IssuedJoinToken, BackOfficeError> {
        if seconds == 0 || seconds > LONGEST_SECONDS {
            return Err(BackOfficeError::Refused(format!(
                "a join token can be good for 1 to {LONGEST_SECONDS} seconds, not {seconds}"
            )));
        }
        self.require_known_server(server).await?;
        let now_us = self.clock.now_us();
        let expires_us = now_us.saturating_add(i64::from(seconds) * 1_000_000);
        let drawn = generate_secret(SecretKind::Join, &mut OsRng);
        let token = JoinTokenRow { id: &drawn.id, server: server.as_str(), hash: &drawn.hash, expires_us };
        self.store.create_join_token(&token, &AuditContext { at_us: now_us, actor }).await?;
        Ok(wire::IssuedJoinToken { token: drawn.text, server: server.to_string(), expires_us })
    }

    /// Gives the server its credential, if the token is good; `None` if it is not.
    ///
    /// The answer does not say why a token is refused, so that it reveals nothing about valid tokens.
    pub async fn join(
        &self,
        join: &wire::JoinRequest,
    ) -> Result<Option<wire::JoinResponse>, BackOfficeError> {
        let Some(shown) = PresentedSecret::parse(&join.token) else { return Ok(None) };
        let now_us = self.clock.now_us();
        let Some(hash) = self.store.join_token(&shown.id, &join.server, now_us).await? else {
            return Ok(None);
        };
        if shown.kind != SecretKind::Join || !constant_time_eq(&hash, &shown.hash) {
            return Ok(None);
        }
        let credential = generate_secret(SecretKind::Server, &mut OsRng);
        let actor = format!("server {}", join.server);
        let deed = AuditContext { at_us: now_us, actor: &actor };
        if !self.store.join(&shown.id, &join.server, &credential.id, &credential.hash, &deed).await? {
            return Ok(None);
        }
        Ok(Some(wire::JoinResponse {
            server: join.server.clone(),
            credential: credential.text,
            node_key: keys::public_text(&self.node_key),
            package_keys: self.package_keys().await?,
        }))
    }

    /// Revokes what a server shows, and the join tokens made for it; `false` if it had nothing to show.
    pub async fn revoke_server(&self, server: &ServerName, actor: &str) -> Result<bool, BackOfficeError> {
        let deed = AuditContext { at_us: self.clock.now_us(), actor };
        let revoked = self.store.revoke_credential(server.as_str(), &deed).await?;
        if !revoked {
            self.require_known_server(server).await?;
        }
        Ok(revoked)
    }

    /// Refuses a server that is not in the newest revision.
    pub async fn require_known_server(&self, server: &ServerName) -> Result<(), BackOfficeError> {
        let state = self.current_estate().await?;
        if state.estate.servers.contains_key(server) {
            return Ok(());
        }
        let names = state.estate.servers.keys().map(ServerName::as_str);
        Err(BackOfficeError::unknown("server", server.as_str(), names, NO_SERVER))
    }
}

/// The hint for an unknown server.
pub(super) const NO_SERVER: &str = "servers are made by importing servers/NAME.yaml (`geppetto import DIR`), and \
                             `GET /api/v1/servers` lists them";
