//! Evaluation: merges the operations on each parameter, resolves references and checks the final values.
//!
//! A value that depends on the server, by its name or by what it reads of other servers, is marked as such: all others
//! are kept for every server of which the same places say the same.

mod expand;
mod shared_values;

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    fault::{EstateFault, EstateFaultKind},
    merge::{merge_values_of_places, remove_nested_map_entry},
    numbered_parameters::{ComponentsWithNumberedParameters, IndexedParameter, ParametersTouchedByPlace},
    operations::{
        ValueOrRemoval, collect_operations_on_parameter, mark_effective_removals, provenance_of_operations,
    },
    places_strongest_first::PlacesStrongestFirst,
    reference::has_references,
    value_cache::{EvaluatedValue, PlaceListId, ValueAndProvenanceSizes, ValueCache},
};
use crate::{
    catalog::ComponentCatalog,
    component::Component,
    estate::PlaceId,
    name::{Key, Name, ServerName},
    node::NodeValue,
    parameter::{
        MAX_ESTIMATED_VALUE_BYTES, Parameter, ParameterType, VALUE_ITEM_OVERHEAD_BYTES, estimate_value_size,
    },
    server_selection::ServerSelectionCriteria,
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

/// How many faults of one server are told at most. Nobody corrects more at once.
pub(super) const MAX_FAULTS_OF_SERVER: usize = 1_000;

/// Whose values are evaluated.
#[derive(Clone, Copy)]
pub(super) enum ServerOrHandwrittenNode<'e> {
    /// A server, which can read values of other servers.
    Server { name: &'e ServerName, others: &'e dyn OtherServerValueSource },
    /// A node file written by hand: its values are final, no default is joined to them.
    FinalNode { server: &'e ServerName },
}

/// Values of other servers.
pub(super) trait OtherServerValueSource {
    /// The selected servers with what `parameter` reads of them. The error completes the sentence "`component.key` ...".
    fn read_values_of_selected_servers(
        &self,
        selection: &ServerSelectionCriteria,
        parameter: &Parameter,
    ) -> Result<Arc<Value>, String>;
}

/// Evaluates the parameters of chosen components.
pub(super) struct ValueEvaluator<'e, 'a> {
    subject: ServerOrHandwrittenNode<'e>,
    stack: &'e PlacesStrongestFirst<'a>,
    set: &'e ComponentsWithNumberedParameters<'a>,
    /// What each layer of the stack touches.
    touched: &'e [Rc<ParametersTouchedByPlace<'a>>],
    /// Tells which parameters are secret in other versions, when there is one.
    catalog: Option<&'e ComponentCatalog>,
    /// What is known from other servers.
    known: Option<SharedValueCacheAccess<'e>>,
    /// One for each slot.
    states: Vec<ValueEvaluationState>,
    /// The values in evaluation, each because the one before refers to it.
    path: Vec<ValueInEvaluation>,
    faults: Vec<EstateFault>,
    sizes: ValueAndProvenanceSizes,
}

/// What is known from other servers, and where it may be used.
#[derive(Clone, Copy)]
pub(super) struct SharedValueCacheAccess<'e> {
    pub(super) cache: &'e ValueCache,
    /// The places that touch each slot, but for the server's own layer.
    pub(super) touching: &'e [PlaceListId],
    /// The slots that the server's own layer touches, in their order.
    pub(super) own: &'e [usize],
}

/// The state of a value's evaluation.
#[derive(Clone)]
pub(super) enum ValueEvaluationState {
    /// Not evaluated yet.
    Pending,
    /// In evaluation, possibly because another value refers to it.
    Begun,
    /// Evaluated.
    Final(Rc<EvaluatedValue>),
    /// Its fault is recorded.
    Failed,
}

/// What an evaluation comes to.
pub(super) struct EvaluationOutcome {
    /// One for each slot.
    pub(super) states: Vec<ValueEvaluationState>,
    pub(super) faults: Vec<EstateFault>,
    pub(super) sizes: ValueAndProvenanceSizes,
}

/// A value in evaluation.
struct ValueInEvaluation {
    slot: usize,
    /// Whether it depends on the server.
    of_server: bool,
    /// Whether it names the environment.
    of_environment: bool,
    /// The length of the longest chain of references that begins with it.
    chain: usize,
    /// The slots it refers to.
    references: Vec<usize>,
}

impl ValueInEvaluation {
    fn new(slot: usize) -> Self {
        Self { slot, of_server: false, of_environment: false, chain: 0, references: Vec::new() }
    }
}

/// The place and parameter a value belongs to, for faults.
struct ValueSite<'s> {
    component: &'s Name,
    key: &'s Key,
    place: &'s PlaceId,
}

impl<'e, 'a> ValueEvaluator<'e, 'a> {
    /// `touched` says what each layer of the stack touches; `states` holds what is evaluated already, and what that weighs.
    pub(super) fn new(
        subject: ServerOrHandwrittenNode<'e>,
        (stack, touched): (&'e PlacesStrongestFirst<'a>, &'e [Rc<ParametersTouchedByPlace<'a>>]),
        set: &'e ComponentsWithNumberedParameters<'a>,
        states: (Vec<ValueEvaluationState>, ValueAndProvenanceSizes),
    ) -> Self {
        let (states, sizes) = states;
        let (path, faults) = (Vec::new(), Vec::new());
        Self { subject, stack, touched, set, catalog: None, known: None, states, path, faults, sizes }
    }

    /// The same, using what is known from other servers, and the catalog to tell which values are secret.
    pub(super) fn with_shared_value_cache(
        mut self,
        known: SharedValueCacheAccess<'e>,
        catalog: &'e ComponentCatalog,
    ) -> Self {
        self.known = Some(known);
        self.catalog = Some(catalog);
        self
    }

    /// Evaluates everything that is still pending. It ends early, and the outcome is incomplete, with too many faults or
    /// once `is_cancelled` is set.
    pub(super) fn evaluate_pending_parameters(
        mut self,
        is_cancelled: Option<&AtomicBool>,
    ) -> EvaluationOutcome {
        for slot in 0..self.states.len() {
            if self.faults.len() >= MAX_FAULTS_OF_SERVER
                || is_cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed))
            {
                break;
            }
            self.settle(slot);
        }
        if let Some(kind) = self.too_large() {
            self.faults.push(EstateFault::new(PlaceId::Server(self.server().clone()), kind));
        }
        let Self { states, faults, sizes, .. } = self;
        EvaluationOutcome { states, faults, sizes }
    }

    /// Evaluates one parameter and what it refers to, if it is still pending.
    pub(super) fn evaluate_parameter(&mut self, slot: usize) -> (&ValueEvaluationState, &[EstateFault]) {
        self.settle(slot);
        (&self.states[slot], &self.faults)
    }

    fn server(&self) -> &'e ServerName {
        match self.subject {
            ServerOrHandwrittenNode::Server { name, .. } => name,
            ServerOrHandwrittenNode::FinalNode { server } => server,
        }
    }

    /// Notes that the value in evaluation depends on the server.
    fn depend_on_server(&mut self) {
        if let Some(value) = self.path.last_mut() {
            value.of_server = true;
        }
    }

    /// Notes that the value in evaluation names the environment.
    fn depend_on_environment(&mut self) {
        if let Some(value) = self.path.last_mut() {
            value.of_environment = true;
        }
    }

    /// Forgets what was noted of the value in evaluation.
    fn begin_evaluation(&mut self, slot: usize) {
        let of_server = self.is_own(slot);
        if let Some(value) = self.path.last_mut() {
            *value = ValueInEvaluation { of_server, ..ValueInEvaluation::new(slot) };
        }
    }

    /// Whether the server's own layer touches a value.
    fn is_own(&self, slot: usize) -> bool {
        self.known.is_some_and(|known| known.own.binary_search(&slot).is_ok())
    }

    fn is_final_node(&self) -> bool {
        matches!(self.subject, ServerOrHandwrittenNode::FinalNode { .. })
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
    fn settle(&mut self, slot: usize) {
        if !matches!(self.states[slot], ValueEvaluationState::Pending) || self.too_large().is_some() {
            return;
        }
        self.states[slot] = ValueEvaluationState::Begun;
        self.path.push(ValueInEvaluation::new(slot));
        let faults = self.faults.len();
        let value = match self.reuse_value_of_other_servers(slot) {
            Some(known) => Some(known),
            None => self.evaluate(slot),
        };
        self.path.pop();
        self.states[slot] = match value {
            Some(value) if self.faults.len() == faults => {
                self.sizes.add_sizes(value.sizes);
                ValueEvaluationState::Final(value)
            }
            _ => ValueEvaluationState::Failed,
        };
    }

    /// `None` when a value it needs failed.
    fn evaluate(&mut self, slot: usize) -> Option<Rc<EvaluatedValue>> {
        let IndexedParameter { component, key, parameter, .. } = self.set.parameters[slot];
        let name = self.set.components[component].name;
        let default = PlaceId::Default(name.clone());
        let joins_defaults = !self.is_final_node();
        let touched = self.touched;
        let touching = (0..touched.len()).filter(|layer| touched[*layer].slots.binary_search(&slot).is_ok());
        let mut operations = collect_operations_on_parameter(
            self.stack,
            (name, key, parameter),
            touching,
            &default,
            joins_defaults,
        );
        self.begin_evaluation(slot);
        let mut secret = parameter.secret;
        let mut contributions = Vec::new();
        let mut indexes = Vec::new();
        let mut joined = 0;
        let mut removals_with_part = Vec::new();
        let mut provenance_size = 0;
        for (at, operation) in operations.iter().enumerate() {
            provenance_size += ENTRY_WEIGHT + operation.origin.map_or(0, |origin| origin.by.len());
            let ValueOrRemoval::Value(value) = operation.what else { continue };
            provenance_size += estimate_value_size(value);
            if !operation.effective {
                continue;
            }
            let site = ValueSite { component: name, key, place: operation.place };
            let mut value = match has_references(value) {
                true => Arc::new(
                    self.expand_references(&site, value, &mut secret, &mut { MAX_ESTIMATED_VALUE_BYTES })?,
                ),
                false => Arc::clone(value),
            };
            joined += estimate_value_size(&value);
            if joined > MAX_NODE_WEIGHT {
                return self.wrong(&site, format!("joins values of more than {MAX_NODE_WEIGHT} bytes"));
            }
            for (stronger_at, stronger) in operations[..at].iter().enumerate() {
                if let ValueOrRemoval::RemoveEntry(path) = stronger.what
                    && stronger.effective
                    && remove_nested_map_entry(&mut value, path)
                {
                    removals_with_part.push(stronger_at);
                }
            }
            contributions.push(value);
            indexes.push(at);
        }
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
        let merged = match merge_values_of_places(parameter.merge, &contributions) {
            Ok(Some(merged)) => merged,
            Ok(None) if parameter.required => return self.missing(name, key, parameter),
            Ok(None) => {
                let sizes = ValueAndProvenanceSizes { values: 0, provenance: provenance_size };
                return Some(self.cache_value_unless_server_specific(
                    slot,
                    self.final_value(None, sizes),
                    None,
                ));
            }
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
        mark_effective_removals(&mut operations, &removals_with_part);
        let value = match parameter.kind {
            ParameterType::Servers if !self.is_final_node() => {
                self.select(&site, parameter, &merged.value)?
            }
            _ => merged.value,
        };
        let template = match (&contributions[..], operations[indexes[0]].what) {
            ([_], ValueOrRemoval::Value(text)) if parameter.kind != ParameterType::Servers => text.as_text(),
            _ => None,
        };
        let provenance = provenance_of_operations(operations, secret);
        let sizes =
            ValueAndProvenanceSizes { values: value_weight(key, &value), provenance: provenance_size };
        let evaluated = self.final_value(Some(Arc::new(NodeValue { value, secret, provenance })), sizes);
        Some(self.cache_value_unless_server_specific(slot, evaluated, template))
    }

    fn final_value(&self, value: Option<Arc<NodeValue>>, sizes: ValueAndProvenanceSizes) -> EvaluatedValue {
        let mut value = EvaluatedValue::new(value, sizes);
        if let Some(at) = self.path.last() {
            (value.chain, value.of_server, value.of_environment) =
                (at.chain, at.of_server, at.of_environment);
        }
        value
    }

    /// The servers that a selection stands for.
    fn select(&mut self, site: &ValueSite<'_>, parameter: &Parameter, value: &Value) -> Option<Arc<Value>> {
        let selection = match ServerSelectionCriteria::from_parameter_value(value, self.stack.environment) {
            Ok(selection) => selection,
            Err(message) => return self.wrong(site, message),
        };
        self.depend_on_server();
        match self.subject {
            ServerOrHandwrittenNode::Server { others, .. } => {
                let selected = others.read_values_of_selected_servers(&selection, parameter);
                // The host checks it against the same limits.
                match selected.and_then(|servers| {
                    parameter.check_final_value_with_secrecy(&servers, true).map(|()| servers)
                }) {
                    Ok(servers) => Some(servers),
                    Err(message) => self.wrong(site, message),
                }
            }
            ServerOrHandwrittenNode::FinalNode { .. } => None,
        }
    }

    fn missing<T>(&mut self, name: &Name, key: &Key, parameter: &Parameter) -> Option<T> {
        let (component, description) = (name.clone(), parameter.description.trim_end_matches('.').to_owned());
        let kind = EstateFaultKind::Missing { component, key: key.clone(), description };
        let place = PlaceId::Server(self.server().clone());
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
                parameter.check_unresolved_value_with_secrecy(value, masked)
            }
            _ => parameter.check_final_value_with_secrecy(value, masked),
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
        let declared =
            self.set.find_parameter_slot(component, key).map(|slot| self.set.parameters[slot].parameter);
        declared.is_some_and(|declared| declared.secret)
            || self
                .catalog
                .is_some_and(|catalog| catalog.find_secrecy_in_any_version(component, key) == Some(true))
    }

    fn wrong<T>(&mut self, site: &ValueSite<'_>, message: String) -> Option<T> {
        let (component, key) = (site.component.clone(), site.key.clone());
        let kind = EstateFaultKind::WrongValue { component, key, message };
        self.faults.push(EstateFault::new(site.place.clone(), kind).with_key(site.component, site.key));
        None
    }
}

/// What a value weighs.
fn value_weight(key: &Key, value: &Value) -> usize {
    estimate_value_size(value) + key.as_str().len() + ENTRY_WEIGHT
}

/// The fault of a value for a parameter the component does not declare.
pub(super) fn value_of_undeclared_parameter_fault(
    place: PlaceId,
    component: &Component,
    key: &Key,
) -> EstateFault {
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
