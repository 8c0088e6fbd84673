//! API tokens: generated, and shown once.

use model::wire;
use rand::rngs::OsRng;

use super::{BackOffice, BackOfficeError, access};
use crate::{
    auth::{Admin, BearerSecretKind, Grant, UnscopedPermit, generate_bearer_secret},
    store::NewTokenRow,
};

/// The most grants a token can have.
const MAX_GRANTS: usize = 100;
/// A day, in microseconds.
const DAY_US: i64 = 86_400_000_000;

impl BackOffice {
    /// Creates a token with these grants, good for `days` or for ever.
    pub(crate) async fn create_token(
        &self,
        permit: &UnscopedPermit<Admin>,
        request: &wire::TokenRequest,
        control_plane: &wire::ControlPlaneAddress,
    ) -> Result<wire::IssuedToken, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let wire::TokenRequest { name, grants, days } = request;
        let readable = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
        if name.is_empty() || name.len() > 63 || !name.chars().all(readable) {
            return Err(BackOfficeError::Refused(
                "a token's name has 1 to 63 letters, digits and `-_.@+`: it identifies the actor in the audit log"
                    .to_owned(),
            ));
        }
        if grants.is_empty() || grants.len() > MAX_GRANTS {
            return Err(BackOfficeError::Refused(format!(
                "a token has 1 to {MAX_GRANTS} grants, not {}: `viewer` is the least",
                grants.len()
            )));
        }
        let grants: Vec<Grant> =
            grants.iter().map(|grant| grant.parse()).collect::<Result<_, _>>().map_err(
                |error: crate::auth::InvalidGrantText| BackOfficeError::Refused(error.to_string()),
            )?;
        let now_us = self.clock.now_us();
        let generated = generate_bearer_secret(BearerSecretKind::Token, &mut OsRng);
        let rows: Vec<_> = grants.iter().map(access::grant_to_row).collect();
        let expires_us = days.map(|days| now_us.saturating_add(i64::from(days).saturating_mul(DAY_US)));
        let token = NewTokenRow { id: &generated.id, name, grants: &rows, hash: &generated.hash, expires_us };
        self.store.insert_token_and_grants(&token, &self.audit_context(&permit.audit_actor())).await?;
        let grants = grants.iter().map(Grant::to_string).collect();
        Ok(wire::IssuedToken {
            token: generated.text,
            id: generated.id,
            name: name.clone(),
            grants,
            expires_us,
            control_plane: control_plane.clone(),
        })
    }

    /// All tokens ever made, newest first.
    pub(crate) async fn list_all_tokens(
        &self,
        permit: &UnscopedPermit<Admin>,
    ) -> Result<wire::TokenList, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let now_us = self.clock.now_us();
        let mut items = Vec::new();
        for token in self.store.read_all_tokens().await? {
            let state = match (token.revoked_us, token.expires_us) {
                (Some(_), _) => "revoked",
                (None, Some(expires_us)) if expires_us <= now_us => "expired",
                (None, _) => "valid",
            };
            items.push(wire::TokenSummary {
                id: token.id,
                name: token.name,
                grants: token.grants.iter().map(access::grant_text_from_row).collect::<Result<_, _>>()?,
                state: state.to_owned(),
                created_us: token.created_us,
                created_by: token.created_by,
                expires_us: token.expires_us,
            });
        }
        Ok(wire::TokenList { items })
    }

    /// Revokes the token of this name.
    pub(crate) async fn revoke_token(
        &self,
        permit: &UnscopedPermit<Admin>,
        name: &str,
    ) -> Result<(), BackOfficeError> {
        permit.require_grant_everywhere()?;
        if self.store.revoke_token(name, &self.audit_context(&permit.audit_actor())).await? {
            return Ok(());
        }
        let tokens = self.store.read_all_tokens().await?;
        if tokens.iter().any(|token| token.name == name && token.revoked_us.is_some()) {
            let again = format!("the token `{name}` is revoked already; `punch token list` shows it");
            return Err(BackOfficeError::Absent(again));
        }
        let valid = tokens.iter().filter(|token| token.revoked_us.is_none()).map(|token| token.name.as_str());
        Err(BackOfficeError::unknown_name_error("token", name, valid, "`punch token list` lists them"))
    }
}
