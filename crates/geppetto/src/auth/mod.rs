//! Who may do what: secrets people and servers show, and the roles they stand for.

mod access_level;
mod secret;

pub use access_level::AccessLevel;
pub use secret::{GeneratedSecret, PresentedSecret, SecretKind, constant_time_eq, generate_secret};

use model::name::ServerName;

use crate::store::{Store, StoreError};

/// An authenticated caller.
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
    pub fn has_level(&self, role: AccessLevel) -> bool {
        matches!(self, Principal::Token { role: mine, .. } if *mine >= role)
    }

    /// Whether the caller is this very server.
    pub fn is_server(&self, server: &ServerName) -> bool {
        matches!(self, Principal::Server(mine) if mine == server)
    }
}

/// Authenticates a secret; `None` when it is unknown, expired or revoked.
pub async fn authenticate(store: &Store, shown: &str, now_us: i64) -> Result<Option<Principal>, StoreError> {
    let Some(presented) = PresentedSecret::parse(shown) else { return Ok(None) };
    match presented.kind {
        SecretKind::Token => {
            let Some(token) = store.token(&presented.id, now_us).await? else { return Ok(None) };
            if !constant_time_eq(&token.hash, &presented.hash) {
                return Ok(None);
            }
            let role =
                token.role.parse().map_err(|_| StoreError::Corrupt(format!("the role `{}`", token.role)))?;
            Ok(Some(Principal::Token { name: token.name, role }))
        }
        SecretKind::Server => {
            let Some((server, hash)) = store.credential(&presented.id).await? else { return Ok(None) };
            if !constant_time_eq(&hash, &presented.hash) {
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
