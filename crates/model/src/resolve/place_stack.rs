//! The stack of places that apply to one server, strongest first.

use std::collections::BTreeMap;

use super::{
    fault::{EstateFault, FaultKind, ResolveError},
    linearise::RoleHierarchy,
};
use crate::{
    estate::{Estate, InheritedItem, Overrides, Place, RevisionOrigin},
    name::{Name, ServerName},
    nearest,
};

/// The places of one server and their overrides.
pub(super) struct PlaceStack<'a> {
    pub(super) server: &'a ServerName,
    pub(super) environment: &'a Name,
    pub(super) channel: &'a Name,
    /// Strongest first: the server, its groups, its environment, its roles.
    pub(super) stack: Vec<PlaceLayer<'a>>,
    /// The strongest layer that removes each component: weaker ones have no effect on it.
    component_removals: BTreeMap<&'a Name, (usize, Option<&'a RevisionOrigin>)>,
}

/// One place and its overrides.
pub(super) struct PlaceLayer<'a> {
    pub(super) place: Place,
    pub(super) overrides: &'a Overrides,
}

/// Stacks the places of `server`.
pub(super) fn stack_places<'a>(
    estate: &'a Estate,
    hierarchy: &RoleHierarchy<'a>,
    server: &ServerName,
) -> Result<PlaceStack<'a>, ResolveError> {
    let Some((name, server)) = estate.servers.get_key_value(server) else {
        let known = estate.servers.keys().map(ServerName::as_str);
        return Err(unknown(Place::Server(server.clone()), "server", server.as_str(), known).into());
    };
    let me = Place::Server(name.clone());
    let mut faults = Vec::new();
    let mut stack = vec![PlaceLayer { place: me.clone(), overrides: &server.overrides }];
    for group in &server.groups {
        match estate.groups.get(group) {
            Some(found) => {
                stack.push(PlaceLayer { place: Place::Group(group.clone()), overrides: &found.overrides })
            }
            None => faults.push(unknown(me.clone(), "group", group.as_str(), names(&estate.groups))),
        }
    }
    let environment = estate.environments.get(&server.environment);
    match environment {
        Some(found) => {
            stack.push(PlaceLayer {
                place: Place::Environment(server.environment.clone()),
                overrides: &found.overrides,
            });
        }
        None => {
            let known = names(&estate.environments);
            faults.push(unknown(me.clone(), "environment", server.environment.as_str(), known));
        }
    }
    match hierarchy.merge_linearisations(&me, &server.roles) {
        Ok(order) => stack.extend(order.into_iter().filter_map(|role| {
            Some(PlaceLayer {
                place: Place::Role(role.clone()),
                overrides: &estate.roles.get(role)?.overrides,
            })
        })),
        Err(wrong) => faults.extend(wrong),
    }
    match environment {
        Some(found) if faults.is_empty() => {
            Ok(PlaceStack::new(name, &server.environment, &found.channel, stack))
        }
        _ => Err(faults.into()),
    }
}

impl<'a> PlaceStack<'a> {
    pub(super) fn new(
        server: &'a ServerName,
        environment: &'a Name,
        channel: &'a Name,
        stack: Vec<PlaceLayer<'a>>,
    ) -> Self {
        Self { server, environment, channel, component_removals: component_removals(&stack), stack }
    }

    /// The number of layers that have an effect on a component.
    pub(super) fn effective_layers(&self, component: &Name) -> usize {
        self.component_removals.get(component).map_or(self.stack.len(), |(index, _)| index + 1)
    }

    /// The place that removes a component from weaker ones, and the revision that added the removal.
    pub(super) fn removal_of(&self, component: &Name) -> Option<(&Place, Option<&'a RevisionOrigin>)> {
        self.component_removals.get(component).map(|(index, origin)| (&self.stack[*index].place, *origin))
    }
}

fn component_removals<'a>(
    stack: &[PlaceLayer<'a>],
) -> BTreeMap<&'a Name, (usize, Option<&'a RevisionOrigin>)> {
    let mut removals = BTreeMap::new();
    for (at, layer) in stack.iter().enumerate() {
        for removed in &layer.overrides.remove {
            if let InheritedItem::Component(name) = &removed.what {
                removals.entry(name).or_insert((at, removed.origin.as_ref()));
            }
        }
    }
    removals
}

fn names<T>(map: &BTreeMap<Name, T>) -> impl Iterator<Item = &str> {
    map.keys().map(Name::as_str)
}

fn unknown<'n>(
    place: Place,
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> EstateFault {
    let near = nearest(name, known).map(str::to_owned);
    EstateFault::new(place, FaultKind::Unknown { what, name: name.to_owned(), near })
}
