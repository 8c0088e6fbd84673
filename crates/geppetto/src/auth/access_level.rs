//! Access levels; each may do all that the one before it may.

use std::{fmt, str::FromStr};

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AccessLevel {
    /// Look at everything but secrets.
    Viewer,
    /// Publish and promote packages.
    Developer,
    /// Change what runs where, see secrets, let servers join.
    Operator,
    /// Everything.
    Admin,
}

impl AccessLevel {
    /// All of them, weakest first.
    pub(crate) const ALL_ACCESS_LEVELS: [AccessLevel; 4] =
        [AccessLevel::Viewer, AccessLevel::Developer, AccessLevel::Operator, AccessLevel::Admin];

    /// Its name: `viewer`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            AccessLevel::Viewer => "viewer",
            AccessLevel::Developer => "developer",
            AccessLevel::Operator => "operator",
            AccessLevel::Admin => "admin",
        }
    }
}

impl fmt::Display for AccessLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no access level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an access level is one of viewer, developer, operator, admin")]
pub(crate) struct UnknownAccessLevelError;

impl FromStr for AccessLevel {
    type Err = UnknownAccessLevelError;
    fn from_str(text: &str) -> Result<Self, UnknownAccessLevelError> {
        AccessLevel::ALL_ACCESS_LEVELS
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or(UnknownAccessLevelError)
    }
}
