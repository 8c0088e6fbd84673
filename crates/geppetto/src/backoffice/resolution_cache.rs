//! What was found out once and holds until something changes: a change costs what it reaches, not what there is.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    catalog::ComponentCatalog,
    name::{Name, ServerName},
    resolve::{ChangedResolutionInputs, ResolutionReads, ResolutionReadsIndex},
};

use super::{BackOffice, BackOfficeError, EstateSnapshot, NodeGenerationAndDigest};

/// Rows of resolutions are read again that were written this long before the last look: clocks of control planes differ.
const CLOCK_MARGIN_US: i64 = 10_000_000;

/// The newest state and catalog that were seen, what the servers' resolutions read, and their nodes as they follow from
/// the state and the catalog.
#[derive(Debug, Default)]
pub(super) struct ResolutionCache {
    state: Option<Arc<EstateSnapshot>>,
    /// The places of a revision that are no servers, while its whole state is not known.
    shared_places: Option<Arc<EstateSnapshot>>,
    catalog: Option<Arc<ComponentCatalog>>,
    reads: Arc<ResolutionReadsIndex>,
    /// When the reads were last taken from the database.
    reads_at_us: Option<i64>,
    nodes: BTreeMap<ServerName, NodeGenerationAndDigest>,
    /// The revision the nodes hold for.
    nodes_revision: u64,
    /// The environments of servers that were asked for while the state was not known.
    environments: BTreeMap<ServerName, Name>,
    /// The revision the environments hold for.
    environments_revision: u64,
    /// The document of the server whose environment was read last: its node is often made next.
    last_server: Option<(ServerName, Arc<EstateSnapshot>)>,
}

impl ResolutionCache {
    /// The state of a revision, if it is known.
    pub(super) fn snapshot_if_cached(&self, revision: u64) -> Option<Arc<EstateSnapshot>> {
        self.state.clone().filter(|state| state.revision == revision)
    }

    /// The places of a revision that are no servers, if they are known.
    pub(super) fn shared_places_if_cached(&self, revision: u64) -> Option<Arc<EstateSnapshot>> {
        self.shared_places.clone().filter(|places| places.revision == revision)
    }

    /// Takes in the places of a revision that are no servers.
    pub(super) fn insert_shared_places(&mut self, places: Arc<EstateSnapshot>) {
        if self.state.is_none() {
            self.shared_places = Some(places);
        }
    }

    /// Takes in a state; nodes stay known that it does not reach. What is known of its revision already stays.
    pub(super) fn insert_snapshot_and_forget_reached_nodes(
        &mut self,
        state: Arc<EstateSnapshot>,
    ) -> Arc<EstateSnapshot> {
        match &self.state {
            Some(known) if known.revision == state.revision => return Arc::clone(known),
            // A reader loaded it before the newest was committed.
            Some(known) if known.revision > state.revision => return state,
            Some(known) if known.revision == self.nodes_revision => {
                let changed = ChangedResolutionInputs::diff_estates(&known.estate, &state.estate);
                self.forget_reached(&changed, &state);
            }
            // Nodes may be known of the very revision whose state is known only now.
            None if self.nodes_revision == state.revision => {}
            _ => self.nodes.clear(),
        }
        self.nodes_revision = state.revision;
        self.state = Some(Arc::clone(&state));
        self.shared_places = None;
        state
    }

    /// Takes in a catalog; nodes stay known that read nothing of what is different in it.
    pub(super) fn insert_catalog_and_forget_reached_nodes(&mut self, catalog: &Arc<ComponentCatalog>) {
        if self.catalog.as_ref().is_some_and(|known| Arc::ptr_eq(known, catalog)) {
            return;
        }
        match (&self.catalog, self.state.clone()) {
            (Some(known), Some(state)) => {
                let changed = ChangedResolutionInputs::diff_catalogs(known, catalog);
                self.forget_reached(&changed, &state);
            }
            _ => self.nodes.clear(),
        }
        self.catalog = Some(Arc::clone(catalog));
    }

    fn forget_reached(&mut self, changed: &ChangedResolutionInputs, state: &EstateSnapshot) {
        let reached = self.reads.find_servers_reached_by_change(changed, &state.estate);
        let servers = &state.estate.servers;
        self.nodes.retain(|server, _| servers.contains_key(server) && !reached.contains(server));
    }

    /// Whether it may be said without its document in which environment a server is.
    pub(super) fn may_know_environment(&self, server: &ServerName) -> bool {
        self.state.is_some() || self.environments.contains_key(server)
    }

    /// The environment of a server in this revision, if it was asked for before.
    pub(super) fn cached_environment(&self, server: &ServerName, revision: u64) -> Option<Name> {
        self.environments.get(server).filter(|_| self.environments_revision == revision).cloned()
    }

    /// Remembers the environment of a server, and its document until another one's is read.
    pub(super) fn insert_server_document(
        &mut self,
        server: &ServerName,
        environment: &Name,
        document: EstateSnapshot,
    ) {
        if self.environments_revision != document.revision {
            self.environments.clear();
            self.environments_revision = document.revision;
        }
        self.environments.insert(server.clone(), environment.clone());
        self.last_server = Some((server.clone(), Arc::new(document)));
    }

    /// The document of a server in this revision, if it is the one that was read last.
    pub(super) fn server_document_if_read_last(
        &self,
        server: &ServerName,
        revision: u64,
    ) -> Option<Arc<EstateSnapshot>> {
        let (_, document) = self.last_server.as_ref().filter(|(name, _)| name == server)?;
        Some(Arc::clone(document)).filter(|document| document.revision == revision)
    }

    /// Which node a server has in this revision with this catalog, if it is known.
    pub(super) fn cached_node_generation(
        &self,
        server: &ServerName,
        revision: u64,
        catalog: &Arc<ComponentCatalog>,
    ) -> Option<NodeGenerationAndDigest> {
        self.nodes.get(server).filter(|_| self.is_current_for(revision, catalog)).cloned()
    }

    /// Remembers which node a server has and what its resolution read, unless something newer is known than what it was
    /// made from.
    pub(super) fn insert_node_generation_unless_outdated(
        &mut self,
        server: &ServerName,
        version: &NodeGenerationAndDigest,
        reads: &ResolutionReads,
        revision: u64,
        catalog: &Arc<ComponentCatalog>,
    ) {
        if self.state.is_none() && revision > self.nodes_revision {
            self.nodes.clear();
            self.nodes_revision = revision;
        }
        if self.is_current_for(revision, catalog) {
            self.insert_reads(server, reads);
            self.nodes.insert(server.clone(), version.clone());
        }
    }

    fn insert_reads(&mut self, server: &ServerName, reads: &ResolutionReads) {
        if self.reads.reads_of_server(server).is_none_or(|known| **known != *reads) {
            Arc::make_mut(&mut self.reads).insert_reads(server, Arc::new(reads.clone()));
        }
    }

    /// Whether the nodes here are those of this revision with this catalog.
    fn is_current_for(&self, revision: u64, catalog: &Arc<ComponentCatalog>) -> bool {
        self.nodes_revision == revision
            && self.catalog.as_ref().is_some_and(|known| Arc::ptr_eq(known, catalog))
    }
}

impl BackOffice {
    /// What the resolutions of all servers read, as far as they are stored.
    pub(super) async fn refresh_resolution_reads_index(
        &self,
    ) -> Result<Arc<ResolutionReadsIndex>, BackOfficeError> {
        let now = self.clock.now_us();
        let since = self.cache().reads_at_us.map_or(i64::MIN, |at| at - CLOCK_MARGIN_US);
        let written = self.store.read_resolution_reads_updated_since(since).await?;
        let mut cache = self.cache();
        for (server, reads) in &written {
            cache.insert_reads(server, reads);
        }
        cache.reads_at_us = Some(now);
        Ok(Arc::clone(&cache.reads))
    }
}
