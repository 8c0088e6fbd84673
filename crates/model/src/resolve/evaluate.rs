//! Evaluation: merges the operations on each parameter, resolves references and checks the final values.

mod expand;

use std::collections::{BTreeMap, HashMap};

use super::{
    fault::{EstateFault, FaultKind, ResolveError},
    merge::{merge, prune},
    operations::{ComponentOperations, PlaceOperation, ValueOperation},
    place_stack::PlaceStack,
    reference::has_references,
};
use crate::{
    catalog::Catalog,
    component::Component,
    estate::Place,
    name::{Key, Name},
    nearest,
    node::{NodeValue, Provenance},
    parameter::{MAX_VALUE_SIZE, Parameter, VALUE_ITEM_OVERHEAD, estimated_value_size},
    value::Value,
};

/// The largest weight of all final values of a server; the same limit applies on the server, so that
/// punch accepts whatever was resolved.
const MAX_NODE_WEIGHT: usize = 2 * 1024 * 1024;

/// The largest weight of all provenance: it is part of the node file, which must stay readable.
const MAX_PROVENANCE_WEIGHT: usize = 4 * 1024 * 1024;

/// What one entry of the provenance adds to a node file.
const ENTRY_WEIGHT: usize = 10 * VALUE_ITEM_OVERHEAD;

/// The final values of a server.
pub(super) struct ResolvedValues {
    /// By component, in the order of their names.
    pub(super) values: Vec<BTreeMap<Key, NodeValue>>,
    /// The weight of the values and their provenance.
    pub(super) weight: usize,
}

/// Evaluates the final values of every component of `chosen`.
///
/// `catalog` tells which parameters are secret in other versions, when there is one.
pub(super) fn evaluate_values(
    layers: &PlaceStack<'_>,
    chosen: &BTreeMap<&Name, &Component>,
    catalog: Option<&Catalog>,
) -> Result<ResolvedValues, ResolveError> {
    let sources = chosen.keys().map(|name| (*name, ComponentOperations::new(layers, name))).collect();
    let mut evaluator = ValueEvaluator {
        layers,
        chosen,
        catalog,
        sources: &sources,
        done: HashMap::new(),
        path: Vec::new(),
        faults: Vec::new(),
        weight: 0,
        provenance_weight: 0,
    };
    for (name, component) in chosen {
        evaluator.refuse_unknown(name);
        for key in component.parameters.keys() {
            evaluator.finish(name, key);
        }
    }
    if let Some(kind) = evaluator.too_large() {
        evaluator.faults.push(EstateFault::new(Place::Server(layers.server.clone()), kind));
    }
    if !evaluator.faults.is_empty() {
        return Err(evaluator.faults.into());
    }
    let mut done = evaluator.done;
    let values = chosen.iter().map(|(name, component)| {
        let keys = component.parameters.keys();
        let values = keys.filter_map(|key| match done.remove(&(*name, key)) {
            Some(ValueState::Final(value)) => Some((key.clone(), value)),
            _ => None,
        });
        values.collect()
    });
    Ok(ResolvedValues { values: values.collect(), weight: evaluator.weight + evaluator.provenance_weight })
}

/// The state of a value's evaluation.
enum ValueState {
    /// In evaluation, possibly because another value refers to it.
    Begun,
    Final(NodeValue),
    /// No value is set, and none is required.
    Absent,
    /// Its fault is recorded.
    Failed,
}

struct ValueEvaluator<'a, 'l> {
    layers: &'l PlaceStack<'a>,
    chosen: &'l BTreeMap<&'l Name, &'l Component>,
    catalog: Option<&'l Catalog>,
    sources: &'l BTreeMap<&'l Name, ComponentOperations<'a, 'l>>,
    done: HashMap<(&'l Name, &'l Key), ValueState>,
    /// The values in evaluation, each because the one before refers to it.
    path: Vec<(&'l Name, &'l Key)>,
    faults: Vec<EstateFault>,
    /// The weight of the final values.
    weight: usize,
    /// The weight of their provenance.
    provenance_weight: usize,
}

/// The place and parameter a value belongs to, for faults.
struct ValueSite<'s> {
    component: &'s Name,
    key: &'s Key,
    place: &'s Place,
}

impl<'a, 'l> ValueEvaluator<'a, 'l> {
    /// Adds a fault for every value of a parameter that does not exist.
    fn refuse_unknown(&mut self, name: &'l Name) {
        let component = self.chosen[name];
        for (place, values) in self.sources[name].effective_values() {
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
        (self.provenance_weight > MAX_PROVENANCE_WEIGHT).then_some(FaultKind::TooLarge {
            what: "the values that its roles, groups, environment and components have for this server",
            limit: MAX_PROVENANCE_WEIGHT,
        })
    }

    /// Evaluates one declared parameter, once. Stops when the values exceed their limits.
    fn finish(&mut self, name: &'l Name, key: &'l Key) {
        if self.done.contains_key(&(name, key)) || self.too_large().is_some() {
            return;
        }
        let Some(parameter) = self.chosen[name].parameters.get(key) else { return };
        self.done.insert((name, key), ValueState::Begun);
        self.path.push((name, key));
        let before = self.faults.len();
        let state = match self.evaluate(name, key, parameter) {
            _ if self.faults.len() > before => ValueState::Failed,
            None => ValueState::Failed,
            Some(None) => ValueState::Absent,
            Some(Some(value)) => ValueState::Final(value),
        };
        self.path.pop();
        self.done.insert((name, key), state);
    }

    /// `None` when a value it needs failed; `Some(None)` when it has no value.
    fn evaluate(
        &mut self,
        name: &'l Name,
        key: &'l Key,
        parameter: &'l Parameter,
    ) -> Option<Option<NodeValue>> {
        let sources = self.sources;
        let operations = sources[name].operations_for(key, parameter);
        let mut secret = parameter.secret;
        let mut contributions = Vec::new();
        let mut places = Vec::new();
        let mut joined = 0;
        for (at, operation) in operations.iter().enumerate() {
            self.provenance_weight = self.provenance_weight.saturating_add(ENTRY_WEIGHT);
            let ValueOperation::Value(value) = operation.what else { continue };
            self.provenance_weight = self.provenance_weight.saturating_add(estimated_value_size(value));
            if !operation.effective {
                continue;
            }
            let site = ValueSite { component: name, key, place: operation.place };
            let mut value = match has_references(value) {
                true => self.expand(&site, value, &mut secret, &mut { MAX_VALUE_SIZE })?,
                false => value.clone(),
            };
            joined += estimated_value_size(&value);
            if joined > MAX_NODE_WEIGHT {
                return self.wrong(&site, format!("joins values of more than {MAX_NODE_WEIGHT} bytes"));
            }
            for stronger in &operations[..at] {
                if let ValueOperation::RemoveEntry(path) = stronger.what
                    && stronger.effective
                {
                    prune(&mut value, path);
                }
            }
            contributions.push(value);
            places.push(operation.place);
        }
        // Each by itself, so that a fault names the place that set the value.
        for (value, place) in contributions.iter().zip(&places) {
            self.check(&ValueSite { component: name, key, place }, parameter, value, secret)?;
        }
        let several = contributions.len() > 1;
        let value = match merge(parameter.merge, contributions) {
            Ok(Some(value)) => value,
            Ok(None) if parameter.required => {
                let (component, key) = (name.clone(), key.clone());
                let description = parameter.description.trim_end_matches('.').to_owned();
                let kind = FaultKind::Missing { component, key: key.clone(), description };
                let server = Place::Server(self.layers.server.clone());
                self.faults.push(EstateFault::new(server, kind).with_key(name, &key));
                return None;
            }
            Ok(None) => return Some(None),
            Err(at) => {
                let site = ValueSite { component: name, key, place: places[at] };
                return self.wrong(&site, format!("must be {} to be merged", parameter.expected_type()));
            }
        };
        if several {
            self.check(&ValueSite { component: name, key, place: places[0] }, parameter, &value, secret)?;
        }
        self.weight =
            self.weight.saturating_add(estimated_value_size(&value) + key.as_str().len() + ENTRY_WEIGHT);
        Some(Some(NodeValue { value, secret, provenance: provenance(operations, secret) }))
    }

    /// Checks a value; the sentence is only made, and secrets only looked up, when it is wrong.
    fn check(
        &mut self,
        site: &ValueSite<'_>,
        parameter: &Parameter,
        value: &Value,
        secret: bool,
    ) -> Option<()> {
        if parameter.check_value_masked(value, true).is_ok() {
            return Some(());
        }
        let secret = secret || self.hidden(site);
        match parameter.check_value_masked(value, secret) {
            Ok(()) => Some(()),
            Err(message) => self.wrong(site, message),
        }
    }

    /// Whether errors must not show this value.
    fn hidden(&self, site: &ValueSite<'_>) -> bool {
        let (component, key) = (site.component, site.key);
        self.chosen[component].parameters.get(key).is_some_and(|parameter| parameter.secret)
            || self.catalog.is_some_and(|catalog| catalog.is_secret_parameter(component, key) == Some(true))
    }

    fn wrong<T>(&mut self, site: &ValueSite<'_>, message: String) -> Option<T> {
        let (component, key) = (site.component.clone(), site.key.clone());
        let kind = FaultKind::WrongValue { component, key, message };
        self.faults.push(EstateFault::new(site.place.clone(), kind).with_key(site.component, site.key));
        None
    }
}

/// The fault of a value for a parameter the component does not declare.
pub(super) fn unknown_parameter(place: Place, component: &Component, key: &Key) -> EstateFault {
    let known: Vec<String> = component.parameters.keys().map(Key::to_string).collect();
    let near = nearest(key.as_str(), known.iter().map(String::as_str)).map(str::to_owned);
    let kind = FaultKind::UnknownParameter {
        component: component.name.clone(),
        version: component.version.clone(),
        key: key.clone(),
        near,
        known,
    };
    EstateFault::new(place, kind).with_key(&component.name, key)
}

/// The provenance: effective values, then effective removals, then the rest, each strongest first.
fn provenance(operations: Vec<PlaceOperation<'_, '_>>, secret: bool) -> Vec<Provenance> {
    let mut provenance: Vec<Provenance> = operations
        .into_iter()
        .map(|entry| Provenance {
            place: entry.place.clone(),
            removes: !matches!(entry.what, ValueOperation::Value(_)),
            value: match entry.what {
                _ if secret => None,
                ValueOperation::Value(value) => Some(value.clone()),
                ValueOperation::RemoveAll => None,
                ValueOperation::RemoveEntry(path) => Some(Value::Text(path.join("."))),
            },
            effective: entry.effective,
            origin: entry.origin.cloned(),
        })
        .collect();
    provenance.sort_by_key(|entry| (!entry.effective, entry.removes && entry.effective));
    provenance
}
