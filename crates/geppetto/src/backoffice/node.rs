//! Node files: made when a server (or a person) asks and the content has changed since; numbered, signed, kept.

use std::sync::{Arc, atomic::Ordering};

use model::{
    catalog::ComponentCatalog,
    format::estate::SettingLocator,
    format::node::{self, NodeYamlWriterWithSharedComponents},
    name::ServerName,
    node::Node,
    resolve::{self, Resolution, ResolutionReads, Resolver},
    wire::Explanation,
};

use super::{BackOffice, BackOfficeError, mask, resolution_rows::NewResolutionRowFactory};
use crate::{
    auth::Principal,
    store::{NewNodeFile, StoredNodeFile},
};

/// How often a node is resolved again after a concurrent commit.
const ATTEMPTS: usize = 10;

/// Which content, without the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeGenerationAndDigest {
    /// The epoch it was made in.
    pub(crate) epoch: u64,
    /// Counted from 1.
    pub(crate) generation: u64,
    /// Of its content without the number.
    pub(crate) digest: String,
}

/// A node file as one principal may see it.
#[derive(Debug, Clone)]
pub(crate) enum SignedOrMaskedNode {
    /// The signed text, for the server itself and for operators of its environment.
    Signed(StoredNodeFile),
    /// Secrets are masked and there is no signature: no server would take it.
    Masked(Box<Node>),
}

/// A node before it has a number, and what it was made from.
pub(super) struct UnnumberedNode {
    latest: Option<StoredNodeFile>,
    revision: u64,
    catalog: Arc<ComponentCatalog>,
    pub(super) resolution: Resolution,
}

/// The node of a server as it must be now.
enum KnownOrNewNode {
    /// Its file was made before.
    Known(NodeGenerationAndDigest),
    /// Its file, made or read just now.
    New(StoredNodeFile),
}

impl From<&StoredNodeFile> for NodeGenerationAndDigest {
    fn from(node: &StoredNodeFile) -> Self {
        Self { epoch: node.epoch, generation: node.generation, digest: node.digest.clone() }
    }
}

impl KnownOrNewNode {
    fn generation_and_digest(self) -> NodeGenerationAndDigest {
        match self {
            KnownOrNewNode::Known(version) => version,
            KnownOrNewNode::New(stored) => (&stored).into(),
        }
    }
}

impl BackOffice {
    /// Which generation a server must be at now, if the principal may have its signed text: enough to answer
    /// who has it already.
    pub(crate) async fn get_or_create_generation_if_permitted(
        &self,
        principal: &Principal,
        server: &ServerName,
    ) -> Result<Option<NodeGenerationAndDigest>, BackOfficeError> {
        let (revision, signed) = self.revision_and_whether_signed(principal, server).await?;
        match signed {
            true => Ok(Some(self.known_or_new_node(server, revision).await?.generation_and_digest())),
            false => Ok(None),
        }
    }

    /// The node file that a server must be made like now, or one of its earlier generations.
    pub(crate) async fn get_or_create_node_file(
        &self,
        principal: &Principal,
        server: &ServerName,
        generation: Option<u64>,
    ) -> Result<SignedOrMaskedNode, BackOfficeError> {
        let (stored, signed) = match generation {
            Some(generation) => {
                let stored = self.store.read_node_file_of_generation(server.as_str(), generation).await?;
                self.require_view_of_server_history(principal, server, stored.is_some()).await?;
                let signed = match self.has_server(server).await? {
                    true => self.revision_and_whether_signed(principal, server).await?.1,
                    false => principal.can_see_secrets(None),
                };
                let stored = match stored {
                    Some(stored) => stored,
                    None => return Err(self.unknown_generation(server, generation).await?),
                };
                (stored, signed)
            }
            None => {
                let (revision, signed) = self.revision_and_whether_signed(principal, server).await?;
                let stored = match self.known_or_new_node(server, revision).await? {
                    KnownOrNewNode::Known(version) => self.read_known_node_file(server, &version).await?,
                    KnownOrNewNode::New(stored) => stored,
                };
                (stored, signed)
            }
        };
        Ok(match signed {
            true => SignedOrMaskedNode::Signed(stored),
            false => SignedOrMaskedNode::Masked(Box::new(masked_node(server, &stored)?)),
        })
    }

    /// Why a value of a server is what it is. Secrets are never shown.
    pub(crate) async fn explain_value(
        &self,
        principal: &Principal,
        server: &ServerName,
        key: &str,
    ) -> Result<Explanation, BackOfficeError> {
        let node = self.resolved_node(principal, server).await?;
        resolve::explain_dotted_key(&node, key).map_err(|error| BackOfficeError::Absent(error.to_string()))
    }

    /// Why every value of a server is what it is. Secrets are never shown.
    pub(crate) async fn explain_all_versions_and_values(
        &self,
        principal: &Principal,
        server: &ServerName,
    ) -> Result<Vec<Explanation>, BackOfficeError> {
        Ok(resolve::explain_all_versions_and_values(&self.resolved_node(principal, server).await?))
    }

    /// The node as it is resolved now. The provenance in a stored node file may be older: the same content said by
    /// another place makes no new generation.
    async fn resolved_node(
        &self,
        principal: &Principal,
        server: &ServerName,
    ) -> Result<Node, BackOfficeError> {
        self.require_visible_environment_of_server(principal, server).await?;
        Ok(self.resolve_unnumbered_node(server).await?.resolution.node)
    }

    /// A node file to try on another machine: unsigned, and with placeholders for the secrets.
    pub(crate) async fn build_unsigned_node_file_without_secrets(
        &self,
        principal: &Principal,
        server: &ServerName,
    ) -> Result<String, BackOfficeError> {
        Ok(node::node_to_yaml_without_secrets(&self.resolved_node(principal, server).await?))
    }

    /// The number of the newest revision, and whether the principal may have the signed text; refused where it may see
    /// nothing of the server.
    async fn revision_and_whether_signed(
        &self,
        principal: &Principal,
        server: &ServerName,
    ) -> Result<(u64, bool), BackOfficeError> {
        let (revision, environment) =
            self.require_visible_revision_and_environment(principal, server).await?;
        Ok((revision, principal.is_this_server(server) || principal.can_see_secrets(Some(&environment))))
    }

    /// Which generation a server must be at now; a new one is made if the content has changed.
    #[cfg(test)]
    pub(super) async fn get_or_create_node_generation(
        &self,
        server: &ServerName,
    ) -> Result<NodeGenerationAndDigest, BackOfficeError> {
        let revision = self.store.read_current_revision_number().await?;
        Ok(self.known_or_new_node(server, revision).await?.generation_and_digest())
    }

    /// The signed text of the current node version.
    #[cfg(test)]
    pub(super) async fn get_or_create_signed_node_file(
        &self,
        server: &ServerName,
    ) -> Result<StoredNodeFile, BackOfficeError> {
        match self.get_or_create_node_file(&Principal::CONTROL_PLANE_ITSELF, server, None).await? {
            SignedOrMaskedNode::Signed(stored) => Ok(stored),
            SignedOrMaskedNode::Masked(_) => Err(BackOfficeError::Broken("it is masked".to_owned())),
        }
    }

    /// The node of a server as it must be now, where `revision` was the newest a moment ago; a new one is made if the
    /// content has changed. As long as nothing that reaches this server changes, this asks the database for nothing.
    async fn known_or_new_node(
        &self,
        server: &ServerName,
        mut revision: u64,
    ) -> Result<KnownOrNewNode, BackOfficeError> {
        for _ in 0..ATTEMPTS {
            let catalog = self.read_catalog_of_all_channels().await?;
            if let Some(version) = self.cache().cached_node_generation(server, revision, &catalog) {
                return Ok(KnownOrNewNode::Known(version));
            }
            let (latest, catalog) = match self.latest_node_generation(server).await? {
                // Whoever makes the first generation meanwhile takes its number: nothing older can follow it.
                None => (None, catalog),
                Some(version) => {
                    if let Some(reads) = self.reads_if_current(server, &version, revision, &catalog).await? {
                        self.cache().insert_node_generation_unless_outdated(
                            server, &version, &reads, revision, &catalog,
                        );
                        return Ok(KnownOrNewNode::Known(version));
                    }
                    let latest = self.store.read_latest_node_file(server.as_str()).await?;
                    // Read after the latest: what is resolved with it is at least as new as what that holds.
                    (latest, self.read_catalog_of_all_channels().await?)
                }
            };
            let draft = self.resolve_unnumbered_node_at_revision(server, revision, latest, catalog).await?;
            let Some(stored) = self.store_resolved_node_unless_outdated(&draft).await? else {
                revision = self.store.read_current_revision_number().await?;
                continue;
            };
            self.cache().insert_node_generation_unless_outdated(
                server,
                &(&stored).into(),
                &draft.resolution.reads,
                draft.revision,
                &draft.catalog,
            );
            return Ok(KnownOrNewNode::New(stored));
        }
        Err(BackOfficeError::Conflict(format!(
            "the estate changes faster than the node file of {server} can be made; try again in a moment"
        )))
    }

    /// Which generation of a server was made last.
    async fn latest_node_generation(
        &self,
        server: &ServerName,
    ) -> Result<Option<NodeGenerationAndDigest>, BackOfficeError> {
        let latest = self.store.read_latest_epoch_generation_and_digest(server.as_str()).await?;
        Ok(latest.map(|(epoch, generation, digest)| NodeGenerationAndDigest { epoch, generation, digest }))
    }

    /// What the stored resolution of a server read, if it still holds and `latest` is the node file made of it. Neither the
    /// estate nor any node is read for it.
    async fn reads_if_current(
        &self,
        server: &ServerName,
        latest: &NodeGenerationAndDigest,
        revision: u64,
        catalog: &ComponentCatalog,
    ) -> Result<Option<ResolutionReads>, BackOfficeError> {
        if latest.epoch != self.store.epoch() {
            return Ok(None);
        }
        let Some(stored) = self.store.read_resolution_without_node(server.as_str()).await? else {
            return Ok(None);
        };
        let holds = match stored.reads.selections.is_empty() {
            true => !stored.is_outdated,
            // Which servers are selected may change with any of them.
            false => stored.revision == revision,
        };
        let is_current = holds
            && !stored.reads.failed
            && stored.digest == latest.digest
            && stored.offers == NewResolutionRowFactory::new(catalog).digest_of_offers_read(&stored.reads);
        Ok(is_current.then_some(stored.reads))
    }

    /// The node file of a generation that was made.
    async fn read_known_node_file(
        &self,
        server: &ServerName,
        version: &NodeGenerationAndDigest,
    ) -> Result<StoredNodeFile, BackOfficeError> {
        let stored = self.store.read_node_file_of_generation(server.as_str(), version.generation).await?;
        stored.ok_or_else(|| {
            BackOfficeError::Broken(format!("generation {} of {server} is not stored", version.generation))
        })
    }

    async fn unknown_generation(
        &self,
        server: &ServerName,
        generation: u64,
    ) -> Result<BackOfficeError, BackOfficeError> {
        let latest = self.store.read_latest_node_file(server.as_str()).await?;
        Ok(BackOfficeError::Unknown {
            what: "generation",
            name: format!("{generation} of {server}"),
            nearest: latest.map(|node| node.generation.to_string()),
            list: "no node file was made for it yet",
        })
    }

    /// Resolves the node of a server as everything is now.
    pub(super) async fn resolve_unnumbered_node(
        &self,
        server: &ServerName,
    ) -> Result<UnnumberedNode, BackOfficeError> {
        self.require_visible_environment_of_server(&Principal::CONTROL_PLANE_ITSELF, server).await?;
        let revision = self.store.read_current_revision_number().await?;
        let latest = self.store.read_latest_node_file(server.as_str()).await?;
        let catalog = self.read_catalog_of_all_channels().await?;
        self.resolve_unnumbered_node_at_revision(server, revision, latest, catalog).await
    }

    /// The same for a server that is known to be there, where `revision` was the newest a moment ago, and `latest` was the
    /// newest node file before `catalog` was read.
    async fn resolve_unnumbered_node_at_revision(
        &self,
        server: &ServerName,
        revision: u64,
        latest: Option<StoredNodeFile>,
        catalog: Arc<ComponentCatalog>,
    ) -> Result<UnnumberedNode, BackOfficeError> {
        self.resolutions.fetch_add(1, Ordering::Relaxed);
        if let Some((revision, resolution)) =
            self.try_resolve_without_whole_estate(server, revision, &catalog).await?
        {
            return Ok(UnnumberedNode { latest, revision, catalog, resolution });
        }
        let state = self.cached_or_read_current_estate().await?;
        let (estate, offer, name) = (Arc::clone(&state), Arc::clone(&catalog), server.clone());
        let resolve = move || Resolver::new(&estate.estate, &offer).resolve_server(&name);
        let resolved = tokio::task::spawn_blocking(resolve)
            .await
            .map_err(|error| BackOfficeError::Broken(format!("{server} could not be resolved: {error}")))?;
        let resolution = resolved.map_err(|error| BackOfficeError::Unresolvable {
            server: server.to_string(),
            revision: state.revision,
            faults: {
                let mut locator = SettingLocator::new(&state.documents);
                error.faults.iter().map(|fault| fault.to_located_fault(&mut locator)).collect()
            },
        })?;
        Ok(UnnumberedNode { latest, revision: state.revision, catalog, resolution })
    }

    /// Stores the resolution of a draft, and the draft as the next generation if it differs from the latest; `None`, and
    /// nothing is stored, when a newer generation was stored or a newer revision committed meanwhile.
    pub(super) async fn store_resolved_node_unless_outdated(
        &self,
        draft: &UnnumberedNode,
    ) -> Result<Option<StoredNodeFile>, BackOfficeError> {
        let digest = draft.resolution.digest.to_string();
        let resolution = NewResolutionRowFactory::new(&draft.catalog)
            .build_resolution_row(draft.resolution.node.server.clone(), Some((&draft.resolution).into()));
        if let Some(latest) = draft
            .latest
            .as_ref()
            .filter(|latest| latest.digest == digest && latest.epoch == self.store.epoch())
        {
            self.store
                .store_resolution_unless_newer(draft.revision, &resolution, self.clock.now_us())
                .await?;
            return Ok(Some(latest.clone()));
        }
        let generation = draft.latest.as_ref().map_or(1, |latest| latest.generation + 1);
        let epoch = self.store.epoch();
        let numbered = Node { epoch, generation, ..draft.resolution.node.clone() };
        let components: Vec<(String, String)> = numbered
            .components
            .iter()
            .map(|(name, component)| (name.to_string(), component.version.to_string()))
            .collect();
        let text =
            NodeYamlWriterWithSharedComponents::default().node_to_signed_yaml(&numbered, &self.node_key);
        let new = NewNodeFile {
            server: numbered.server.as_str(),
            generation,
            digest: &digest,
            text: &text,
            revision: draft.revision,
            components: &components,
            resolution,
        };
        let actor = Principal::CONTROL_PLANE_ITSELF.audit_actor();
        let context = self.audit_context(&actor);
        let created_us = context.at_us;
        let added = self.store.insert_node_file_unless_outdated(&new, &context).await?;
        Ok(added.then_some(StoredNodeFile { generation, epoch, digest, text, created_us }))
    }

    /// How many nodes were resolved since the start: what changes and publications have cost.
    #[cfg(test)]
    pub(super) fn resolution_count_since_start(&self) -> u64 {
        self.resolutions.load(Ordering::Relaxed)
    }
}

/// A stored node file as a node.
fn read_stored_node(server: &ServerName, stored: &StoredNodeFile) -> Result<Node, BackOfficeError> {
    let file = format!("generation {} of {server}", stored.generation);
    node::parse_node_yaml(&file, &stored.text)
        .map_err(|error| BackOfficeError::Broken(format!("a stored node file cannot be read: {error}")))
}

/// A stored node file for principals that may not see secrets.
fn masked_node(server: &ServerName, stored: &StoredNodeFile) -> Result<Node, BackOfficeError> {
    let mut node = read_stored_node(server, stored)?;
    mask::mask_secrets_in_node(&mut node);
    Ok(node)
}
