//! People who log in.

use serde::{Deserialize, Serialize};

shape! {
    /// `POST /api/v1/users`
    pub struct UserRequest {
        /// The name to log in with.
        pub name: String,
        /// What the person may do: `viewer`, `developer:staging`, `operator:prod/shop`.
        pub grants: Vec<String>,
    }

    /// `PUT /api/v1/users/{name}/grants`
    pub struct UserGrantsRequest {
        /// What the person may do from now on, in the place of all that was granted before.
        pub grants: Vec<String>,
    }

    /// A one-time link with which a person sets a password.
    pub struct IssuedPasswordLink {
        /// Whose password is set.
        pub user: String,
        /// The address to open in a browser; shown once.
        pub url: String,
        /// Until when, in microseconds since 1970-01-01 UTC.
        pub expires_us: i64,
    }

    /// A user, as lists show it.
    pub struct UserSummary {
        /// The name to log in with.
        pub name: String,
        /// What the person may do.
        pub grants: Vec<String>,
        /// `active`; `invited` until a password is set; `disabled`.
        pub state: String,
        /// When it was made, in microseconds since 1970-01-01 UTC.
        pub created_us: i64,
        /// Who made it.
        pub created_by: String,
    }

    /// All users.
    pub struct UserList {
        /// By name.
        pub items: Vec<UserSummary>,
    }
}
