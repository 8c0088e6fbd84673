//! Grants: an access level, and where it holds.

use std::{fmt, str::FromStr};

use model::name::Name;

use super::AccessLevel;

/// What a principal may do in an environment with a component: `operator:prod/shop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// What it may do.
    pub(crate) level: AccessLevel,
    /// The environment; every one if absent.
    pub(crate) environment: Option<Name>,
    /// The component; every one if absent.
    pub(crate) component: Option<Name>,
}

/// Where something has effects: in one environment or every one, on one component or every one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EnvironmentAndComponentScope {
    /// The environment; every one if absent.
    pub(crate) environment: Option<Name>,
    /// The component; every one if absent.
    pub(crate) component: Option<Name>,
}

impl Grant {
    /// A grant that holds everywhere.
    pub(crate) fn grant_everywhere(level: AccessLevel) -> Self {
        Self { level, environment: None, component: None }
    }

    /// Whether it allows what needs `level` and has its effects in `scope`.
    pub(crate) fn covers_level_in_scope(
        &self,
        level: AccessLevel,
        scope: &EnvironmentAndComponentScope,
    ) -> bool {
        let environment = self.environment.is_none() || self.environment == scope.environment;
        let component = self.component.is_none() || self.component == scope.component;
        self.level >= level && environment && component
    }

    /// Whether it allows anything of `level` in this environment.
    pub(crate) fn allows_level_somewhere_in_environment(
        &self,
        level: AccessLevel,
        environment: &Name,
    ) -> bool {
        self.level >= level && self.environment.as_ref().is_none_or(|mine| mine == environment)
    }
}

impl EnvironmentAndComponentScope {
    /// All components in every environment.
    pub(crate) const EVERYWHERE: EnvironmentAndComponentScope =
        EnvironmentAndComponentScope { environment: None, component: None };

    /// All components in one environment.
    pub(crate) fn scope_of_environment(environment: &Name) -> Self {
        Self { environment: Some(environment.clone()), component: None }
    }

    /// One component in one environment.
    pub(crate) fn scope_of_component_in_environment(environment: &Name, component: &Name) -> Self {
        Self { environment: Some(environment.clone()), component: Some(component.clone()) }
    }
}

impl fmt::Display for EnvironmentAndComponentScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.environment, &self.component) {
            (None, None) => f.write_str("every environment"),
            (Some(environment), None) => write!(f, "the environment {environment}"),
            (None, Some(component)) => write!(f, "the component {component} in every environment"),
            (Some(environment), Some(component)) => {
                write!(f, "the component {component} in the environment {environment}")
            }
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        match (&self.environment, &self.component) {
            (None, None) => Ok(()),
            (Some(environment), None) => write!(f, ":{environment}"),
            (None, Some(component)) => write!(f, ":*/{component}"),
            (Some(environment), Some(component)) => write!(f, ":{environment}/{component}"),
        }
    }
}

/// A text that is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a grant: write LEVEL, LEVEL:ENVIRONMENT or LEVEL:ENVIRONMENT/COMPONENT, where LEVEL is viewer, \
     developer, operator or admin and `*` is every environment or component (`developer:staging/shop`)"
)]
pub(crate) struct InvalidGrantText(String);

impl FromStr for Grant {
    type Err = InvalidGrantText;

    fn from_str(text: &str) -> Result<Self, InvalidGrantText> {
        let invalid = || InvalidGrantText(text.chars().filter(|c| !c.is_control()).take(80).collect());
        let (level, scope) = text.split_once(':').map_or((text, "*"), |(level, scope)| (level, scope));
        let (environment, component) = scope.split_once('/').unwrap_or((scope, "*"));
        let named = |part: &str| match part {
            "*" => Ok(None),
            name => Name::new(name).map(Some).map_err(|_| invalid()),
        };
        Ok(Self {
            level: level.parse().map_err(|_| invalid())?,
            environment: named(environment)?,
            component: named(component)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        text.parse().unwrap()
    }

    #[test]
    fn grant_is_written_as_it_is_read() {
        for text in ["viewer", "operator:prod", "developer:*/shop", "admin:prod/shop"] {
            assert_eq!(grant(text).to_string(), text);
        }
        assert_eq!(grant("viewer:*"), grant("viewer"));
        assert_eq!(grant("viewer:*/*"), grant("viewer"));
        for text in ["", "root", "viewer:", "viewer:prod/", "viewer:Prod", "viewer:a/b/c", "viewer,operator"]
        {
            let error = text.parse::<Grant>().unwrap_err().to_string();
            assert!(error.contains("LEVEL:ENVIRONMENT/COMPONENT"), "{text}: {error}");
        }
    }

    #[test]
    fn grant_covers_its_own_scope_and_smaller_ones_only() {
        let (prod, test) = (Name::new("prod").unwrap(), Name::new("test").unwrap());
        let (shop, mail) = (Name::new("shop").unwrap(), Name::new("mail").unwrap());
        let covers = |text: &str, scope: &EnvironmentAndComponentScope| {
            grant(text).covers_level_in_scope(AccessLevel::Developer, scope)
        };
        let of_shop = EnvironmentAndComponentScope::scope_of_component_in_environment(&prod, &shop);
        for text in ["developer", "admin:prod", "developer:prod/shop", "operator:*/shop"] {
            assert!(covers(text, &of_shop), "{text}");
        }
        for text in ["viewer", "developer:test", "developer:prod/mail", "admin:*/mail"] {
            assert!(!covers(text, &of_shop), "{text}");
        }
        assert!(!covers(
            "developer:prod/shop",
            &EnvironmentAndComponentScope::scope_of_component_in_environment(&prod, &mail)
        ));
        assert!(!covers("developer:prod/shop", &EnvironmentAndComponentScope::scope_of_environment(&prod)));
        assert!(!covers("developer:prod", &EnvironmentAndComponentScope::EVERYWHERE));
        assert!(!covers("developer:prod", &EnvironmentAndComponentScope::scope_of_environment(&test)));
        assert!(grant("viewer:prod/shop").allows_level_somewhere_in_environment(AccessLevel::Viewer, &prod));
        assert!(!grant("viewer:prod/shop").allows_level_somewhere_in_environment(AccessLevel::Viewer, &test));
    }
}
