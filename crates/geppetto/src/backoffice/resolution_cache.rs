//! What was found out once and holds until something changes: a change costs what it reaches, not what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    catalog::Catalog,
    name::{Name, ServerName},
    resolve::affected_servers,
};

use super::{EstateSnapshot, NodeVersion};

/// The newest state and catalog that were seen, and the servers' nodes as they follow from these two.
#[derive(Debug, Default)]
pub(super) struct ResolutionCache {
    state: Option<Arc<EstateSnapshot>>,
    catalog: Option<Arc<Catalog>>,
    nodes: BTreeMap<ServerName, NodeVersion>,
}

impl ResolutionCache {
    /// The state of a revision, if it is known.
    pub(super) fn snapshot(&self, revision: u64) -> Option<Arc<EstateSnapshot>> {
        self.state.clone().filter(|state| state.revision == revision)
    }

    /// Takes in a state; nodes stay known that it does not reach. What is known of its revision already stays.
    pub(super) fn insert_snapshot(&mut self, state: Arc<EstateSnapshot>) -> Arc<EstateSnapshot> {
        match &self.state {
            Some(known) if known.revision == state.revision => return Arc::clone(known),
            // A reader loaded it before the newest was committed.
            Some(known) if known.revision > state.revision => return state,
            Some(known) => {
                let reached = affected_servers(&known.estate, &state.estate);
                let servers = &state.estate.servers;
                self.nodes.retain(|server, _| servers.contains_key(server) && !reached.contains(server));
            }
            None => self.nodes.clear(),
        }
        self.state = Some(Arc::clone(&state));
        state
    }

    /// Takes in a catalog; nodes stay known whose channel offers the same as before.
    pub(super) fn insert_catalog(&mut self, catalog: &Arc<Catalog>) {
        if self.catalog.as_ref().is_some_and(|known| Arc::ptr_eq(known, catalog)) {
            return;
        }
        match (&self.catalog, &self.state) {
            (Some(known), Some(state)) => {
                let channels: BTreeSet<&Name> =
                    known.channels.keys().chain(catalog.channels.keys()).collect();
                let other: BTreeSet<&Name> = channels
                    .into_iter()
                    .filter(|channel| !offers_same_packages(known, catalog, channel))
                    .collect();
                let estate = &state.estate;
                self.nodes.retain(|server, _| {
                    let server = estate.servers.get(server);
                    let environment = server.and_then(|server| estate.environments.get(&server.environment));
                    environment.is_some_and(|environment| !other.contains(&environment.channel))
                });
            }
            _ => self.nodes.clear(),
        }
        self.catalog = Some(Arc::clone(catalog));
    }

    /// Which node a server has in this state with this catalog, if it is known.
    pub(super) fn cached_node(
        &self,
        server: &ServerName,
        state: &Arc<EstateSnapshot>,
        catalog: &Arc<Catalog>,
    ) -> Option<NodeVersion> {
        self.nodes.get(server).filter(|_| self.is_current_for(state, catalog)).cloned()
    }

    /// Remembers which node a server has, unless something newer is known than what it was made from.
    pub(super) fn insert_node(
        &mut self,
        server: &ServerName,
        version: &NodeVersion,
        state: &Arc<EstateSnapshot>,
        catalog: &Arc<Catalog>,
    ) {
        if self.is_current_for(state, catalog) {
            self.nodes.insert(server.clone(), version.clone());
        }
    }

    /// Whether the nodes here are those of this state with this catalog.
    fn is_current_for(&self, state: &Arc<EstateSnapshot>, catalog: &Arc<Catalog>) -> bool {
        self.state.as_ref().is_some_and(|known| Arc::ptr_eq(known, state))
            && self.catalog.as_ref().is_some_and(|known| Arc::ptr_eq(known, catalog))
    }
}

/// Whether a channel offers the same packages in two catalogs.
fn offers_same_packages(one: &Catalog, other: &Catalog, channel: &Name) -> bool {
    let (Some(mine), Some(theirs)) = (one.channels.get(channel), other.channels.get(channel)) else {
        return false;
    };
    // A version can go and come back with other bytes.
    let packages = |catalog: &Catalog, name: &Name, version| {
        let published = catalog.components.get(name)?.get(version)?;
        Some((published.payload.clone(), published.deployment.clone()))
    };
    mine == theirs
        && mine.iter().all(|(name, versions)| {
            versions.iter().all(|version| packages(one, name, version) == packages(other, name, version))
        })
}
