//! Checking an estate before it is saved: every server is resolved, and every value is checked, also
//! those that lose on every server and those no server uses yet.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Resolver,
    evaluate::unknown_parameter,
    fault::{Fault, FaultKind, Note, Severity},
    reach::{changed_places, reach},
};
use crate::{
    catalog::Catalog,
    component::Component,
    estate::{Estate, Overrides, Place, RemovalTarget, Server},
    name::{Key, Name, ServerName},
    nearest,
    value::Value,
    version::Version,
};

/// What the servers make of the places: which they are in, and which versions they settle on.
#[derive(Default)]
struct Uses<'a> {
    used: BTreeSet<Place>,
    settled: BTreeMap<(Place, &'a Name), BTreeSet<Version>>,
}

/// Says all that is wrong with an estate, and what may be; the fatal first.
pub fn check(estate: &Estate, catalog: &Catalog) -> Vec<Note> {
    let resolver = Resolver::new(estate, catalog);
    notes(&resolver, estate.servers.keys(), None)
}

/// Says what is wrong with what a change can reach, and what may be; the fatal first.
///
/// Only what the change brings is fatal. What was wrong before it, because a publication broke it, is a
/// warning: nobody's work waits for somebody else to mend that.
pub fn check_change(old: &Estate, new: &Estate, catalog: &Catalog) -> Vec<Note> {
    let (servers, places) = (reach(old, new), changed_places(old, new));
    let within = |estate| {
        let resolver = Resolver::for_places(estate, catalog, &servers, &places);
        notes(&resolver, &servers, Some(&places))
    };
    let before: BTreeSet<String> =
        within(old).iter().filter(|note| note.severity == Severity::Fatal).map(ToString::to_string).collect();
    let mut notes = within(new);
    for note in notes.iter_mut().filter(|note| before.contains(&note.to_string())) {
        note.severity = Severity::Warning;
    }
    notes.sort_by_key(|note| note.severity);
    notes
}

/// What is to be said about `servers` and the places that speak for them, and about `places`; about all
/// places if none are named.
fn notes<'s>(
    resolver: &Resolver<'_>,
    servers: impl IntoIterator<Item = &'s ServerName>,
    places: Option<&BTreeSet<Place>>,
) -> Vec<Note> {
    let (estate, catalog) = (resolver.estate, resolver.catalog);
    let mut notes = Vec::new();
    let uses = uses(resolver, servers, &mut notes);
    let whole = |place: &Place| places.is_none_or(|places| places.contains(place));
    let concerns = |place: &Place| whole(place) || uses.used.contains(place);
    for (name, role) in &estate.roles {
        let place = Place::Role(name.clone());
        if !concerns(&place) {
            continue;
        }
        if let Some(Err(fault)) = resolver.hierarchy.order(name) {
            notes.push(fault.clone().into_note());
        }
        says(catalog, &uses, &place, whole(&place), &role.says, &mut notes);
    }
    for (name, group) in &estate.groups {
        let place = Place::Group(name.clone());
        if concerns(&place) {
            says(catalog, &uses, &place, whole(&place), &group.says, &mut notes);
        }
    }
    for (name, environment) in &estate.environments {
        let place = Place::Environment(name.clone());
        if concerns(&place) {
            notes.extend(unpublished(catalog, &place, &environment.channel));
            says(catalog, &uses, &place, whole(&place), &environment.says, &mut notes);
        }
    }
    for (name, server) in &estate.servers {
        let place = Place::Server(name.clone());
        if concerns(&place) {
            says(catalog, &uses, &place, whole(&place), &server.says, &mut notes);
        }
    }
    let mut seen = BTreeSet::new();
    notes.retain(|note| seen.insert(note.to_string()));
    notes.sort_by_key(|note| note.severity);
    notes
}

/// A channel that does not exist yet may be meant; its servers get nothing until it does.
fn unpublished(catalog: &Catalog, place: &Place, channel: &Name) -> Option<Note> {
    if catalog.channels.contains_key(channel) {
        return None;
    }
    let near = nearest(channel.as_str(), catalog.channels.keys().map(Name::as_str));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(Note {
        severity: Severity::Warning,
        place: place.clone(),
        component: None,
        key: None,
        listed: Some(channel.to_string()),
        message: format!("nothing was ever published in its channel `{channel}`{hint}"),
    })
}

/// Resolves the servers that are in the estate.
fn uses<'a, 's>(
    resolver: &Resolver<'a>,
    servers: impl IntoIterator<Item = &'s ServerName>,
    notes: &mut Vec<Note>,
) -> Uses<'a> {
    let mut uses = Uses::default();
    for name in servers.into_iter().filter(|name| resolver.estate.servers.contains_key(*name)) {
        let layers = match resolver.layers(name) {
            Ok(layers) => layers,
            Err(error) => {
                notes.extend(error.faults.into_iter().map(Fault::into_note));
                // They are used all the same, and what else is wrong in them is told now, not one try later.
                uses.used.extend(named_by(name, &resolver.estate.servers[name]));
                continue;
            }
        };
        uses.used.extend(layers.stack.iter().map(|layer| layer.place.clone()));
        let settled = match super::settle::settle(resolver.catalog, &layers) {
            Ok(settled) => settled,
            Err(error) => {
                notes.extend(error.faults.into_iter().map(Fault::into_note));
                continue;
            }
        };
        for layer in &layers.stack {
            for component in layer.says.values.keys() {
                if let Some(found) = settled.get(component) {
                    let versions = uses.settled.entry((layer.place.clone(), component)).or_default();
                    if !versions.contains(&found.published.component.version) {
                        versions.insert(found.published.component.version.clone());
                    }
                }
            }
        }
        if let Err(error) = resolver.node(&layers, settled) {
            notes.extend(error.faults.into_iter().map(Fault::into_note));
        }
    }
    uses
}

/// The places a server names itself.
fn named_by<'s>(name: &ServerName, server: &'s Server) -> impl Iterator<Item = Place> + use<'s> {
    let own = [Place::Server(name.clone()), Place::Environment(server.environment.clone())];
    let groups = server.groups.iter().cloned().map(Place::Group);
    own.into_iter().chain(groups).chain(server.roles.iter().cloned().map(Place::Role))
}

/// Checks what one place says against the versions it can meet. Of a place that is not looked at `whole`, only
/// what meets the servers at hand is: others that nobody resolved may settle on what they share with it.
fn says(
    catalog: &Catalog,
    uses: &Uses<'_>,
    place: &Place,
    whole: bool,
    says: &Overrides,
    notes: &mut Vec<Note>,
) {
    let severity = if uses.used.contains(place) { Severity::Fatal } else { Severity::Warning };
    for name in says.components.keys().chain(says.values.keys()) {
        let known = |note: &Note| note.place == *place && note.component.as_ref() == Some(name);
        if !catalog.components.contains_key(name) && !notes.iter().any(known) {
            notes.push(unknown_component(catalog, severity, place, name));
        }
    }
    let at_hand = |name: &Name| whole || uses.settled.contains_key(&(place.clone(), name));
    for (name, values) in says.values.iter().filter(|(name, _)| at_hand(name)) {
        let met = met(catalog, uses, place, name, says);
        for (key, said) in values {
            notes.extend(value(catalog, place, &met, name, key, &said.value));
        }
    }
    for removal in &says.remove {
        notes.extend(removed(catalog, place, &removal.what));
    }
}

/// The versions whose parameters a place's values must fit: those its servers settled on, else those
/// its own wish allows, else all.
fn met<'c>(
    catalog: &'c Catalog,
    uses: &Uses<'_>,
    place: &Place,
    name: &Name,
    says: &Overrides,
) -> (Vec<&'c Component>, bool) {
    let Some(published) = catalog.components.get(name) else { return (Vec::new(), false) };
    if let Some(versions) = uses.settled.get(&(place.clone(), name)) {
        let components = versions.iter().filter_map(|version| published.get(version));
        return (components.map(|published| &published.component).collect(), true);
    }
    let all = || published.values().map(|published| &published.component);
    let wished: Vec<_> = match says.components.get(name) {
        Some(wish) => all().filter(|component| wish.range.contains(&component.version)).collect(),
        None => Vec::new(),
    };
    (if wished.is_empty() { all().collect() } else { wished }, false)
}

fn value(
    catalog: &Catalog,
    place: &Place,
    met: &(Vec<&Component>, bool),
    name: &Name,
    key: &Key,
    value: &Value,
) -> Option<Note> {
    let (components, settled) = met;
    let wrong: Vec<Fault> = components
        .iter()
        .filter_map(|component| {
            let Some(parameter) = component.parameters.get(key) else {
                return Some(unknown_parameter(place.clone(), component, key));
            };
            // A secret of any version stays one in what is said about the others.
            let secret = || parameter.secret || catalog.secret(name, key) == Some(true);
            let message = parameter.check_said_as(value, true).err()?;
            let message = parameter.check_said_as(value, secret()).err().unwrap_or(message);
            let kind = FaultKind::WrongValue { component: name.clone(), key: key.clone(), message };
            Some(Fault::new(place.clone(), kind).on(name, key))
        })
        .collect();
    let all = wrong.len() == components.len();
    let mut note = wrong.into_iter().next_back()?.into_note();
    if !all && !settled {
        note.severity = Severity::Warning;
        note.message.push_str(" (in some of its versions)");
    }
    Some(note)
}

fn unknown_component(catalog: &Catalog, severity: Severity, place: &Place, name: &Name) -> Note {
    let hint = match nearest(name.as_str(), catalog.components.keys().map(Name::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "publish it first".to_owned(),
    };
    Note {
        severity,
        place: place.clone(),
        component: Some(name.clone()),
        key: None,
        listed: None,
        message: format!("the repository has no component `{name}`; {hint}"),
    }
}

/// A removal of something that never existed is a slip, but changes nothing.
fn removed(catalog: &Catalog, place: &Place, removal: &RemovalTarget) -> Option<Note> {
    let (name, key) = match removal {
        RemovalTarget::Component(name) => (name, None),
        RemovalTarget::Value(name, key) | RemovalTarget::Entry(name, key, _) => (name, Some(key)),
    };
    let hint = |near: Option<&str>| near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let message = match (catalog.components.get(name), key) {
        (None, _) => {
            let near = nearest(name.as_str(), catalog.components.keys().map(Name::as_str));
            format!("it removes `{removal}`, but the repository has no component `{name}`{}", hint(near))
        }
        (Some(versions), Some(key)) => {
            let keys = || versions.values().flat_map(|published| published.component.parameters.keys());
            if keys().any(|known| known == key) {
                return None;
            }
            let near = nearest(key.as_str(), keys().map(Key::as_str));
            format!("it removes `{removal}`, but `{name}` has no parameter `{key}`{}", hint(near))
        }
        (Some(_), None) => return None,
    };
    Some(Note {
        severity: Severity::Warning,
        place: place.clone(),
        component: Some(name.clone()),
        key: key.cloned(),
        listed: Some(removal.to_string()),
        message,
    })
}
