//! Who may do what: secrets people and servers show, and the roles they stand for.

mod role;
mod secret;

pub use role::AccessLevel;
pub use secret::{GeneratedSecret, PresentedSecret, SecretKind, draw, same};

use model::name::ServerName;

use crate::store::{Store, StoreError};

/// Somebody who showed a good secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person or program, by the name of its token.
    Token {
        /// The token's name.
        name: String,
        /// What it may do.
        role: AccessLevel,
    },
    /// A server that joined.
    Server(ServerName),
}

impl Principal {
    /// The caller as the audit log names it.
    pub fn actor(&self) -> String {
        match self {
            Principal::Token { name, .. } => format!("token {name}"),
            Principal::Server(name) => format!("server {name}"),
        }
    }

    /// Whether the caller has at least this role. Servers have none.
    pub fn has(&self, role: AccessLevel) -> bool {
        matches!(self, Principal::Token { role: mine, .. } if *mine >= role)
    }

    /// Whether the caller is this very server.
    pub fn is_server(&self, server: &ServerName) -> bool {
        matches!(self, Principal::Server(mine) if mine == server)
    }
}

/// Finds out whose secret this is; `None` when it is nobody's, or no longer good.
pub async fn identify(store: &Store, shown: &str, now_us: i64) -> Result<Option<Principal>, StoreError> {
    let Some(presented) = PresentedSecret::read(shown) else { return Ok(None) };
    match presented.kind {
        SecretKind::Token => {
            let Some(token) = store.token(&presented.id, now_us).await? else { return Ok(None) };
            if !same(&token.hash, &presented.hash) {
                return Ok(None);
            }
            let role =
                token.role.parse().map_err(|_| StoreError::Corrupt(format!("the role `{}`", token.role)))?;
            Ok(Some(Principal::Token { name: token.name, role }))
        }
        SecretKind::Server => {
            let Some((server, hash)) = store.credential(&presented.id).await? else { return Ok(None) };
            if !same(&hash, &presented.hash) {
                return Ok(None);
            }
            let server = ServerName::new(&server)
                .map_err(|_| StoreError::Corrupt(format!("the server name `{server}`")))?;
            Ok(Some(Principal::Server(server)))
        }
        // A join token opens one door only, and that one asks for it in the body.
        SecretKind::Join => Ok(None),
    }
}
