//! How a server is let in: what revoking its credential takes away.

use serde::{Deserialize, Serialize};

shape! {
    /// The credential and the join tokens of a server.
    pub struct ServerCredentialStatus {
        /// The server.
        pub server: String,
        /// Its environment; absent when it is not in the estate.
        pub environment: Option<String>,
        /// Its roles.
        pub roles: Vec<String>,
        /// When it joined and got its credential, in microseconds since 1970-01-01 UTC; absent when it has none.
        pub joined_us: Option<i64>,
        /// How many join tokens for it can still be used.
        pub usable_join_tokens: u64,
        /// When it last reported; never if absent.
        pub reported_us: Option<i64>,
        /// How its last run ended.
        pub outcome: Option<String>,
        /// The generation its last report is about.
        pub reported_generation: Option<u64>,
    }
}
