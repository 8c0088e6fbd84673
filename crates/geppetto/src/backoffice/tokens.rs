//! API tokens: made, and shown once.

use rand::rngs::OsRng;

use super::{BackOffice, BackOfficeError};
use crate::{
    auth::{AccessLevel, SecretKind, generate_secret},
    store::{AuditContext, NewTokenRow},
};

/// A token just made.
#[derive(Clone)]
pub struct IssuedToken {
    /// To be shown once.
    pub text: String,
    /// Its public part.
    pub id: String,
}

impl BackOffice {
    /// Makes a token of this name and role, good for `days` or for ever.
    pub async fn create_token(
        &self,
        name: &str,
        role: AccessLevel,
        days: Option<u32>,
        actor: &str,
    ) -> Result<IssuedToken, BackOfficeError> {
        let readable = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
        if name.is_empty() || name.len() > 63 || !name.chars().all(readable) {
            return Err(BackOfficeError::Refused(
                "a token's name has 1 to 63 letters, digits and `-_.@+`: it identifies the actor in the audit log"
                    .to_owned(),
            ));
        }
        let now_us = self.clock.now_us();
        let drawn = generate_secret(SecretKind::Token, &mut OsRng);
        let token = NewTokenRow {
            id: &drawn.id,
            name,
            role: role.as_str(),
            hash: &drawn.hash,
            expires_us: days.map(|days| now_us.saturating_add(i64::from(days) * 86_400_000_000)),
        };
        self.store.create_token(&token, &AuditContext { at_us: now_us, actor }).await?;
        Ok(IssuedToken { text: drawn.text, id: drawn.id })
    }

    /// Revokes the token of this name.
    pub async fn revoke_token(&self, name: &str, actor: &str) -> Result<(), BackOfficeError> {
        if self.store.revoke_token(name, &AuditContext { at_us: self.clock.now_us(), actor }).await? {
            return Ok(());
        }
        let tokens = self.store.tokens().await?;
        let good = tokens.iter().filter(|token| token.revoked_us.is_none()).map(|token| token.name.as_str());
        Err(BackOfficeError::unknown("token", name, good, "`geppetto token list` shows them"))
    }
}
