//! Stacks of places with their components and values, shared by all servers that have them, and the nodes of servers
//! made from these.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use super::{
    choose_versions::{ChosenComponent, ChosenComponents, choose_versions},
    evaluate::{
        ComponentParameters, ComponentStates, EvaluatedValues, EvaluationSubject, ParameterId, SharedStates,
        ValueEvaluator, ValueState, component_parameters, final_values, find_parameter,
        unknown_parameter_faults,
    },
    fault::{EstateFault, ResolveError},
    place_stack::{PlaceLayer, PlaceStack},
};
use crate::{
    catalog::Catalog,
    estate::{InheritedItem, Place},
    name::{Key, Name},
    node::{ContentDigest, NodeComponent, NodeValue, component_digest},
};

/// A stack of places, the versions chosen for it, and every value that does not depend on the server.
pub(super) struct ResolvedStack<'a> {
    pub(super) stack: PlaceStack<'a>,
    pub(super) chosen: Rc<ChosenComponents<'a>>,
    parameters: Rc<Vec<ComponentParameters<'a>>>,
    states: Vec<Rc<SharedStates>>,
    components: Vec<SharedComponent>,
    /// For each parameter, those that refer to it.
    referrers: HashMap<ParameterId, Vec<ParameterId>>,
    unknown_parameters: Vec<EstateFault>,
}

/// A component of a node, and its digest.
#[derive(Clone)]
pub(super) struct SharedComponent {
    pub(super) component: Arc<NodeComponent>,
    pub(super) digest: ContentDigest,
}

/// A stack below further layers, ready for evaluation.
pub(super) struct StackedPlaces<'a> {
    base: Option<Rc<ResolvedStack<'a>>>,
    pub(super) stack: PlaceStack<'a>,
    chosen: Rc<ChosenComponents<'a>>,
    parameters: Rc<Vec<ComponentParameters<'a>>>,
    /// How many layers were added.
    added: usize,
}

/// The components of a server or a stack, and what is wrong.
pub(super) struct EvaluatedStack {
    pub(super) components: Vec<SharedComponent>,
    pub(super) faults: Vec<EstateFault>,
    /// The estimated size of the values and their provenance.
    pub(super) weight: usize,
    /// The states of each component's parameters, where they are not those of the shared stack.
    states: Vec<Option<Vec<ValueState>>>,
    referrers: Vec<(ParameterId, ParameterId)>,
}

impl<'a> ResolvedStack<'a> {
    /// Resolves a stack by itself.
    pub(super) fn new(catalog: &'a Catalog, stack: PlaceStack<'a>) -> Result<Self, ResolveError> {
        let places = StackedPlaces::unshared(catalog, stack, None)?;
        Ok(Self::from_places(catalog, places))
    }

    /// Resolves this stack below further layers.
    pub(super) fn below(
        self: &Rc<Self>,
        catalog: &'a Catalog,
        layers: &[PlaceLayer<'a>],
    ) -> Result<Self, ResolveError> {
        let places = StackedPlaces::new(catalog, self, layers, None)?;
        Ok(Self::from_places(catalog, places))
    }

    fn from_places(catalog: &'a Catalog, places: StackedPlaces<'a>) -> Self {
        let evaluated = places.evaluate(EvaluationSubject::SharedStack, Some(catalog));
        let mut referrers = places.base.as_ref().map(|base| base.referrers.clone()).unwrap_or_default();
        for (referred, referrer) in evaluated.referrers {
            referrers.entry(referred).or_default().push(referrer);
        }
        let unknown_parameters = places.unknown_parameters();
        let StackedPlaces { base, stack, chosen, parameters, .. } = places;
        let states = evaluated.states.into_iter().enumerate().map(|(at, own)| match (own, &base) {
            (None, Some(base)) => Rc::clone(&base.states[at]),
            (own, _) => Rc::new(SharedStates::new(own.unwrap_or_default())),
        });
        let (states, components) = (states.collect(), evaluated.components);
        Self { stack, chosen, parameters, states, components, referrers, unknown_parameters }
    }
}

impl<'a> StackedPlaces<'a> {
    /// Puts further layers on a stack. Versions are chosen again only if these layers say something about them.
    pub(super) fn new(
        catalog: &'a Catalog,
        base: &Rc<ResolvedStack<'a>>,
        layers: &[PlaceLayer<'a>],
        blamed: Option<&Place>,
    ) -> Result<Self, ResolveError> {
        let stack = base.stack.below(layers);
        let chosen = match layers.iter().any(touches_versions) {
            true => Rc::new(choose(catalog, &stack, blamed)?),
            false => Rc::clone(&base.chosen),
        };
        // A place that removes a component and requires it again takes the values of weaker places away.
        let loses_values = layers.iter().any(|layer| {
            let removed = layer.overrides.remove.iter();
            removed
                .filter_map(|removal| match &removal.what {
                    InheritedItem::Component(name) => Some(name),
                    _ => None,
                })
                .any(|name| chosen.components.contains_key(name))
        });
        if loses_values || !chosen.has_same_versions(&base.chosen) {
            return Ok(Self::with_choice(stack, chosen));
        }
        let parameters = Rc::clone(&base.parameters);
        Ok(Self { base: Some(Rc::clone(base)), stack, chosen, parameters, added: layers.len() })
    }

    /// A stack that shares nothing.
    pub(super) fn unshared(
        catalog: &'a Catalog,
        stack: PlaceStack<'a>,
        blamed: Option<&Place>,
    ) -> Result<Self, ResolveError> {
        let chosen = choose(catalog, &stack, blamed)?;
        Ok(Self::with_choice(stack, Rc::new(chosen)))
    }

    fn with_choice(stack: PlaceStack<'a>, chosen: Rc<ChosenComponents<'a>>) -> Self {
        let components = chosen.components.iter().map(|(name, chosen)| (*name, &chosen.published.component));
        let parameters = Rc::new(component_parameters(components));
        let added = stack.layers.len();
        Self { base: None, stack, chosen, parameters, added }
    }

    /// The components and their versions.
    pub(super) fn chosen(&self) -> &ChosenComponents<'a> {
        &self.chosen
    }

    /// The layers that are not part of a shared stack.
    pub(super) fn added_layers(&self) -> &[PlaceLayer<'a>] {
        &self.stack.layers[..self.added]
    }

    /// What identifies the shared stack, if the versions are those chosen for it.
    pub(super) fn shared_address(&self) -> Option<*const ()> {
        self.base.as_ref().map(|base| Rc::as_ptr(base).cast())
    }

    /// The number of a parameter of a chosen component.
    pub(super) fn find_parameter(&self, name: &Name, key: &Key) -> Option<ParameterId> {
        find_parameter(&self.parameters, name, key)
    }

    fn unknown_parameters(&self) -> Vec<EstateFault> {
        let mut faults = unknown_parameter_faults(&self.stack, self.added, &self.parameters);
        faults.extend(self.base.iter().flat_map(|base| base.unknown_parameters.iter().cloned()));
        faults
    }

    /// The states to begin with: those of the base, but for everything that the added layers can change.
    fn initial_states(&self) -> Vec<ComponentStates<'_>> {
        let Some(base) = &self.base else {
            return self.parameters.iter().map(ComponentStates::pending_all).collect();
        };
        let mut states: Vec<_> = base.states.iter().map(|shared| ComponentStates::Shared(shared)).collect();
        let mut open = Vec::new();
        let mut mark = |id: ParameterId, states: &mut Vec<ComponentStates<'_>>| {
            if states[id.component].mark_pending(id.parameter) {
                open.push(id);
            }
        };
        for (component, shared) in base.states.iter().enumerate() {
            for parameter in shared.unsettled() {
                mark(ParameterId { component, parameter }, &mut states);
            }
        }
        for layer in &self.stack.layers[..self.added] {
            for (name, values) in &layer.overrides.values {
                for id in values.keys().filter_map(|key| find_parameter(&self.parameters, name, key)) {
                    mark(id, &mut states);
                }
            }
            for removal in &layer.overrides.remove {
                let (InheritedItem::Value(name, key) | InheritedItem::Entry(name, key, _)) = &removal.what
                else {
                    continue;
                };
                if let Some(id) = find_parameter(&self.parameters, name, key) {
                    mark(id, &mut states);
                }
            }
        }
        while let Some(id) = open.pop() {
            for referrer in base.referrers.get(&id).into_iter().flatten() {
                if states[referrer.component].mark_pending(referrer.parameter) {
                    open.push(*referrer);
                }
            }
        }
        states
    }

    /// An evaluator of single parameters.
    pub(super) fn evaluator<'s>(
        &'s self,
        subject: EvaluationSubject<'s>,
        catalog: Option<&'s Catalog>,
    ) -> ValueEvaluator<'s, 'a> {
        ValueEvaluator::new(subject, &self.stack, &self.parameters, catalog, self.initial_states())
    }

    /// Evaluates every parameter that the base has not settled.
    pub(super) fn evaluate(
        &self,
        subject: EvaluationSubject<'_>,
        catalog: Option<&Catalog>,
    ) -> EvaluatedStack {
        let evaluated = self.evaluator(subject, catalog).evaluate_all();
        let EvaluatedValues { states, mut faults, referrers, sizes } = evaluated;
        if !matches!(subject, EvaluationSubject::SharedStack) {
            faults.extend(self.unknown_parameters());
        }
        let states: Vec<_> = states.into_iter().map(ComponentStates::into_own).collect();
        let is_chosen_again = self.base.as_ref().is_none_or(|base| !Rc::ptr_eq(&base.chosen, &self.chosen));
        let components = self.chosen.components.values().enumerate().map(|(at, chosen)| {
            let shared = self.base.as_ref().map(|base| &base.components[at]);
            match (&states[at], shared) {
                (None, Some(shared)) if !is_chosen_again => shared.clone(),
                (None, Some(shared)) => {
                    let component = node_component(chosen, shared.component.values.clone());
                    SharedComponent { component: Arc::new(component), digest: shared.digest }
                }
                (own, _) => {
                    let values = final_values(&self.parameters[at], own.as_deref().unwrap_or_default());
                    let component = node_component(chosen, values);
                    SharedComponent { digest: component_digest(&component), component: Arc::new(component) }
                }
            }
        });
        let (components, weight) = (components.collect(), sizes.values + sizes.provenance);
        EvaluatedStack { components, faults, weight, states, referrers }
    }
}

fn choose<'a>(
    catalog: &'a Catalog,
    stack: &PlaceStack<'a>,
    blamed: Option<&Place>,
) -> Result<ChosenComponents<'a>, ResolveError> {
    let environment = Place::Environment(stack.environment.clone());
    choose_versions(catalog, stack, blamed.unwrap_or(&environment))
}

/// Whether a layer says something about which components and versions there are.
fn touches_versions(layer: &PlaceLayer<'_>) -> bool {
    let overrides = layer.overrides;
    !overrides.components.is_empty()
        || !overrides.versions.is_empty()
        || overrides.remove.iter().any(|removal| matches!(removal.what, InheritedItem::Component(_)))
}

fn node_component(chosen: &ChosenComponent<'_>, values: BTreeMap<Key, Arc<NodeValue>>) -> NodeComponent {
    let published = chosen.published;
    NodeComponent {
        version: published.component.version.clone(),
        kind: Some(published.component.kind),
        payload: Some(Arc::clone(&published.payload)),
        deployment: Some(Arc::clone(&published.deployment)),
        requirements: Arc::clone(&chosen.requirements),
        values,
    }
}
