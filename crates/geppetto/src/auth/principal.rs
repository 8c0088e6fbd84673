//! Principals: who asks, and the permits that prove what each may do.
//!
//! A function of the back-office that reads or writes on somebody's behalf takes a [`Permit`] of the level it needs,
//! or the [`Principal`] itself where a server may do it for itself. A permit proves that the principal has a grant of
//! that level somewhere; what an effect needs is asked of the permit once the effects are known.

use std::marker::PhantomData;

use model::name::{Name, ServerName};

use super::{AccessLevel, EffectScope, Grant};

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

/// An access level as a type.
pub(crate) trait RequiredLevel: Send + Sync + 'static {
    /// The weakest level allowed.
    const LEVEL: AccessLevel;
}

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident),*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name;
        impl RequiredLevel for $name {
            const LEVEL: AccessLevel = AccessLevel::$name;
        }
    )* };
}
levels!(
    /// May look.
    Viewer,
    /// May publish.
    Developer,
    /// May change what runs where.
    Operator,
    /// May do everything.
    Admin
);

/// Proof that a principal has at least the level `L` somewhere.
#[derive(Debug, Clone)]
pub(crate) struct Permit<L> {
    principal: Principal,
    level: PhantomData<fn() -> L>,
}

impl Principal {
    /// The control plane itself.
    pub(crate) const CONTROL_PLANE: Principal = Principal::ControlPlane { on_behalf_of: None };

    /// The caller as the audit log names it.
    pub(crate) fn actor(&self) -> String {
        match self {
            Principal::LocalAdministrator { uid } => format!("local administrator (uid {uid})"),
            Principal::ControlPlane { on_behalf_of } => {
                on_behalf_of.clone().unwrap_or_else(|| "geppetto".to_owned())
            }
            Principal::Token { name, .. } => format!("token {name}"),
            Principal::Server(name) => format!("server {name}"),
        }
    }

    /// What the caller may do, and where. Servers have no grants: they may ask for what is theirs.
    pub(crate) fn grants(&self) -> Vec<Grant> {
        match self {
            Principal::LocalAdministrator { .. } | Principal::ControlPlane { .. } => {
                vec![Grant::everywhere(AccessLevel::Admin)]
            }
            Principal::Token { grants, .. } => grants.clone(),
            Principal::Server(_) => Vec::new(),
        }
    }

    /// Whether the caller is this very server.
    pub(crate) fn is_server(&self, server: &ServerName) -> bool {
        matches!(self, Principal::Server(mine) if mine == server)
    }

    /// Whether a grant covers what needs `level` and has its effects in `scope`.
    pub(crate) fn is_granted(&self, level: AccessLevel, scope: &EffectScope) -> bool {
        self.grants().iter().any(|grant| grant.covers(level, scope))
    }

    /// Whether the caller may see something of an environment.
    pub(crate) fn sees_environment(&self, environment: &Name) -> bool {
        self.grants().iter().any(|grant| grant.reaches(AccessLevel::Viewer, environment))
    }

    /// Whether the caller may see the secrets of an environment; of all places if there is none.
    pub(crate) fn sees_secrets(&self, environment: Option<&Name>) -> bool {
        let scope = environment.map_or(EffectScope::EVERYWHERE, EffectScope::environment);
        self.is_granted(AccessLevel::Operator, &scope)
    }

    /// The permit of this level; refused when no grant has it anywhere.
    pub(crate) fn permit<L: RequiredLevel>(self) -> Result<Permit<L>, AccessDenied> {
        if self.grants().iter().any(|grant| grant.level >= L::LEVEL) {
            return Ok(Permit { principal: self, level: PhantomData });
        }
        Err(self.denied(L::LEVEL, None))
    }

    /// Refuses a caller that may see nothing of this server.
    pub(crate) fn require_view_of(
        &self,
        server: &ServerName,
        environment: &Name,
    ) -> Result<(), AccessDenied> {
        if self.is_server(server) || self.sees_environment(environment) {
            return Ok(());
        }
        Err(match self {
            Principal::Server(other) => {
                AccessDenied(format!("this is the credential of {other}; it opens nothing of {server}"))
            }
            _ => self.denied(AccessLevel::Viewer, Some(&EffectScope::environment(environment))),
        })
    }

    fn denied(&self, level: AccessLevel, scope: Option<&EffectScope>) -> AccessDenied {
        let at = scope.map_or_else(String::new, |scope| format!(" on {scope}"));
        let has = match self {
            Principal::Token { name, grants } => {
                let grants: Vec<String> = grants.iter().map(Grant::to_string).collect();
                format!("the token `{name}` has only {}", grants.join(", "))
            }
            _ => format!("this is {}", self.actor()),
        };
        AccessDenied(format!(
            "this needs the access level {level}{at}, and {has}; ask an administrator for a token with that grant \
             (`punch token create`)"
        ))
    }
}

impl<L: RequiredLevel> Permit<L> {
    /// Who asks.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Who asks, as the audit log names it.
    pub(crate) fn actor(&self) -> String {
        self.principal.actor()
    }

    /// Refuses what has effects where the principal has no grant of this level.
    pub(crate) fn require(&self, scope: &EffectScope) -> Result<(), AccessDenied> {
        match self.principal.is_granted(L::LEVEL, scope) {
            true => Ok(()),
            false => Err(self.principal.denied(L::LEVEL, Some(scope))),
        }
    }

    /// Refuses what concerns the whole control plane without a grant that holds everywhere.
    pub(crate) fn require_everywhere(&self) -> Result<(), AccessDenied> {
        self.require(&EffectScope::EVERYWHERE)
    }

    /// Refuses what concerns a component, wherever it may run, without a grant for it in some environment.
    pub(crate) fn require_component(&self, component: &Name) -> Result<(), AccessDenied> {
        let grants = self.principal.grants();
        let granted = |grant: &Grant| {
            grant.level >= L::LEVEL && grant.component.as_ref().is_none_or(|mine| mine == component)
        };
        if grants.iter().any(granted) {
            return Ok(());
        }
        let scope = EffectScope { environment: None, component: Some(component.clone()) };
        Err(self.principal.denied(L::LEVEL, Some(&scope)))
    }
}

impl Permit<Admin> {
    /// The permit of a job.
    pub(crate) fn of_job(created_by: &str) -> Self {
        let on_behalf_of = Some(created_by.to_owned());
        Self { principal: Principal::ControlPlane { on_behalf_of }, level: PhantomData }
    }

    /// The permit of the user that runs this program, who owns the data folder.
    pub(crate) fn of_local_administrator(uid: u32) -> Self {
        Self { principal: Principal::LocalAdministrator { uid }, level: PhantomData }
    }

    /// The same principal's permit of a lower level.
    pub(crate) fn lowered<L: RequiredLevel>(&self) -> Permit<L> {
        Permit { principal: self.principal.clone(), level: PhantomData }
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
    fn permit_of_a_level_needs_a_grant_of_it_somewhere() {
        assert!(token(&["viewer", "operator:staging"]).permit::<Operator>().is_ok());
        let denied = token(&["viewer", "developer:staging"]).permit::<Operator>().unwrap_err().to_string();
        assert!(denied.contains("operator") && denied.contains("viewer, developer:staging"), "{denied}");
        assert!(Principal::Server(ServerName::new("web-01").unwrap()).permit::<Viewer>().is_err());
        assert!(Principal::LocalAdministrator { uid: 0 }.permit::<Admin>().is_ok());
    }

    #[test]
    fn effect_outside_of_the_grants_is_refused_naming_its_scope() {
        let permit = token(&["operator:staging"]).permit::<Operator>().unwrap();
        let (staging, prod) = (Name::new("staging").unwrap(), Name::new("prod").unwrap());
        assert!(permit.require(&EffectScope::environment(&staging)).is_ok());
        let denied = permit.require(&EffectScope::environment(&prod)).unwrap_err().to_string();
        assert!(denied.contains("the environment prod") && denied.contains("operator:staging"), "{denied}");
        assert!(permit.require_everywhere().is_err());
    }

    #[test]
    fn server_sees_itself_and_no_other() {
        let (web, mail) = (ServerName::new("web-01").unwrap(), ServerName::new("mail-01").unwrap());
        let prod = Name::new("prod").unwrap();
        let server = Principal::Server(web.clone());
        assert!(server.require_view_of(&web, &prod).is_ok());
        let denied = server.require_view_of(&mail, &prod).unwrap_err().to_string();
        assert!(denied.contains("credential of web-01"), "{denied}");
        assert!(token(&["viewer:prod"]).require_view_of(&mail, &prod).is_ok());
        assert!(token(&["admin:test"]).require_view_of(&mail, &prod).is_err());
    }
}
