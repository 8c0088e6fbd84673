//! Node files: made when a server (or a person) asks and the content has changed since; numbered, signed, kept.

use std::sync::Arc;

use model::{format::node, name::ServerName, node::Node, resolve::Resolver};

use super::{Office, OfficeError, mask};
use crate::store::{Deed, NewNode, StoredNode};

/// How often a node is made again because somebody committed or made it meanwhile.
const ATTEMPTS: usize = 10;

/// Who made a generation, as the audit log names it: nobody asked for it, a commit or a publication led to it.
const ACTOR: &str = "geppetto";

/// What was last found to be a server's node.
#[derive(Debug, Clone)]
pub(super) struct Known {
    revision: u64,
    serial: u64,
    version: NodeVersion,
}

/// Which content, without the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVersion {
    /// Counted from 1.
    pub generation: u64,
    /// Of its content without the number.
    pub digest: String,
}

impl From<&StoredNode> for NodeVersion {
    fn from(node: &StoredNode) -> Self {
        Self { generation: node.generation, digest: node.digest.clone() }
    }
}

impl Office {
    /// Which generation a server must be at now; a new one is made if the content has changed.
    ///
    /// As long as neither the estate nor the repository changes, this asks the database for one number.
    pub async fn node_version(&self, server: &ServerName) -> Result<NodeVersion, OfficeError> {
        for _ in 0..ATTEMPTS {
            let revision = self.store.current_revision().await?;
            let serial = self.serial().await?;
            let known =
                self.nodes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(server).cloned();
            if let Some(known) = known.filter(|known| known.revision == revision && known.serial == serial) {
                return Ok(known.version);
            }
            let Some(version) = self.make(server).await? else { continue };
            let known = Known { revision, serial, version: version.clone() };
            self.nodes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(server.clone(), known);
            return Ok(version);
        }
        Err(OfficeError::Conflict(format!(
            "the estate changes faster than the node file of {server} can be made; try again in a moment"
        )))
    }

    /// The signed text of what [`Self::node_version`] tells.
    pub async fn node(&self, server: &ServerName) -> Result<StoredNode, OfficeError> {
        let version = self.node_version(server).await?;
        self.generation(server, version.generation).await
    }

    /// One generation of a server's node file.
    pub async fn generation(&self, server: &ServerName, generation: u64) -> Result<StoredNode, OfficeError> {
        if let Some(node) = self.store.node(server.as_str(), generation).await? {
            return Ok(node);
        }
        let latest = self.store.latest_node(server.as_str()).await?;
        Err(OfficeError::Unknown {
            what: "generation",
            name: format!("{generation} of {server}"),
            nearest: latest.map(|node| node.generation.to_string()),
            list: "no node file was made for it yet",
        })
    }

    /// Makes the node and stores it if it differs from the latest; `None` when that was overtaken.
    async fn make(&self, server: &ServerName) -> Result<Option<NodeVersion>, OfficeError> {
        self.known_server(server).await?;
        let state = self.state().await?;
        let catalog = self.catalog().await?;
        let (resolved, name) = (Arc::clone(&state), server.clone());
        let resolved =
            tokio::task::spawn_blocking(move || Resolver::new(&resolved.estate, &catalog).resolve(&name))
                .await
                .map_err(|error| OfficeError::Broken(format!("{server} could not be resolved: {error}")))?;
        let mut resolved = resolved.map_err(|error| {
            let faults: Vec<String> =
                error.faults.iter().map(|fault| fault.in_file(&state.documents)).collect();
            OfficeError::Conflict(format!(
                "the node file of {server} cannot be made from revision {}:\n  {}",
                state.revision,
                faults.join("\n").replace('\n', "\n  ")
            ))
        })?;
        let digest = node::content_digest(&resolved);
        let latest = self.store.latest_node(server.as_str()).await?;
        if let Some(latest) = latest.as_ref().filter(|latest| latest.digest == digest) {
            return Ok(Some(latest.into()));
        }
        resolved.generation = latest.map_or(1, |latest| latest.generation + 1);
        let components: Vec<(String, String)> = resolved
            .components
            .iter()
            .map(|(name, component)| (name.to_string(), component.version.to_string()))
            .collect();
        let text = node::sign(&node::write(&resolved), &self.node_key);
        let new = NewNode {
            server: server.as_str(),
            generation: resolved.generation,
            digest: &digest,
            text: &text,
            revision: state.revision,
            components: &components,
        };
        let deed = Deed { at_us: self.clock.now_us(), actor: ACTOR };
        let added = self.store.add_node(&new, &deed).await?;
        Ok(added.then_some(NodeVersion { generation: resolved.generation, digest }))
    }
}

/// A stored node file as a node.
pub fn read(server: &ServerName, stored: &StoredNode) -> Result<Node, OfficeError> {
    let file = format!("generation {} of {server}", stored.generation);
    node::read(&file, &stored.text)
        .map_err(|error| OfficeError::Broken(format!("a stored node file cannot be read: {error}")))
}

/// A stored node file for everybody who is neither the server nor an operator: secrets masked, unsigned, and
/// therefore nothing a server would take.
pub fn masked(server: &ServerName, stored: &StoredNode) -> Result<Node, OfficeError> {
    let mut node = read(server, stored)?;
    mask::node(&mut node);
    Ok(node)
}
