//! The stack of places that apply to one server, strongest first.

use std::collections::BTreeMap;

use super::{
    fault::{EstateFault, EstateFaultKind},
    linearise::RoleLinearisations,
};
use crate::{
    estate::{Environment, Estate, PlaceId, PlaceSettings, RemovedInheritedItem, RevisionAndAuthor, Server},
    name::{Name, ServerName},
    suggest_spelling,
};

/// Places and their settings, strongest first.
pub(super) struct PlacesStrongestFirst<'a> {
    pub(super) environment: &'a Name,
    pub(super) channel: &'a Name,
    pub(super) layers: Vec<PlaceWithSettings<'a>>,
    /// The strongest layer that removes each component: weaker ones have no effect on it.
    component_removals: BTreeMap<&'a Name, (usize, Option<&'a RevisionAndAuthor>)>,
}

/// One place and its settings.
#[derive(Clone)]
pub(super) struct PlaceWithSettings<'a> {
    pub(super) place: PlaceId,
    pub(super) settings: &'a PlaceSettings,
}

/// A server and the places it names, but for its roles.
pub(super) struct ServerPlacesWithoutRoles<'a> {
    pub(super) name: &'a ServerName,
    pub(super) server: &'a Server,
    /// The name as the environment has it: one address for all its servers.
    environment_name: &'a Name,
    environment: &'a Environment,
    /// Strongest first.
    groups: Vec<PlaceWithSettings<'a>>,
}

impl<'a> ServerPlacesWithoutRoles<'a> {
    /// Finds the server, its groups and its environment.
    pub(super) fn find_places_without_roles(
        estate: &'a Estate,
        server: &ServerName,
    ) -> Result<Self, Vec<EstateFault>> {
        let Some((name, server)) = estate.servers.get_key_value(server) else {
            let known = estate.servers.keys().map(ServerName::as_str);
            return Err(vec![unknown(PlaceId::Server(server.clone()), "server", server.as_str(), known)]);
        };
        let place = || PlaceId::Server(name.clone());
        let mut faults = Vec::new();
        let mut groups = Vec::with_capacity(server.groups.len());
        for group in &server.groups {
            match estate.groups.get(group) {
                Some(found) => {
                    groups.push(PlaceWithSettings {
                        place: PlaceId::Group(group.clone()),
                        settings: &found.settings,
                    });
                }
                None => faults.push(unknown(place(), "group", group.as_str(), names(&estate.groups))),
            }
        }
        match estate.environments.get_key_value(&server.environment) {
            Some((environment_name, environment)) if faults.is_empty() => {
                Ok(Self { name, server, environment_name, environment, groups })
            }
            Some(_) => Err(faults),
            None => {
                let known = names(&estate.environments);
                faults.push(unknown(place(), "environment", server.environment.as_str(), known));
                Err(faults)
            }
        }
    }

    /// All places: the server itself, its groups, its environment, and its roles in their order.
    pub(super) fn stack_places(
        &self,
        estate: &'a Estate,
        hierarchy: &RoleLinearisations<'a>,
    ) -> Result<PlacesStrongestFirst<'a>, Vec<EstateFault>> {
        let place = PlaceId::Server(self.name.clone());
        let order = hierarchy.merge_linearisations(&place, &self.server.roles)?;
        let mut layers = Vec::with_capacity(order.len() + self.groups.len() + 2);
        layers.push(PlaceWithSettings { place, settings: &self.server.settings });
        layers.extend_from_slice(&self.groups);
        layers.push(PlaceWithSettings {
            place: PlaceId::Environment(self.environment_name.clone()),
            settings: &self.environment.settings,
        });
        layers.extend(order.into_iter().filter_map(|role| {
            let settings = &estate.roles.get(role)?.settings;
            Some(PlaceWithSettings { place: PlaceId::Role(role.clone()), settings })
        }));
        Ok(PlacesStrongestFirst::new(self.environment_name, &self.environment.channel, layers))
    }
}

impl<'a> PlacesStrongestFirst<'a> {
    pub(super) fn new(environment: &'a Name, channel: &'a Name, layers: Vec<PlaceWithSettings<'a>>) -> Self {
        Self { environment, channel, component_removals: component_removals(&layers), layers }
    }

    /// The number of layers that have an effect on a component.
    pub(super) fn count_places_down_to_component_removal(&self, component: &Name) -> usize {
        self.component_removals.get(component).map_or(self.layers.len(), |(index, _)| index + 1)
    }

    /// The place that removes a component from weaker ones, and the revision that added the removal.
    pub(super) fn find_component_removal(
        &self,
        component: &Name,
    ) -> Option<(&PlaceId, Option<&'a RevisionAndAuthor>)> {
        self.component_removals.get(component).map(|(index, origin)| (&self.layers[*index].place, *origin))
    }
}

fn component_removals<'a>(
    layers: &[PlaceWithSettings<'a>],
) -> BTreeMap<&'a Name, (usize, Option<&'a RevisionAndAuthor>)> {
    let mut removals = BTreeMap::new();
    for (at, layer) in layers.iter().enumerate() {
        for removed in &layer.settings.remove {
            if let RemovedInheritedItem::Component(name) = &removed.what {
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
    place: PlaceId,
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> EstateFault {
    let near = suggest_spelling(name, known).map(str::to_owned);
    EstateFault::new(place, EstateFaultKind::Unknown { what, name: name.to_owned(), near })
}
