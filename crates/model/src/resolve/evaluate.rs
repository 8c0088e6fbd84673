//! Evaluation: merges the operations on each parameter, resolves references and checks the final values.
//!
//! A value that depends on the server, by its name or by what it reads of other servers, is marked as such: all others
//! are the same for every server of which the same places say the same.

mod expand;
mod parameters;
mod value_states;

use std::{rc::Rc, sync::Arc};

pub(super) use self::{
    parameters::{
        ComponentParameters, ParameterId, ParameterList, collect_component_parameters, find_parameter,
    },
    value_states::{
        ComponentValueStates, EvaluatedValues, SharedValueStates, ValueSizes, ValueState,
        collect_final_values,
    },
};
use super::{
    fault::{EstateFault, EstateFaultKind},
    merge::{merge_values, remove_map_entry},
    operations::{ComponentOperations, PlaceOperation, ValueOperation},
    place_stack::PlaceStack,
    reference::has_references,
};
use crate::{
    catalog::Catalog,
    component::Component,
    estate::Place,
    format::dotted_path::join_escaped,
    name::{Key, Name, ServerName},
    node::{NodeValue, Provenance},
    parameter::{MAX_VALUE_SIZE, Parameter, ParameterType, VALUE_ITEM_OVERHEAD_BYTES, estimate_value_size},
    selection::Selection,
    suggest_spelling,
    value::Value,
};

/// The largest weight of all final values of a server; the same limit applies on the server, so that
/// punch accepts whatever was resolved.
const MAX_NODE_WEIGHT: usize = 2 * 1024 * 1024;

/// The largest weight of all provenance: it is part of the node file, which must stay readable.
const MAX_PROVENANCE_WEIGHT: usize = 4 * 1024 * 1024;

/// What one entry of the provenance adds to a node file.
const ENTRY_WEIGHT: usize = 10 * VALUE_ITEM_OVERHEAD_BYTES;

/// Whose values are evaluated.
#[derive(Clone, Copy)]
pub(super) enum EvaluationSubject<'e> {
    /// A server, which can read values of other servers.
    Server { name: &'e ServerName, others: &'e dyn OtherServerValues },
    /// A node file written by hand: its values are final, no default is joined to them.
    FinalNode { server: &'e ServerName },
}

/// Values of other servers.
pub(super) trait OtherServerValues {
    /// The selected servers with what `parameter` reads of them. The error completes the sentence "`component.key` ...".
    fn select(&self, selection: &Selection, parameter: &Parameter) -> Result<Arc<Value>, String>;
}

/// Evaluates the parameters of chosen components.
pub(super) struct ValueEvaluator<'e, 'a> {
    subject: EvaluationSubject<'e>,
    stack: &'e PlaceStack<'a>,
    components: &'e [ComponentParameters<'a>],
    /// Tells which parameters are secret in other versions, when there is one.
    catalog: Option<&'e Catalog>,
    states: Vec<ComponentValueStates<'e>>,
    operations: Vec<Option<Rc<ComponentOperations<'a, 'e>>>>,
    /// The values in evaluation, each because the one before refers to it.
    path: Vec<ValueInEvaluation>,
    /// For each component, its values with those they refer to.
    references: Vec<Vec<(usize, ParameterId)>>,
    faults: Vec<EstateFault>,
    sizes: ValueSizes,
}

/// A value in evaluation.
struct ValueInEvaluation {
    id: ParameterId,
    /// Whether it depends on the server.
    of_server: bool,
}

/// The place and parameter a value belongs to, for faults.
struct ValueSite<'s> {
    component: &'s Name,
    key: &'s Key,
    place: &'s Place,
}

impl<'e, 'a> ValueEvaluator<'e, 'a> {
    /// `states` holds what is known already.
    pub(super) fn new(
        subject: EvaluationSubject<'e>,
        stack: &'e PlaceStack<'a>,
        components: &'e [ComponentParameters<'a>],
        catalog: Option<&'e Catalog>,
        states: Vec<ComponentValueStates<'e>>,
    ) -> Self {
        Self {
            subject,
            stack,
            components,
            catalog,
            sizes: states.iter().map(ComponentValueStates::value_sizes).sum(),
            operations: states.iter().map(|_| None).collect(),
            path: Vec::new(),
            references: vec![Vec::new(); states.len()],
            states,
            faults: Vec::new(),
        }
    }

    /// Evaluates everything that is still pending.
    pub(super) fn evaluate_pending_parameters(mut self) -> EvaluatedValues<'e> {
        for at in 0..self.states.len() {
            for parameter in self.states[at].pending_parameters() {
                self.settle(ParameterId { component: at, parameter });
            }
        }
        if let Some(kind) = self.too_large() {
            self.faults.push(EstateFault::new(Place::Server(self.server().clone()), kind));
        }
        let Self { states, faults, references, sizes, .. } = self;
        EvaluatedValues { states, faults, references, sizes }
    }

    /// Evaluates one parameter and what it refers to, if it is still pending.
    pub(super) fn evaluate_parameter(&mut self, id: ParameterId) -> (&ValueState, &[EstateFault]) {
        self.settle(id);
        (self.states[id.component].value_state(id.parameter), &self.faults)
    }

    fn server(&self) -> &'e ServerName {
        match self.subject {
            EvaluationSubject::Server { name, .. } => name,
            EvaluationSubject::FinalNode { server } => server,
        }
    }

    /// Notes that the value in evaluation depends on the server.
    fn depend_on_server(&mut self) {
        if let Some(value) = self.path.last_mut() {
            value.of_server = true;
        }
    }

    fn is_final_node(&self) -> bool {
        matches!(self.subject, EvaluationSubject::FinalNode { .. })
    }

    /// Why the values are more than a node file should hold.
    fn too_large(&self) -> Option<EstateFaultKind> {
        if self.sizes.values > MAX_NODE_WEIGHT {
            return Some(EstateFaultKind::TooLarge {
                what: "the values of this server",
                limit: MAX_NODE_WEIGHT,
            });
        }
        (self.sizes.provenance > MAX_PROVENANCE_WEIGHT).then_some(EstateFaultKind::TooLarge {
            what: "the values that its roles, groups, environment and components have for this server",
            limit: MAX_PROVENANCE_WEIGHT,
        })
    }

    /// Evaluates one pending parameter, once. Stops when the values exceed their limits.
    fn settle(&mut self, id: ParameterId) {
        let is_pending = matches!(self.states[id.component].value_state(id.parameter), ValueState::Pending);
        if !is_pending || self.too_large().is_some() {
            return;
        }
        self.states[id.component].set_value_state(id.parameter, ValueState::Begun);
        self.path.push(ValueInEvaluation { id, of_server: false });
        let faults = self.faults.len();
        let value = self.evaluate(id);
        let of_server = self.path.pop().is_some_and(|value| value.of_server);
        let state = match value {
            Some(Some((value, sizes))) if self.faults.len() == faults => {
                ValueState::Final { value, sizes, of_server }
            }
            Some(None) if self.faults.len() == faults => ValueState::Absent { of_server },
            _ => ValueState::Failed,
        };
        self.states[id.component].set_value_state(id.parameter, state);
    }

    fn operations_of(&mut self, component: usize) -> Rc<ComponentOperations<'a, 'e>> {
        let (stack, name, is_final) = (self.stack, self.components[component].name, self.is_final_node());
        let operations = self.operations[component].get_or_insert_with(|| {
            let operations = ComponentOperations::new(stack, name);
            Rc::new(if is_final { operations.without_joined_defaults() } else { operations })
        });
        Rc::clone(operations)
    }

    /// `None` when a value it needs failed; `Some(None)` when it has no value.
    fn evaluate(&mut self, id: ParameterId) -> Option<Option<(Arc<NodeValue>, ValueSizes)>> {
        let components = self.components;
        let (name, (key, parameter)) =
            (components[id.component].name, components[id.component].parameters[id.parameter]);
        let component_operations = self.operations_of(id.component);
        let mut operations = component_operations.operations_on_parameter(key, parameter);
        if operations.iter().any(|operation| matches!(operation.place, Place::Server(_))) {
            self.depend_on_server();
        }
        let mut secret = parameter.secret;
        let mut contributions = Vec::new();
        let mut indexes = Vec::new();
        let mut joined = 0;
        let mut removals_with_part = Vec::new();
        let mut provenance_size = 0;
        for (at, operation) in operations.iter().enumerate() {
            provenance_size += ENTRY_WEIGHT + operation.origin.map_or(0, |origin| origin.by.len());
            let ValueOperation::Value(value) = operation.what else { continue };
            provenance_size += estimate_value_size(value);
            if !operation.effective {
                continue;
            }
            let site = ValueSite { component: name, key, place: operation.place };
            let mut value = match has_references(value) {
                true => Arc::new(self.expand_references(&site, value, &mut secret, &mut { MAX_VALUE_SIZE })?),
                false => Arc::clone(value),
            };
            joined += estimate_value_size(&value);
            if joined > MAX_NODE_WEIGHT {
                return self.wrong(&site, format!("joins values of more than {MAX_NODE_WEIGHT} bytes"));
            }
            for (stronger_at, stronger) in operations[..at].iter().enumerate() {
                if let ValueOperation::RemoveEntry(path) = stronger.what
                    && stronger.effective
                    && remove_map_entry(&mut value, path)
                {
                    removals_with_part.push(stronger_at);
                }
            }
            contributions.push(value);
            indexes.push(at);
        }
        self.sizes.provenance += provenance_size;
        // Each by itself, so that a fault names the place that set the value.
        for (value, at) in contributions.iter().zip(&indexes) {
            self.check(
                &ValueSite { component: name, key, place: operations[*at].place },
                parameter,
                value,
                secret,
            )?;
        }
        let several = contributions.len() > 1;
        let merged = match merge_values(parameter.merge, &contributions) {
            Ok(Some(merged)) => merged,
            Ok(None) if parameter.required => return self.missing(name, key, parameter),
            Ok(None) => return Some(None),
            Err(at) => {
                let site = ValueSite { component: name, key, place: operations[indexes[at]].place };
                return self
                    .wrong(&site, format!("must be {} to be merged", parameter.describe_expected_type()));
            }
        };
        let winner = operations[indexes[0]].place;
        let site = ValueSite { component: name, key, place: winner };
        if several {
            self.check(&site, parameter, &merged.value, secret)?;
        }
        for (at, has_part) in indexes.iter().zip(&merged.has_part) {
            operations[*at].effective = *has_part;
        }
        mark_removals(&mut operations, &removals_with_part);
        let value = match parameter.kind {
            ParameterType::Servers if !self.is_final_node() => {
                self.select(&site, parameter, &merged.value)?
            }
            _ => merged.value,
        };
        let size = estimate_value_size(&value) + key.as_str().len() + ENTRY_WEIGHT;
        self.sizes.values += size;
        let provenance = provenance(operations, secret);
        let sizes = ValueSizes { values: size, provenance: provenance_size };
        Some(Some((Arc::new(NodeValue { value, secret, provenance }), sizes)))
    }

    /// The servers that a selection stands for.
    fn select(&mut self, site: &ValueSite<'_>, parameter: &Parameter, value: &Value) -> Option<Arc<Value>> {
        let selection = match Selection::from_value(value, self.stack.environment) {
            Ok(selection) => selection,
            Err(message) => return self.wrong(site, message),
        };
        self.depend_on_server();
        match self.subject {
            EvaluationSubject::Server { others, .. } => {
                let selected = others.select(&selection, parameter);
                // The host checks it against the same limits.
                match selected
                    .and_then(|servers| parameter.check_value_masked(&servers, true).map(|()| servers))
                {
                    Ok(servers) => Some(servers),
                    Err(message) => self.wrong(site, message),
                }
            }
            EvaluationSubject::FinalNode { .. } => None,
        }
    }

    fn missing<T>(&mut self, name: &Name, key: &Key, parameter: &Parameter) -> Option<T> {
        let (component, description) = (name.clone(), parameter.description.trim_end_matches('.').to_owned());
        let kind = EstateFaultKind::Missing { component, key: key.clone(), description };
        let place = Place::Server(self.server().clone());
        self.faults.push(EstateFault::new(place, kind).with_key(name, key));
        None
    }

    /// Checks a value; the sentence is only made, and secrets only looked up, when it is wrong.
    fn check(
        &mut self,
        site: &ValueSite<'_>,
        parameter: &Parameter,
        value: &Value,
        secret: bool,
    ) -> Option<()> {
        let check = |masked| match parameter.kind {
            // It is a selection yet.
            ParameterType::Servers if !self.is_final_node() => {
                parameter.check_unresolved_value_masked(value, masked)
            }
            _ => parameter.check_value_masked(value, masked),
        };
        if check(true).is_ok() {
            return Some(());
        }
        match check(secret || self.hidden(site)) {
            Ok(()) => Some(()),
            Err(message) => self.wrong(site, message),
        }
    }

    /// Whether errors must not show this value.
    fn hidden(&self, site: &ValueSite<'_>) -> bool {
        let (component, key) = (site.component, site.key);
        let declared = self.components.iter().find(|declared| declared.name == component);
        declared.and_then(|declared| declared.component.parameters.get(key)).is_some_and(|found| found.secret)
            || self.catalog.is_some_and(|catalog| catalog.is_secret_parameter(component, key) == Some(true))
    }

    fn wrong<T>(&mut self, site: &ValueSite<'_>, message: String) -> Option<T> {
        let (component, key) = (site.component.clone(), site.key.clone());
        let kind = EstateFaultKind::WrongValue { component, key, message };
        self.faults.push(EstateFault::new(site.place.clone(), kind).with_key(site.component, site.key));
        None
    }
}

/// The faults of values for parameters that the chosen components do not declare, of the layers and components that are
/// `checked`.
pub(super) fn find_unknown_parameters(
    stack: &PlaceStack<'_>,
    components: &[ComponentParameters<'_>],
    checked: impl Fn(usize, usize) -> bool,
) -> Vec<EstateFault> {
    let mut faults = Vec::new();
    for (at, layer) in stack.layers.iter().enumerate() {
        for (name, values) in &layer.overrides.values {
            let Ok(found) = components.binary_search_by(|component| component.name.cmp(name)) else {
                continue;
            };
            if !checked(at, found) || at >= stack.count_effective_layers(name) {
                continue;
            }
            let component = components[found].component;
            for key in values.keys().filter(|key| !component.parameters.contains_key(*key)) {
                faults.push(unknown_parameter_fault(layer.place.clone(), component, key));
            }
        }
    }
    faults
}

/// The fault of a value for a parameter the component does not declare.
pub(super) fn unknown_parameter_fault(place: Place, component: &Component, key: &Key) -> EstateFault {
    let known: Vec<String> = component.parameters.keys().map(Key::to_string).collect();
    let near = suggest_spelling(key.as_str(), known.iter().map(String::as_str)).map(str::to_owned);
    let kind = EstateFaultKind::UnknownParameter {
        component: component.name.clone(),
        version: component.version.clone(),
        key: key.clone(),
        near,
        known,
    };
    EstateFault::new(place, kind).with_key(&component.name, key)
}

/// A removal has a part in the value if it takes something away: `with_part` are the removals of entries that do.
fn mark_removals(operations: &mut [PlaceOperation<'_, '_>], with_part: &[usize]) {
    for at in 0..operations.len() {
        let takes_away = match operations[at].what {
            ValueOperation::Value(_) => continue,
            ValueOperation::RemoveEntry(_) => with_part.contains(&at),
            ValueOperation::RemoveAll => operations[at + 1..].iter().any(|weaker| {
                matches!(weaker.what, ValueOperation::Value(_)) && !matches!(weaker.place, Place::Default(_))
            }),
        };
        operations[at].effective &= takes_away;
    }
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
                ValueOperation::Value(value) => Some(Arc::clone(value)),
                ValueOperation::RemoveAll => None,
                ValueOperation::RemoveEntry(path) => Some(Arc::new(Value::Text(join_escaped(path)))),
            },
            effective: entry.effective,
            origin: entry.origin.cloned(),
        })
        .collect();
    if provenance.len() > 1 {
        provenance.sort_by_key(|entry| (!entry.effective, entry.removes && entry.effective));
    }
    provenance
}
