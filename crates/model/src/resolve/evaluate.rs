//! Evaluation: what is said becomes final values. References are followed, values merged and checked.

mod expand;

use std::collections::{BTreeMap, HashMap};

use super::{
    fault::{Fault, FaultKind, ResolveError},
    gather::{Operation, SourcedOperation, Sources},
    layers::PlaceStack,
    merge::{merge, prune},
    reference::has_references,
};
use crate::{
    catalog::Catalog,
    component::Component,
    estate::Place,
    name::{Key, Name},
    nearest,
    node::{NodeValue, Provenance},
    parameter::{MAX_WEIGHT, NODE_WEIGHT, Parameter, weight},
    value::Value,
};

/// All final values of a server together may weigh so much: on the server no less than here, so that
/// punch takes whatever was resolved.
const MAX_NODE_WEIGHT: usize = 2 * 1024 * 1024;

/// All that places say about them may weigh so much: the node file tells it too, and must stay readable.
const MAX_SAID_WEIGHT: usize = 4 * 1024 * 1024;

/// What the keys of a value, or of what one place says, add to a node file.
const ENTRY_WEIGHT: usize = 10 * NODE_WEIGHT;

/// The final values of a server.
pub(super) struct ResolvedValues {
    /// Of every component, in the order of its name.
    pub(super) values: Vec<BTreeMap<Key, NodeValue>>,
    /// What they and all that was said about them weigh.
    pub(super) weight: usize,
}

/// The final values of every component of `settled`.
///
/// `catalog` knows which parameters were secrets in other versions, where there is one.
pub(super) fn values(
    layers: &PlaceStack<'_>,
    settled: &BTreeMap<&Name, &Component>,
    catalog: Option<&Catalog>,
) -> Result<ResolvedValues, ResolveError> {
    let speakers = settled.keys().map(|name| (*name, Sources::new(layers, name))).collect();
    let mut evaluator = ValueEvaluator {
        layers,
        settled,
        catalog,
        speakers: &speakers,
        done: HashMap::new(),
        path: Vec::new(),
        faults: Vec::new(),
        weight: 0,
        said: 0,
    };
    for (name, component) in settled {
        evaluator.refuse_unknown(name);
        for key in component.parameters.keys() {
            evaluator.finish(name, key);
        }
    }
    if let Some(kind) = evaluator.too_large() {
        evaluator.faults.push(Fault::new(Place::Server(layers.server.clone()), kind));
    }
    if !evaluator.faults.is_empty() {
        return Err(evaluator.faults.into());
    }
    let mut done = evaluator.done;
    let values = settled.iter().map(|(name, component)| {
        let keys = component.parameters.keys();
        let values = keys.filter_map(|key| match done.remove(&(*name, key)) {
            Some(State::Final(value)) => Some((key.clone(), value)),
            _ => None,
        });
        values.collect()
    });
    Ok(ResolvedValues { values: values.collect(), weight: evaluator.weight + evaluator.said })
}

/// How far a value is.
enum State {
    /// It is needed by a value it needs, or being worked on.
    Begun,
    Final(NodeValue),
    /// Nobody says anything, and nobody has to.
    Absent,
    /// Its fault is noted.
    Failed,
}

struct ValueEvaluator<'a, 'l> {
    layers: &'l PlaceStack<'a>,
    settled: &'l BTreeMap<&'l Name, &'l Component>,
    catalog: Option<&'l Catalog>,
    speakers: &'l BTreeMap<&'l Name, Sources<'a, 'l>>,
    done: HashMap<(&'l Name, &'l Key), State>,
    /// The values being worked on, each because the one before refers to it.
    path: Vec<(&'l Name, &'l Key)>,
    faults: Vec<Fault>,
    /// What the final values weigh.
    weight: usize,
    /// What all that was said about them weighs.
    said: usize,
}

/// The value a text is part of, for faults.
struct Site<'s> {
    component: &'s Name,
    key: &'s Key,
    place: &'s Place,
}

impl<'a, 'l> ValueEvaluator<'a, 'l> {
    /// Notes every value said for a parameter that does not exist.
    fn refuse_unknown(&mut self, name: &'l Name) {
        let component = self.settled[name];
        for (place, values) in self.speakers[name].values() {
            for key in values.keys().filter(|key| !component.parameters.contains_key(*key)) {
                self.faults.push(unknown_parameter(place.clone(), component, key));
            }
        }
    }

    /// Why the values are more than a node file should hold.
    fn too_large(&self) -> Option<FaultKind> {
        if self.weight > MAX_NODE_WEIGHT {
            return Some(FaultKind::TooLarge { what: "the values of this server", limit: MAX_NODE_WEIGHT });
        }
        (self.said > MAX_SAID_WEIGHT).then_some(FaultKind::TooLarge {
            what: "the values that its roles, groups, environment and components have for this server",
            limit: MAX_SAID_WEIGHT,
        })
    }

    /// Works out one declared parameter, once. Nothing more is worked out once there is too much.
    fn finish(&mut self, name: &'l Name, key: &'l Key) {
        if self.done.contains_key(&(name, key)) || self.too_large().is_some() {
            return;
        }
        let Some(parameter) = self.settled[name].parameters.get(key) else { return };
        self.done.insert((name, key), State::Begun);
        self.path.push((name, key));
        let before = self.faults.len();
        let state = match self.evaluate(name, key, parameter) {
            _ if self.faults.len() > before => State::Failed,
            None => State::Failed,
            Some(None) => State::Absent,
            Some(Some(value)) => State::Final(value),
        };
        self.path.pop();
        self.done.insert((name, key), state);
    }

    /// `None` when a value it needs failed; `Some(None)` when there is nothing to say.
    fn evaluate(
        &mut self,
        name: &'l Name,
        key: &'l Key,
        parameter: &'l Parameter,
    ) -> Option<Option<NodeValue>> {
        let speakers = self.speakers;
        let spoken = speakers[name].gather(key, parameter);
        let mut secret = parameter.secret;
        let mut contributions = Vec::new();
        let mut places = Vec::new();
        let mut joined = 0;
        for (at, voice) in spoken.iter().enumerate() {
            self.said = self.said.saturating_add(ENTRY_WEIGHT);
            let Operation::Value(value) = voice.what else { continue };
            self.said = self.said.saturating_add(weight(value));
            if !voice.counts {
                continue;
            }
            let site = Site { component: name, key, place: voice.place };
            let mut value = match has_references(value) {
                true => self.expand(&site, value, &mut secret, &mut { MAX_WEIGHT })?,
                false => value.clone(),
            };
            joined += weight(&value);
            if joined > MAX_NODE_WEIGHT {
                return self.wrong(&site, format!("joins values of more than {MAX_NODE_WEIGHT} bytes"));
            }
            for stronger in &spoken[..at] {
                if let Operation::RemoveEntry(path) = stronger.what
                    && stronger.counts
                {
                    prune(&mut value, path);
                }
            }
            contributions.push(value);
            places.push(voice.place);
        }
        // Each by itself, so that what is wrong is told to the place that says it.
        for (value, place) in contributions.iter().zip(&places) {
            self.check(&Site { component: name, key, place }, parameter, value, secret)?;
        }
        let several = contributions.len() > 1;
        let value = match merge(parameter.merge, contributions) {
            Ok(Some(value)) => value,
            Ok(None) if parameter.required => {
                let (component, key) = (name.clone(), key.clone());
                let description = parameter.description.trim_end_matches('.').to_owned();
                let kind = FaultKind::Missing { component, key: key.clone(), description };
                let server = Place::Server(self.layers.server.clone());
                self.faults.push(Fault::new(server, kind).on(name, &key));
                return None;
            }
            Ok(None) => return Some(None),
            Err(at) => {
                let site = Site { component: name, key, place: places[at] };
                return self.wrong(&site, format!("must be {} to be merged", parameter.wanted()));
            }
        };
        if several {
            self.check(&Site { component: name, key, place: places[0] }, parameter, &value, secret)?;
        }
        self.weight = self.weight.saturating_add(weight(&value) + key.as_str().len() + ENTRY_WEIGHT);
        Some(Some(NodeValue { value, secret, voices: voices(spoken, secret) }))
    }

    /// Checks a value; the sentence is only made, and secrets only looked up, when it is wrong.
    fn check(&mut self, site: &Site<'_>, parameter: &Parameter, value: &Value, secret: bool) -> Option<()> {
        if parameter.check_as(value, true).is_ok() {
            return Some(());
        }
        let secret = secret || self.hidden(site);
        match parameter.check_as(value, secret) {
            Ok(()) => Some(()),
            Err(message) => self.wrong(site, message),
        }
    }

    /// Whether errors may not show what is said here.
    fn hidden(&self, site: &Site<'_>) -> bool {
        let (component, key) = (site.component, site.key);
        self.settled[component].parameters.get(key).is_some_and(|parameter| parameter.secret)
            || self.catalog.is_some_and(|catalog| catalog.secret(component, key) == Some(true))
    }

    fn wrong<T>(&mut self, site: &Site<'_>, message: String) -> Option<T> {
        let (component, key) = (site.component.clone(), site.key.clone());
        let kind = FaultKind::WrongValue { component, key, message };
        self.faults.push(Fault::new(site.place.clone(), kind).on(site.component, site.key));
        None
    }
}

/// The fault of a value for a parameter the component does not declare.
pub(super) fn unknown_parameter(place: Place, component: &Component, key: &Key) -> Fault {
    let known: Vec<String> = component.parameters.keys().map(Key::to_string).collect();
    let near = nearest(key.as_str(), known.iter().map(String::as_str)).map(str::to_owned);
    let kind = FaultKind::UnknownParameter {
        component: component.name.clone(),
        version: component.version.clone(),
        key: key.clone(),
        near,
        known,
    };
    Fault::new(place, kind).on(&component.name, key)
}

/// Provenance: values that count, then removals that count, then the rest, each strongest first.
fn voices(spoken: Vec<SourcedOperation<'_, '_>>, secret: bool) -> Vec<Provenance> {
    let mut voices: Vec<Provenance> = spoken
        .into_iter()
        .map(|voice| Provenance {
            place: voice.place.clone(),
            removes: !matches!(voice.what, Operation::Value(_)),
            value: match voice.what {
                _ if secret => None,
                Operation::Value(value) => Some(value.clone()),
                Operation::RemoveAll => None,
                Operation::RemoveEntry(path) => Some(Value::Text(path.join("."))),
            },
            counts: voice.counts,
            origin: voice.origin.cloned(),
        })
        .collect();
    voices.sort_by_key(|voice| (!voice.counts, voice.removes && voice.counts));
    voices
}
