//! The roles of people and programs; each may do all that the one before it may.

use std::{fmt, str::FromStr};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum AccessLevel {
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
    pub const ALL: [AccessLevel; 4] =
        [AccessLevel::Viewer, AccessLevel::Developer, AccessLevel::Operator, AccessLevel::Admin];

    /// Its name: `viewer`.
    pub fn as_str(self) -> &'static str {
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

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of viewer, developer, operator, admin")]
pub struct UnknownAccessLevel;

impl FromStr for AccessLevel {
    type Err = UnknownAccessLevel;
    fn from_str(text: &str) -> Result<Self, UnknownAccessLevel> {
        AccessLevel::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownAccessLevel)
    }
}
