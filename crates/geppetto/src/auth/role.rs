//! The roles of people and programs; each may do all that the one before it may.

use std::{fmt, str::FromStr};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// Look at everything but secrets.
    Viewer,
    /// Publish and promote packages.
    Developer,
    /// Change what runs where, see secrets, let servers join.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them, weakest first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Developer, Role::Operator, Role::Admin];

    /// Its name: `viewer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Developer => "developer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of viewer, developer, operator, admin")]
pub struct NoRole;

impl FromStr for Role {
    type Err = NoRole;
    fn from_str(text: &str) -> Result<Self, NoRole> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or(NoRole)
    }
}
