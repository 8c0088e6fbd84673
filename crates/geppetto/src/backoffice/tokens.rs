//! API tokens: made, and shown once.

use rand::rngs::OsRng;

use super::{Office, OfficeError};
use crate::{
    auth::{Role, SecretKind, draw},
    store::{Deed, NewToken},
};

/// A token just made.
#[derive(Clone)]
pub struct Issued {
    /// To be shown once.
    pub text: String,
    /// Its public part.
    pub id: String,
}

impl Office {
    /// Makes a token of this name and role, good for `days` or for ever.
    pub async fn create_token(
        &self,
        name: &str,
        role: Role,
        days: Option<u32>,
        actor: &str,
    ) -> Result<Issued, OfficeError> {
        let readable = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
        if name.is_empty() || name.len() > 63 || !name.chars().all(readable) {
            return Err(OfficeError::Refused(
                "a token's name has 1 to 63 letters, digits and `-_.@+`: it says in the audit log who did what"
                    .to_owned(),
            ));
        }
        let now_us = self.clock.now_us();
        let drawn = draw(SecretKind::Token, &mut OsRng);
        let token = NewToken {
            id: &drawn.id,
            name,
            role: role.as_str(),
            hash: &drawn.hash,
            expires_us: days.map(|days| now_us.saturating_add(i64::from(days) * 86_400_000_000)),
        };
        self.store.create_token(&token, &Deed { at_us: now_us, actor }).await?;
        Ok(Issued { text: drawn.text, id: drawn.id })
    }

    /// Revokes the token of this name.
    pub async fn revoke_token(&self, name: &str, actor: &str) -> Result<(), OfficeError> {
        if self.store.revoke_token(name, &Deed { at_us: self.clock.now_us(), actor }).await? {
            return Ok(());
        }
        let tokens = self.store.tokens().await?;
        let good = tokens.iter().filter(|token| token.revoked_us.is_none()).map(|token| token.name.as_str());
        Err(OfficeError::unknown("token", name, good, "`geppetto token list` shows them"))
    }
}
