//! What changed, as it is announced.

use serde::{Deserialize, Serialize};

/// Something that changed: identifiers, not contents. A listener that needs more asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ControlPlaneEvent {
    /// A revision was committed.
    RevisionCommitted {
        /// Its number.
        revision: u64,
    },
    /// A node file was generated.
    NodeGenerated {
        /// The server.
        server: String,
        /// Its generation.
        generation: u64,
    },
    /// A server reported what a run did.
    ServerReported {
        /// The server.
        server: String,
        /// The report's number.
        report: u64,
        /// How the run ended.
        outcome: String,
    },
    /// A channel shows other versions.
    ChannelChanged {
        /// The channel.
        channel: String,
    },
    /// A job was created, taken, moved or ended.
    JobChanged {
        /// Its number.
        job: u64,
    },
    /// A token or credential was revoked.
    AccessChanged {},
    /// Events may have been missed: look at everything.
    Resynchronize {},
}
