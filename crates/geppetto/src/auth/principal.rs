//! Principals: who asks, and what each may see.

use model::name::{Name, ServerName};

use super::{AccessLevel, EnvironmentAndComponentScope, Grant};

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Whoever may use the Unix socket: root, or the user that serves. May do everything.
    LocalAdministrator {
        /// The user number, from the kernel.
        uid: u32,
    },
    /// The control plane itself, in its jobs. May do everything: what a person asked for was checked when the job
    /// was created.
    ControlPlane {
        /// Who created the job, as the audit log names it; absent for what nobody asked for.
        on_behalf_of: Option<String>,
    },
    /// A person who is logged in with a browser.
    User {
        /// The name to log in with.
        name: String,
        /// What the person may do, and where.
        grants: Vec<Grant>,
    },
    /// A person or program, by the name of its token.
    Token {
        /// The token's name.
        name: String,
        /// What it may do, and where.
        grants: Vec<Grant>,
    },
    /// A server that joined.
    Server(ServerName),
}

/// A refusal for want of a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct AccessDenied(String);

impl AccessDenied {
    /// A refusal for this reason.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl Principal {
    /// The control plane itself.
    pub(crate) const CONTROL_PLANE_ITSELF: Principal = Principal::ControlPlane { on_behalf_of: None };

    /// The caller as the audit log names it.
    pub(crate) fn audit_actor(&self) -> String {
        match self {
            Principal::LocalAdministrator { uid } => format!("local administrator (uid {uid})"),
            Principal::ControlPlane { on_behalf_of } => {
                on_behalf_of.clone().unwrap_or_else(|| "geppetto".to_owned())
            }
            Principal::User { name, .. } => format!("user {name}"),
            Principal::Token { name, .. } => format!("token {name}"),
            Principal::Server(name) => format!("server {name}"),
        }
    }

    /// What the caller may do, and where. Servers have no grants: they may ask for what is theirs.
    pub(crate) fn grants(&self) -> Vec<Grant> {
        match self {
            Principal::LocalAdministrator { .. } | Principal::ControlPlane { .. } => {
                vec![Grant::grant_everywhere(AccessLevel::Admin)]
            }
            Principal::User { grants, .. } | Principal::Token { grants, .. } => grants.clone(),
            Principal::Server(_) => Vec::new(),
        }
    }

    /// Whether the caller is this very server.
    pub(crate) fn is_this_server(&self, server: &ServerName) -> bool {
        matches!(self, Principal::Server(mine) if mine == server)
    }

    /// Refuses whoever reports for a server without being it.
    pub(crate) fn require_to_be_this_server(&self, server: &ServerName) -> Result<(), AccessDenied> {
        match self.is_this_server(server) {
            true => Ok(()),
            false => Err(AccessDenied::new(format!("only {server} itself may report for {server}"))),
        }
    }

    /// Whether a grant covers what needs `level` and has its effects in `scope`.
    pub(crate) fn has_grant_in_scope(
        &self,
        level: AccessLevel,
        scope: &EnvironmentAndComponentScope,
    ) -> bool {
        self.grants().iter().any(|grant| grant.covers_level_in_scope(level, scope))
    }

    /// Whether the caller may see something of an environment.
    pub(crate) fn can_see_part_of_environment(&self, environment: &Name) -> bool {
        self.grants()
            .iter()
            .any(|grant| grant.allows_level_somewhere_in_environment(AccessLevel::Viewer, environment))
    }

    /// Whether the caller may see the secrets of an environment; of all places if there is none.
    pub(crate) fn can_see_secrets(&self, environment: Option<&Name>) -> bool {
        let scope = environment.map_or(
            EnvironmentAndComponentScope::EVERYWHERE,
            EnvironmentAndComponentScope::scope_of_environment,
        );
        self.has_grant_in_scope(AccessLevel::Operator, &scope)
    }

    /// Refuses a caller that may see nothing of this server.
    pub(crate) fn require_view_of_server(
        &self,
        server: &ServerName,
        environment: &Name,
    ) -> Result<(), AccessDenied> {
        if self.is_this_server(server) || self.can_see_part_of_environment(environment) {
            return Ok(());
        }
        Err(match self {
            Principal::Server(other) => {
                AccessDenied(format!("this is the credential of {other}; it opens nothing of {server}"))
            }
            _ => self.new_access_denied(
                AccessLevel::Viewer,
                Some(&EnvironmentAndComponentScope::scope_of_environment(environment)),
            ),
        })
    }

    pub(super) fn new_access_denied(
        &self,
        level: AccessLevel,
        scope: Option<&EnvironmentAndComponentScope>,
    ) -> AccessDenied {
        let at = scope.map_or_else(String::new, |scope| format!(" on {scope}"));
        let list = |grants: &[Grant]| grants.iter().map(Grant::to_string).collect::<Vec<_>>().join(", ");
        let has = match self {
            Principal::User { name, grants } => {
                return AccessDenied(format!(
                    "this needs the access level {level}{at}, and the user `{name}` has only {}; ask an administrator \
                     for that grant (`punch user grant`)",
                    list(grants)
                ));
            }
            Principal::Token { name, grants } => format!("the token `{name}` has only {}", list(grants)),
            _ => format!("this is {}", self.audit_actor()),
        };
        AccessDenied(format!(
            "this needs the access level {level}{at}, and {has}; ask an administrator for a token with that grant \
             (`punch token create`)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(grants: &[&str]) -> Principal {
        let grants = grants.iter().map(|grant| grant.parse().unwrap()).collect();
        Principal::Token { name: "ci".to_owned(), grants }
    }

    #[test]
    fn server_sees_itself_and_no_other() {
        let (web, mail) = (ServerName::new("web-01").unwrap(), ServerName::new("mail-01").unwrap());
        let prod = Name::new("prod").unwrap();
        let server = Principal::Server(web.clone());
        assert!(server.require_view_of_server(&web, &prod).is_ok());
        let denied = server.require_view_of_server(&mail, &prod).unwrap_err().to_string();
        assert!(denied.contains("credential of web-01"), "{denied}");
        assert!(token(&["viewer:prod"]).require_view_of_server(&mail, &prod).is_ok());
        assert!(token(&["admin:test"]).require_view_of_server(&mail, &prod).is_err());
    }
}
