//! What the resolution of a server read: everything its node depends on.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    estate::PlaceId,
    name::{Name, ServerName},
    server_selection::ServerSelectionCriteria,
};

/// Everything a server's node depends on. As long as none of it changes, resolving again gives the same node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolutionReads {
    /// The places that apply to the server, and the environments it selects servers of.
    pub places: BTreeSet<PlaceId>,
    /// The channel of its environment.
    pub channel: Option<Name>,
    /// The components whose versions in that channel were looked at.
    pub components: Arc<BTreeSet<Name>>,
    /// The selections of other servers.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub selections: BTreeSet<ServerSelectionCriteria>,
    /// The servers that were selected, whose values may have been read.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub servers: BTreeSet<ServerName>,
    /// The server could not be resolved: anything may mend it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}
