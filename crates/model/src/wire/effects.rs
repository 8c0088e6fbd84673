//! What a change does to servers.

use serde::{Deserialize, Serialize};

shape! {
    /// Servers for which the same changes.
    pub struct ServersWithSameEffectDescriptions {
        /// What changes.
        pub effects: Vec<EffectDescription>,
        /// The servers, in order.
        pub servers: Vec<String>,
    }

    /// One thing that changes for a server.
    pub struct EffectDescription {
        /// `installs`, `upgrades`, `downgrades`, `removes`, `repackages`, `value`, `environment`, `channel`, `leaves`
        /// or `unresolvable`.
        pub kind: String,
        /// The component.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub component: Option<String>,
        /// The parameter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub key: Option<String>,
        /// The version, value, environment or channel before; secrets are masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from: Option<String>,
        /// The version, value, environment or channel after; secrets are masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub to: Option<String>,
        /// Whether something is taken away.
        pub takes_away: bool,
        /// All of it in words.
        pub text: String,
    }
}
