//! Finds the servers an edit can affect, without resolving anything.

use std::collections::BTreeSet;

use crate::{
    estate::{Estate, Place, Role, Server},
    name::{Name, ServerName},
};

/// The servers of `new` whose node can differ from that in `old`; new servers are among them.
///
/// A server that only `old` has is not: it has no node any more.
pub fn affected_servers(old: &Estate, new: &Estate) -> BTreeSet<ServerName> {
    let changed = ChangedPlaces::new(old, new);
    new.servers
        .iter()
        .filter(|(name, server)| match old.servers.get(*name) {
            Some(before) => server_differs(before, server) || changed.affects_server(server),
            None => true,
        })
        .map(|(name, _)| name.clone())
        .collect()
}

struct ChangedPlaces<'a> {
    /// Changed roles, and all roles that inherit one.
    roles: BTreeSet<&'a Name>,
    groups: BTreeSet<&'a Name>,
    environments: BTreeSet<&'a Name>,
}

/// The places that differ between the estates in overrides or order: a place that only
/// inherits a change is among them.
pub(super) fn changed_places(old: &Estate, new: &Estate) -> BTreeSet<Place> {
    let ChangedPlaces { roles, groups, environments } = ChangedPlaces::new(old, new);
    let servers = new
        .servers
        .iter()
        .filter(|(name, server)| old.servers.get(*name).is_none_or(|before| server_differs(before, server)));
    let servers = servers.map(|(name, _)| Place::Server(name.clone()));
    let roles = roles.into_iter().cloned().map(Place::Role);
    let groups = groups.into_iter().cloned().map(Place::Group);
    let environments = environments.into_iter().cloned().map(Place::Environment);
    roles.chain(groups).chain(environments).chain(servers).collect()
}

impl<'a> ChangedPlaces<'a> {
    fn new(old: &'a Estate, new: &'a Estate) -> Self {
        Self {
            roles: changed_roles(old, new),
            groups: differing_names(&old.groups, &new.groups, |group| &group.overrides),
            environments: differing_names(&old.environments, &new.environments, |environment| {
                (&environment.channel, &environment.overrides)
            }),
        }
    }

    fn affects_server(&self, server: &Server) -> bool {
        self.environments.contains(&server.environment)
            || server.groups.iter().any(|name| self.groups.contains(name))
            || server.roles.iter().any(|name| self.roles.contains(name))
    }
}

/// Descriptions have no effect on a node.
fn server_differs(old: &Server, new: &Server) -> bool {
    (&old.environment, &old.groups, &old.roles, &old.overrides)
        != (&new.environment, &new.groups, &new.roles, &new.overrides)
}

fn differing_names<'a, T, V: PartialEq>(
    old: &'a std::collections::BTreeMap<Name, T>,
    new: &'a std::collections::BTreeMap<Name, T>,
    what: impl Fn(&'a T) -> V,
) -> BTreeSet<&'a Name> {
    let names = old.keys().chain(new.keys());
    names.filter(|name| old.get(*name).map(&what) != new.get(*name).map(&what)).collect()
}

fn changed_roles<'a>(old: &'a Estate, new: &'a Estate) -> BTreeSet<&'a Name> {
    let mut changed =
        differing_names(&old.roles, &new.roles, |role: &Role| (&role.inherits, &role.overrides));
    // The inheriting roles of each role, in either estate.
    let mut heirs: std::collections::BTreeMap<&Name, Vec<&'a Name>> = std::collections::BTreeMap::new();
    for (name, role) in old.roles.iter().chain(&new.roles) {
        for parent in &role.inherits {
            heirs.entry(parent).or_default().push(name);
        }
    }
    let mut open: Vec<&Name> = changed.iter().copied().collect();
    while let Some(name) = open.pop() {
        for heir in heirs.get(name).into_iter().flatten() {
            if changed.insert(heir) {
                open.push(heir);
            }
        }
    }
    changed
}
