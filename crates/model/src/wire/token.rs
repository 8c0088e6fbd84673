//! Principals and their tokens.

use serde::{Deserialize, Serialize};

use super::ControlPlaneAddress;

shape! {
    /// Who asks, and what it may do.
    pub struct PrincipalInfo {
        /// `user`, `token`, `server` or `local administrator`.
        pub kind: String,
        /// Its name in the audit log: `token ci`.
        pub name: String,
        /// Its grants: `operator:staging`.
        pub grants: Vec<String>,
    }

    /// `POST /api/v1/tokens`
    pub struct TokenRequest {
        /// Whose it is: `ci`.
        pub name: String,
        /// What it may do and where: `LEVEL`, `LEVEL:ENVIRONMENT` or `LEVEL:ENVIRONMENT/COMPONENT`, where LEVEL is
        /// viewer, developer, operator or admin, and `*` every environment or component.
        pub grants: Vec<String>,
        /// How many days it is good for; for ever if absent.
        #[serde(default)]
        pub days: Option<u32>,
    }

    /// A new token.
    pub struct IssuedToken {
        /// The secret; shown once.
        pub token: String,
        /// Its public part.
        pub id: String,
        /// Whose it is.
        pub name: String,
        /// What it may do.
        pub grants: Vec<String>,
        /// Until when it is good, in microseconds since 1970-01-01 UTC; for ever if absent.
        pub expires_us: Option<i64>,
        /// Where it is good.
        pub control_plane: ControlPlaneAddress,
    }

    /// A token in a list.
    pub struct TokenSummary {
        /// Its public part.
        pub id: String,
        /// Whose it is.
        pub name: String,
        /// What it may do.
        pub grants: Vec<String>,
        /// `valid`, `expired` or `revoked`.
        pub state: String,
        /// When it was created, in microseconds since 1970-01-01 UTC.
        pub created_us: i64,
        /// Who created it.
        pub created_by: String,
        /// Until when it is good; for ever if absent.
        pub expires_us: Option<i64>,
    }

    /// All tokens ever made.
    pub struct TokenList {
        /// Newest first.
        pub items: Vec<TokenSummary>,
    }
}
