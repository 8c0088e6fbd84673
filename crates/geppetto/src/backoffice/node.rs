//! Node files: made when a server (or a person) asks and the content has changed since; numbered, signed, kept.

use std::sync::{Arc, atomic::Ordering};

use model::{catalog::Catalog, format::node, name::ServerName, node::Node, resolve::resolve};

use super::{BackOffice, BackOfficeError, EstateSnapshot, mask};
use crate::store::{AuditContext, NewNode, StoredNode};

/// How often a node is resolved again after a concurrent commit.
const ATTEMPTS: usize = 10;

/// The actor of a generation in the audit log: a commit or publication caused it, no principal asked for it.
const ACTOR: &str = "geppetto";

/// Which content, without the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVersion {
    /// Counted from 1.
    pub generation: u64,
    /// Of its content without the number.
    pub digest: String,
}

/// A node before it has a number, and what it was made from.
pub(super) struct NodeDraft {
    latest: Option<StoredNode>,
    state: Arc<EstateSnapshot>,
    catalog: Arc<Catalog>,
    node: Node,
}

impl From<&StoredNode> for NodeVersion {
    fn from(node: &StoredNode) -> Self {
        Self { generation: node.generation, digest: node.digest.clone() }
    }
}

impl BackOffice {
    /// Which generation a server must be at now; a new one is made if the content has changed.
    ///
    /// As long as nothing that reaches this server changes, this asks the database for one number.
    pub async fn current_node_version(&self, server: &ServerName) -> Result<NodeVersion, BackOfficeError> {
        for _ in 0..ATTEMPTS {
            let (state, catalog) = (self.current_estate().await?, self.catalog().await?);
            if let Some(version) = self.known().cached_node(server, &state, &catalog) {
                return Ok(version);
            }
            let draft = self.resolve_node(server).await?;
            let Some(version) = self.assign_generation(&draft).await? else { continue };
            self.known().insert_node(server, &version, &draft.state, &draft.catalog);
            return Ok(version);
        }
        Err(BackOfficeError::Conflict(format!(
            "the estate changes faster than the node file of {server} can be made; try again in a moment"
        )))
    }

    /// The signed text of the current node version.
    pub async fn signed_node(&self, server: &ServerName) -> Result<StoredNode, BackOfficeError> {
        let version = self.current_node_version(server).await?;
        self.signed_generation(server, version.generation).await
    }

    /// One generation of a server's node file.
    pub async fn signed_generation(
        &self,
        server: &ServerName,
        generation: u64,
    ) -> Result<StoredNode, BackOfficeError> {
        if let Some(node) = self.store.node(server.as_str(), generation).await? {
            return Ok(node);
        }
        let latest = self.store.latest_node(server.as_str()).await?;
        if latest.is_none() {
            self.require_known_server(server).await?;
        }
        Err(BackOfficeError::Unknown {
            what: "generation",
            name: format!("{generation} of {server}"),
            nearest: latest.map(|node| node.generation.to_string()),
            list: "no node file was made for it yet",
        })
    }

    /// Resolves the node of a server as everything is now.
    ///
    /// The latest generation is read first: what is resolved after it is at least as new as what it holds.
    pub(super) async fn resolve_node(&self, server: &ServerName) -> Result<NodeDraft, BackOfficeError> {
        self.require_known_server(server).await?;
        let latest = self.store.latest_node(server.as_str()).await?;
        let (state, catalog) = (self.current_estate().await?, self.catalog().await?);
        let (estate, offer, name) = (Arc::clone(&state), Arc::clone(&catalog), server.clone());
        self.resolutions.fetch_add(1, Ordering::Relaxed);
        let resolved = tokio::task::spawn_blocking(move || resolve(&estate.estate, &offer, &name))
            .await
            .map_err(|error| BackOfficeError::Broken(format!("{server} could not be resolved: {error}")))?;
        let node = resolved.map_err(|error| BackOfficeError::Unresolvable {
            server: server.to_string(),
            revision: state.revision,
            faults: error.faults.iter().map(|fault| fault.locate(&state.documents)).collect(),
        })?;
        Ok(NodeDraft { latest, state, catalog, node })
    }

    /// Numbers a draft and stores it, if it differs from the latest; `None` when a newer one was stored
    /// meanwhile.
    pub(super) async fn assign_generation(
        &self,
        draft: &NodeDraft,
    ) -> Result<Option<NodeVersion>, BackOfficeError> {
        let digest = node::content_digest(&draft.node);
        if let Some(latest) = draft.latest.as_ref().filter(|latest| latest.digest == digest) {
            return Ok(Some(latest.into()));
        }
        let generation = draft.latest.as_ref().map_or(1, |latest| latest.generation + 1);
        let numbered = Node { generation, ..draft.node.clone() };
        let components: Vec<(String, String)> = numbered
            .components
            .iter()
            .map(|(name, component)| (name.to_string(), component.version.to_string()))
            .collect();
        let text = node::write_signed(&numbered, &self.node_key).map_err(|error| {
            BackOfficeError::Conflict(format!(
                "the node file of {} could not be read again: {error}",
                numbered.server
            ))
        })?;
        let new = NewNode {
            server: numbered.server.as_str(),
            generation,
            digest: &digest,
            text: &text,
            revision: draft.state.revision,
            components: &components,
        };
        let deed = AuditContext { at_us: self.clock.now_us(), actor: ACTOR };
        let added = self.store.add_node(&new, &deed).await?;
        Ok(added.then_some(NodeVersion { generation, digest }))
    }

    /// How many nodes were resolved since the start: what changes and publications have cost.
    pub fn resolution_count(&self) -> u64 {
        self.resolutions.load(Ordering::Relaxed)
    }
}

/// A stored node file as a node.
pub fn read_stored_node(server: &ServerName, stored: &StoredNode) -> Result<Node, BackOfficeError> {
    let file = format!("generation {} of {server}", stored.generation);
    node::read(&file, &stored.text)
        .map_err(|error| BackOfficeError::Broken(format!("a stored node file cannot be read: {error}")))
}

/// A stored node file for principals below operator: secrets masked, unsigned, and
/// therefore nothing a server would take.
pub fn masked_text(server: &ServerName, stored: &StoredNode) -> Result<Node, BackOfficeError> {
    let mut node = read_stored_node(server, stored)?;
    mask::mask_node(&mut node);
    Ok(node)
}
