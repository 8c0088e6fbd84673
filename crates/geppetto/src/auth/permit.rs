//! Permits: proof in a signature of what a principal may do.
//!
//! A function of the back-office that reads or writes on somebody's behalf takes a [`UnscopedPermit`] of the level it needs,
//! or the [`Principal`] itself where a server may do it for itself. A permit proves that the principal has a grant of
//! that level somewhere; what an effect needs is asked of the permit once the effects are known.

use std::marker::PhantomData;

use model::name::Name;

use super::{AccessDenied, AccessLevel, EnvironmentAndComponentScope, Grant, Principal};

/// An access level as a type.
pub(crate) trait RequiredAccessLevel: Send + Sync + 'static {
    /// The weakest level allowed.
    const LEVEL: AccessLevel;
}

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident),*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name;
        impl RequiredAccessLevel for $name {
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
pub(crate) struct UnscopedPermit<L> {
    principal: Principal,
    level: PhantomData<fn() -> L>,
}

impl Principal {
    /// The permit of this level; refused when no grant has it anywhere.
    pub(crate) fn require_access_level_somewhere<L: RequiredAccessLevel>(
        self,
    ) -> Result<UnscopedPermit<L>, AccessDenied> {
        if self.grants().iter().any(|grant| grant.level >= L::LEVEL) {
            return Ok(UnscopedPermit { principal: self, level: PhantomData });
        }
        Err(self.new_access_denied(L::LEVEL, None))
    }
}

impl<L: RequiredAccessLevel> UnscopedPermit<L> {
    /// Who asks.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Who asks, as the audit log names it.
    pub(crate) fn audit_actor(&self) -> String {
        self.principal.audit_actor()
    }

    /// Refuses what has effects where the principal has no grant of this level.
    pub(crate) fn require_grant_in_scope(
        &self,
        scope: &EnvironmentAndComponentScope,
    ) -> Result<(), AccessDenied> {
        match self.principal.has_grant_in_scope(L::LEVEL, scope) {
            true => Ok(()),
            false => Err(self.principal.new_access_denied(L::LEVEL, Some(scope))),
        }
    }

    /// Refuses what shows an environment to whoever may not see it.
    pub(crate) fn require_view_of_whole_environment(&self, environment: &Name) -> Result<(), AccessDenied> {
        let scope = EnvironmentAndComponentScope::scope_of_environment(environment);
        match self.principal.has_grant_in_scope(AccessLevel::Viewer, &scope) {
            true => Ok(()),
            false => Err(self.principal.new_access_denied(AccessLevel::Viewer, Some(&scope))),
        }
    }

    /// Refuses what concerns the whole control plane without a grant that holds everywhere.
    pub(crate) fn require_grant_everywhere(&self) -> Result<(), AccessDenied> {
        self.require_grant_in_scope(&EnvironmentAndComponentScope::EVERYWHERE)
    }

    /// Refuses what concerns a component, wherever it may run, without a grant for it in some environment.
    pub(crate) fn require_grant_for_component_somewhere(&self, component: &Name) -> Result<(), AccessDenied> {
        let grants = self.principal.grants();
        let granted = |grant: &Grant| {
            grant.level >= L::LEVEL && grant.component.as_ref().is_none_or(|mine| mine == component)
        };
        if grants.iter().any(granted) {
            return Ok(());
        }
        let scope = EnvironmentAndComponentScope { environment: None, component: Some(component.clone()) };
        Err(self.principal.new_access_denied(L::LEVEL, Some(&scope)))
    }
}

impl UnscopedPermit<Admin> {
    /// The permit of a job.
    pub(crate) fn permit_for_job(created_by: &str) -> Self {
        let on_behalf_of = Some(created_by.to_owned());
        Self { principal: Principal::ControlPlane { on_behalf_of }, level: PhantomData }
    }

    /// The permit of the user that runs this program, who owns the data folder.
    pub(crate) fn new_for_local_administrator(uid: u32) -> Self {
        Self { principal: Principal::LocalAdministrator { uid }, level: PhantomData }
    }

    /// The same principal's permit of a lower level.
    pub(crate) fn to_permit_of_lower_level<L: RequiredAccessLevel>(&self) -> UnscopedPermit<L> {
        UnscopedPermit { principal: self.principal.clone(), level: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use model::name::ServerName;

    use super::*;

    fn token(grants: &[&str]) -> Principal {
        let grants = grants.iter().map(|grant| grant.parse().unwrap()).collect();
        Principal::Token { name: "ci".to_owned(), grants }
    }

    #[test]
    fn permit_of_a_level_needs_a_grant_of_it_somewhere() {
        assert!(token(&["viewer", "operator:staging"]).require_access_level_somewhere::<Operator>().is_ok());
        let denied = token(&["viewer", "developer:staging"])
            .require_access_level_somewhere::<Operator>()
            .unwrap_err()
            .to_string();
        assert!(denied.contains("operator") && denied.contains("viewer, developer:staging"), "{denied}");
        assert!(
            Principal::Server(ServerName::new("web-01").unwrap())
                .require_access_level_somewhere::<Viewer>()
                .is_err()
        );
        assert!(Principal::LocalAdministrator { uid: 0 }.require_access_level_somewhere::<Admin>().is_ok());
    }

    #[test]
    fn effect_outside_of_the_grants_is_refused_naming_its_scope() {
        let permit = token(&["operator:staging"]).require_access_level_somewhere::<Operator>().unwrap();
        let (staging, prod) = (Name::new("staging").unwrap(), Name::new("prod").unwrap());
        assert!(
            permit
                .require_grant_in_scope(&EnvironmentAndComponentScope::scope_of_environment(&staging))
                .is_ok()
        );
        let denied = permit
            .require_grant_in_scope(&EnvironmentAndComponentScope::scope_of_environment(&prod))
            .unwrap_err()
            .to_string();
        assert!(denied.contains("the environment prod") && denied.contains("operator:staging"), "{denied}");
        assert!(permit.require_grant_everywhere().is_err());
    }
}
