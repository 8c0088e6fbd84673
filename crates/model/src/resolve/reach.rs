//! Which servers a change reaches: derived from what their resolutions read, so that it cannot disagree with them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{Resolution, ResolutionReads, ResolveFaults};
use crate::{
    catalog::ComponentCatalog,
    estate::{Estate, PlaceId, Server},
    name::{Name, ServerName},
    server_selection::ServerSelectionCriteria,
};

/// What changes of all that resolutions can read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangedResolutionInputs {
    /// Roles, groups, environments and servers that differ in more than their description, come or go.
    pub places: BTreeSet<PlaceId>,
    /// Channels with the components whose versions or packages differ in them.
    pub offers: BTreeSet<(Name, Name)>,
    /// Where servers that change, come or go are and were: their environment and groups.
    positions: BTreeSet<(ServerName, Name, Vec<Name>)>,
}

/// The reads of all servers, by what was read.
#[derive(Debug, Clone, Default)]
pub struct ResolutionReadsIndex {
    reads: BTreeMap<ServerName, Arc<ResolutionReads>>,
    by_place: HashMap<PlaceId, BTreeSet<ServerName>>,
    by_offer: HashMap<(Name, Name), BTreeSet<ServerName>>,
    by_server: HashMap<ServerName, BTreeSet<ServerName>>,
    by_selection: HashMap<ServerSelectionCriteria, BTreeSet<ServerName>>,
    failed: BTreeSet<ServerName>,
}

impl ChangedResolutionInputs {
    /// What differs between two estates.
    pub fn diff_estates(old: &Estate, new: &Estate) -> Self {
        let mut changed = Self::default();
        let roles = differing(&old.roles, &new.roles, |one, other| {
            (&one.inherits, &one.settings) == (&other.inherits, &other.settings)
        });
        changed.places.extend(roles.map(PlaceId::Role));
        let groups = differing(&old.groups, &new.groups, |one, other| one.settings == other.settings);
        changed.places.extend(groups.map(PlaceId::Group));
        let environments = differing(&old.environments, &new.environments, |one, other| {
            (&one.channel, &one.readable_from, &one.settings)
                == (&other.channel, &other.readable_from, &other.settings)
        });
        changed.places.extend(environments.map(PlaceId::Environment));
        for name in differing(&old.servers, &new.servers, is_same_server) {
            for server in [old.servers.get(&name), new.servers.get(&name)].into_iter().flatten() {
                changed.positions.insert((name.clone(), server.environment.clone(), server.groups.clone()));
            }
            changed.places.insert(PlaceId::Server(name));
        }
        changed
    }

    /// What differs between two catalogs.
    pub fn diff_catalogs(old: &ComponentCatalog, new: &ComponentCatalog) -> Self {
        let mut changed = Self::default();
        let nothing = BTreeMap::new();
        let channels: BTreeSet<&Name> = old.channels.keys().chain(new.channels.keys()).collect();
        for channel in channels {
            let before = old.channels.get(channel).unwrap_or(&nothing);
            let after = new.channels.get(channel).unwrap_or(&nothing);
            let names: BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
            let differs = |name: &&Name| !old.has_same_packages_of_component(new, channel, name);
            changed
                .offers
                .extend(names.into_iter().filter(differs).map(|name| (channel.clone(), name.clone())));
        }
        changed
    }
}

/// Descriptions and MAC addresses have no effect on a node.
fn is_same_server(one: &Server, other: &Server) -> bool {
    let node_inputs =
        |server: &Server| Server { description: String::new(), macs: BTreeSet::new(), ..server.clone() };
    std::ptr::eq(one, other) || one == other || node_inputs(one) == node_inputs(other)
}

fn differing<'a, K: Ord + Clone, V>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
    is_same: impl Fn(&V, &V) -> bool + 'a,
) -> impl Iterator<Item = K> + 'a {
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let changed =
        new.iter().filter(move |(key, after)| !old.get(*key).is_some_and(|one| is_same(one, after)));
    gone.chain(changed.map(|(key, _)| key)).cloned()
}

impl ResolutionReadsIndex {
    /// What a server's resolution read, if it is known.
    pub fn reads_of_server(&self, server: &ServerName) -> Option<&Arc<ResolutionReads>> {
        self.reads.get(server)
    }

    /// Records what the resolution of a server read, instead of what it read before.
    pub fn insert_reads(&mut self, server: &ServerName, reads: Arc<ResolutionReads>) {
        if self.reads.get(server).is_some_and(|known| *known == reads) {
            return;
        }
        self.remove_reads_of_server(server);
        for place in &reads.places {
            add(&mut self.by_place, place, server);
        }
        for component in reads.components.iter() {
            if let Some(channel) = &reads.channel {
                add(&mut self.by_offer, &(channel.clone(), component.clone()), server);
            }
        }
        for other in &reads.servers {
            add(&mut self.by_server, other, server);
        }
        for selection in &reads.selections {
            add(&mut self.by_selection, selection, server);
        }
        if reads.failed {
            self.failed.insert(server.clone());
        }
        self.reads.insert(server.clone(), reads);
    }

    /// Records the resolution of a server, whether it could be resolved or not.
    pub fn insert_reads_of_resolution(
        &mut self,
        server: &ServerName,
        resolved: &Result<Resolution, ResolveFaults>,
    ) {
        let reads = match resolved {
            Ok(resolution) => resolution.reads.clone(),
            Err(_) => ResolutionReads { failed: true, ..ResolutionReads::default() },
        };
        self.insert_reads(server, Arc::new(reads));
    }

    /// Forgets a server.
    pub fn remove_reads_of_server(&mut self, server: &ServerName) {
        let Some(reads) = self.reads.remove(server) else { return };
        for place in &reads.places {
            take(&mut self.by_place, place, server);
        }
        for component in reads.components.iter() {
            if let Some(channel) = &reads.channel {
                take(&mut self.by_offer, &(channel.clone(), component.clone()), server);
            }
        }
        for other in &reads.servers {
            take(&mut self.by_server, other, server);
        }
        for selection in &reads.selections {
            take(&mut self.by_selection, selection, server);
        }
        self.failed.remove(server);
    }

    /// The servers whose nodes a change can change: those that read something of it, those that could not be resolved
    /// before, and those that read such a server or select one. A server that comes is among them; one that goes is not.
    pub fn find_servers_reached_by_change(
        &self,
        changed: &ChangedResolutionInputs,
        new: &Estate,
    ) -> BTreeSet<ServerName> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<ServerName> = self.failed.iter().cloned().collect();
        for place in &changed.places {
            open.extend(self.by_place.get(place).into_iter().flatten().cloned());
            if let PlaceId::Server(name) = place {
                open.push(name.clone());
            }
        }
        for offer in &changed.offers {
            open.extend(self.by_offer.get(offer).into_iter().flatten().cloned());
        }
        for (server, environment, groups) in &changed.positions {
            open.extend(self.selectors(environment, groups).cloned());
            open.push(server.clone());
        }
        // What is not recorded may depend on anything.
        open.extend(new.servers.keys().filter(|name| !self.reads.contains_key(*name)).cloned());
        while let Some(server) = open.pop() {
            if reached.contains(&server) {
                continue;
            }
            open.extend(self.by_server.get(&server).into_iter().flatten().cloned());
            // Its roles and components may differ now, and with them which selections it is in.
            if let (false, Some(found)) = (self.by_selection.is_empty(), new.servers.get(&server)) {
                open.extend(self.selectors(&found.environment, &found.groups).cloned());
            }
            reached.insert(server);
        }
        reached.retain(|server| new.servers.contains_key(server));
        reached
    }

    /// The servers with a selection that a server in this environment and these groups can be in.
    fn selectors<'i>(
        &'i self,
        environment: &'i Name,
        groups: &'i [Name],
    ) -> impl Iterator<Item = &'i ServerName> {
        let can_be_in = move |selection: &ServerSelectionCriteria| {
            selection.environment == *environment
                && selection.group.as_ref().is_none_or(|group| groups.contains(group))
        };
        let selections = self.by_selection.iter().filter(move |(selection, _)| can_be_in(selection));
        selections.flat_map(|(_, servers)| servers)
    }
}

fn add<K: std::hash::Hash + Eq + Clone>(
    index: &mut HashMap<K, BTreeSet<ServerName>>,
    key: &K,
    server: &ServerName,
) {
    match index.get_mut(key) {
        Some(servers) => _ = servers.insert(server.clone()),
        None => _ = index.insert(key.clone(), BTreeSet::from([server.clone()])),
    }
}

fn take<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<ServerName>>, key: &K, server: &ServerName) {
    if let Some(servers) = index.get_mut(key) {
        servers.remove(server);
        if servers.is_empty() {
            index.remove(key);
        }
    }
}
