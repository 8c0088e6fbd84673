//! Evaluation: what is said becomes final values. References are followed, values merged and checked.

use std::collections::{BTreeMap, HashMap};

use super::{
    fault::{Fault, FaultKind, ResolveError},
    gather::{Speech, Spoken, gather},
    layers::Layers,
    merge::{merge, prune},
    reference::{Part, SERVER, Target, has_references, parts, target},
};
use crate::{
    component::Component,
    estate::Place,
    name::{Key, Name},
    nearest,
    node::{NodeValue, Voice},
    parameter::{MAX_WEIGHT, Parameter, weight},
    value::Value,
};

/// All values of a server together may weigh so much, so that its node file stays readable.
const MAX_NODE_WEIGHT: usize = 2 * 1024 * 1024;

/// References may lead through so many values.
const MAX_CHAIN: usize = 32;

/// The final values of every component, in the order of `settled`.
pub(super) fn values(
    layers: &Layers<'_>,
    settled: &BTreeMap<&Name, &Component>,
) -> Result<Vec<BTreeMap<Key, NodeValue>>, ResolveError> {
    let mut evaluator =
        Evaluator { layers, settled, done: HashMap::new(), path: Vec::new(), faults: Vec::new(), total: 0 };
    for (name, component) in settled {
        evaluator.refuse_unknown(name);
        for key in component.parameters.keys() {
            evaluator.finish(name, key);
        }
    }
    if evaluator.total > MAX_NODE_WEIGHT {
        let place = Place::Server(layers.server.clone());
        evaluator.faults.push(Fault::new(place, FaultKind::TooLarge(MAX_NODE_WEIGHT)));
    }
    if !evaluator.faults.is_empty() {
        return Err(evaluator.faults.into());
    }
    let mut done = evaluator.done;
    Ok(settled
        .iter()
        .map(|(name, component)| {
            let keys = component.parameters.keys();
            keys.filter_map(|key| match done.remove(&(*name, key)) {
                Some(State::Final(value)) => Some((key.clone(), value)),
                _ => None,
            })
            .collect()
        })
        .collect())
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

struct Evaluator<'a, 'l> {
    layers: &'l Layers<'a>,
    settled: &'l BTreeMap<&'l Name, &'l Component>,
    done: HashMap<(&'l Name, &'l Key), State>,
    /// The values being worked on, each because the one before refers to it.
    path: Vec<(&'l Name, &'l Key)>,
    faults: Vec<Fault>,
    total: usize,
}

/// The value a text is part of, for faults.
struct Site<'s> {
    component: &'s Name,
    key: &'s Key,
    place: &'s Place,
    secret: bool,
}

impl<'a, 'l> Evaluator<'a, 'l> {
    /// Notes every value said for a parameter that does not exist.
    fn refuse_unknown(&mut self, name: &'l Name) {
        let component = self.settled[name];
        let (counting, _) = self.layers.counting(name);
        for layer in &self.layers.stack[..counting] {
            for key in layer.says.values.get(name).into_iter().flat_map(BTreeMap::keys) {
                if !component.parameters.contains_key(key) {
                    self.faults.push(unknown_parameter(layer.place.clone(), component, key));
                }
            }
        }
    }

    /// Works out one declared parameter, once.
    fn finish(&mut self, name: &'l Name, key: &'l Key) {
        if self.done.contains_key(&(name, key)) {
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
    fn evaluate(&mut self, name: &'l Name, key: &'l Key, parameter: &Parameter) -> Option<Option<NodeValue>> {
        let layers = self.layers;
        let spoken = gather(layers, name, key, parameter);
        let mut secret = parameter.secret;
        let mut contributions = Vec::new();
        let mut places = Vec::new();
        for (at, voice) in spoken.iter().enumerate() {
            let Speech::Value(value) = voice.what else { continue };
            self.total = self.total.saturating_add(weight(value));
            if !voice.counts {
                continue;
            }
            let site = Site { component: name, key, place: &voice.place, secret: parameter.secret };
            let mut value = self.expand(&site, value, &mut secret)?;
            for stronger in &spoken[..at] {
                if let Speech::RemoveEntry(path) = stronger.what
                    && stronger.counts
                {
                    prune(&mut value, path);
                }
            }
            contributions.push(value);
            places.push(&voice.place);
        }
        let wrong = |place: &Place, message: String| {
            let kind = FaultKind::WrongValue { component: name.clone(), key: key.clone(), message };
            Fault::new(place.clone(), kind).on(name, key)
        };
        let value = match merge(parameter.merge, contributions) {
            Ok(Some(value)) => value,
            Ok(None) if parameter.required => {
                let (component, key) = (name.clone(), key.clone());
                let description = parameter.description.trim_end_matches('.').to_owned();
                let kind = FaultKind::Missing { component, key: key.clone(), description };
                let server = Place::Server(layers.server.clone());
                self.faults.push(Fault::new(server, kind).on(name, &key));
                return None;
            }
            Ok(None) => return Some(None),
            // The first value that is no list or map: what it is not, the check says best.
            Err((at, value)) => {
                let message = parameter.check_as(&value, secret).err();
                self.faults.push(wrong(places[at], message.unwrap_or_else(|| "cannot be merged".to_owned())));
                return None;
            }
        };
        if let Err(message) = parameter.check_as(&value, secret) {
            let place = places.first().copied().cloned();
            let place = place.unwrap_or_else(|| Place::Server(layers.server.clone()));
            self.faults.push(wrong(&place, message));
            return None;
        }
        self.total = self.total.saturating_add(weight(&value));
        Some(Some(NodeValue { value, secret, voices: voices(spoken, secret) }))
    }

    /// Replaces the references in a value; `None` when one of them has no value.
    fn expand(&mut self, site: &Site<'_>, value: &Value, secret: &mut bool) -> Option<Value> {
        if !has_references(value) {
            return Some(value.clone());
        }
        let expanded = match value {
            Value::Text(text) => self.expand_text(site, text, secret)?,
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.expand(site, item, secret)).collect::<Option<_>>()?)
            }
            Value::Map(map) => Value::Map(
                map.iter()
                    .map(|(key, item)| Some((key.clone(), self.expand(site, item, secret)?)))
                    .collect::<Option<_>>()?,
            ),
            other => other.clone(),
        };
        if weight(&expanded) > MAX_WEIGHT {
            return self
                .wrong(site, format!("grows beyond {MAX_WEIGHT} bytes by its references; shorten it"));
        }
        Some(expanded)
    }

    fn expand_text(&mut self, site: &Site<'_>, text: &str, secret: &mut bool) -> Option<Value> {
        let Some(parts) = parts(text) else {
            return self.wrong(site, "has a `${` without `}`; write `$${` for the text `${`".to_owned());
        };
        if let [Part::Reference(inside)] = parts[..] {
            return self.follow(site, inside, secret);
        }
        let mut joined = String::new();
        for part in parts {
            match part {
                Part::Text(text) => joined.push_str(text),
                Part::Reference(inside) => match self.follow(site, inside, secret)? {
                    Value::Text(text) => joined.push_str(&text),
                    value @ (Value::Integer(_) | Value::Number(_) | Value::Boolean(_)) => {
                        joined.push_str(&value.to_string());
                    }
                    value => {
                        let (what, shown) = (value.kind(), site.shown(inside));
                        let why = format!(
                            "which is a {what}; inside a text only texts, numbers and booleans can stand"
                        );
                        return self.unknown(site, shown, why, None);
                    }
                },
            }
            if joined.len() > MAX_WEIGHT {
                return self
                    .wrong(site, format!("grows beyond {MAX_WEIGHT} bytes by its references; shorten it"));
            }
        }
        Some(Value::Text(joined))
    }

    /// The value a reference stands for.
    fn follow(&mut self, site: &Site<'_>, inside: &str, secret: &mut bool) -> Option<Value> {
        let shown = site.shown(inside);
        let (name, key) = match target(inside) {
            Some(Target::ServerName) => return Some(Value::Text(self.layers.server.to_string())),
            Some(Target::ServerEnvironment) => return Some(Value::Text(self.layers.environment.to_string())),
            Some(Target::Value(name, key)) => (name, key),
            None => {
                let near = nearest(inside, SERVER).filter(|_| !site.secret).map(str::to_owned);
                let why = format!(
                    "which is neither `component.parameter` nor `server.name` nor `server.environment`; \
                     write `$${{{shown}}}` if the text itself is meant"
                );
                return self.unknown(site, shown.clone(), why, near);
            }
        };
        let settled = self.settled;
        let Some((name, component)) = settled.get_key_value(&name) else {
            let near = nearest(name.as_str(), settled.keys().map(|name| name.as_str()));
            let near = near.map(|near| format!("{near}.{key}"));
            return self.unknown(site, shown, format!("but this server has no component `{name}`"), near);
        };
        let parameters = &component.parameters;
        let Some((key, _)) = parameters.get_key_value(&key) else {
            let near = nearest(key.as_str(), parameters.keys().map(Key::as_str));
            let near = near.map(|near| format!("{name}.{near}"));
            return self.unknown(site, shown, format!("but `{name}` has no parameter `{key}`"), near);
        };
        if self.path.len() > MAX_CHAIN {
            return self
                .wrong(site, format!("is at the end of more than {MAX_CHAIN} references; write it out"));
        }
        self.finish(name, key);
        match self.done.get(&(*name, key)) {
            Some(State::Final(value)) => {
                *secret |= value.secret;
                Some(value.value.clone())
            }
            Some(State::Absent) => {
                self.unknown(site, shown, "but nobody sets it and it has no default".to_owned(), None)
            }
            Some(State::Begun) => {
                let start = self.path.iter().position(|at| *at == (*name, key)).unwrap_or_default();
                let circle = self.path[start..].iter().map(|(name, key)| format!("{name}.{key}")).collect();
                let fault = Fault::new(site.place.clone(), FaultKind::CyclicReferences(circle));
                self.faults.push(fault.on(site.component, site.key));
                None
            }
            Some(State::Failed) | None => None,
        }
    }

    fn wrong(&mut self, site: &Site<'_>, message: String) -> Option<Value> {
        let (component, key) = (site.component.clone(), site.key.clone());
        let kind = FaultKind::WrongValue { component, key, message };
        self.faults.push(Fault::new(site.place.clone(), kind).on(site.component, site.key));
        None
    }

    fn unknown(
        &mut self,
        site: &Site<'_>,
        reference: String,
        why: String,
        near: Option<String>,
    ) -> Option<Value> {
        let (component, key) = (site.component.clone(), site.key.clone());
        let kind = FaultKind::UnknownReference { component, key, reference, why, near };
        self.faults.push(Fault::new(site.place.clone(), kind).on(site.component, site.key));
        None
    }
}

impl Site<'_> {
    /// A reference as errors show it; that of a secret could be a piece of it.
    fn shown(&self, inside: &str) -> String {
        match self.secret {
            true => "...".to_owned(),
            false => inside.chars().filter(|c| !c.is_control()).take(80).collect(),
        }
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
fn voices(spoken: Vec<Spoken<'_>>, secret: bool) -> Vec<Voice> {
    let mut voices: Vec<Voice> = spoken
        .into_iter()
        .map(|voice| Voice {
            place: voice.place,
            removes: !matches!(voice.what, Speech::Value(_)),
            value: match voice.what {
                _ if secret => None,
                Speech::Value(value) => Some(value.clone()),
                Speech::RemoveAll => None,
                Speech::RemoveEntry(path) => Some(Value::Text(path.join("."))),
            },
            counts: voice.counts,
            origin: voice.origin.cloned(),
        })
        .collect();
    voices.sort_by_key(|voice| (!voice.counts, voice.removes && voice.counts));
    voices
}
