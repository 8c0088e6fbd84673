//! The values of one server: what other servers share is taken as it is, the rest is evaluated.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::Arc};

use super::{
    choose_versions::{ChosenComponent, ChosenComponents},
    component_set::{ComponentSet, TouchedSlots},
    evaluate::{
        EvaluationOutcome, EvaluationSubject, KnownValues, ValueEvaluator, ValueState,
        unknown_parameter_fault,
    },
    fault::EstateFault,
    node_components::{BuiltComponent, ComponentWithoutValues, NodeComponents},
    place_stack::PlaceStack,
    value_cache::{PlaceListId, ValueCache, ValueSizes},
};
use crate::{
    catalog::Catalog,
    name::{Key, Name},
};

/// The components of servers whose places require the same.
pub(super) struct ServerComponents<'a> {
    /// By name.
    pub(super) chosen: Vec<(&'a Name, ChosenComponent<'a>)>,
    /// Every component whose versions in the channel were looked at, chosen or not.
    pub(super) consulted: Arc<BTreeSet<Name>>,
    set: ComponentSet<'a>,
    without_values: Vec<Rc<ComponentWithoutValues>>,
    defaults: RefCell<DefaultValues>,
}

/// The values of parameters that no place touches, as far as they are known and refer to nothing.
struct DefaultValues {
    states: Vec<ValueState>,
    sizes: ValueSizes,
}

/// A server's places with the components chosen for them, ready for evaluation.
pub(super) struct ServerEvaluation<'a> {
    pub(super) stack: PlaceStack<'a>,
    pub(super) components: Rc<ServerComponents<'a>>,
    /// What each layer of the stack touches; the first is the server's own.
    touched: Vec<Rc<TouchedSlots<'a>>>,
    /// The other places that touch each slot.
    touching: Vec<PlaceListId>,
}

/// The components of a server, in the order of their names, and what is wrong.
pub(super) struct EvaluatedServer {
    pub(super) components: Vec<BuiltComponent>,
    pub(super) faults: Vec<EstateFault>,
    /// The estimated size of the values and their provenance.
    pub(super) weight: usize,
}

impl<'a> ServerComponents<'a> {
    pub(super) fn new(cache: &ValueCache, built: &NodeComponents, chosen: ChosenComponents<'a>) -> Self {
        let ChosenComponents { components, consulted } = chosen;
        let described = components.iter().map(|(name, chosen)| (*name, &chosen.published.component));
        let set = ComponentSet::new(described, |component| cache.number(component));
        let states = vec![ValueState::Pending; set.parameters.len()];
        let defaults = DefaultValues { states, sizes: ValueSizes::default() };
        let without_values = components.values().map(|chosen| built.without_values(chosen)).collect();
        let (chosen, consulted) = (components.into_iter().collect(), Arc::new(consulted));
        Self { chosen, consulted, set, without_values, defaults: RefCell::new(defaults) }
    }

    /// A chosen component.
    pub(super) fn find(&self, name: &Name) -> Option<&ChosenComponent<'a>> {
        self.set.find_component(name).map(|found| &self.chosen[found].1)
    }
}

impl<'a> ServerEvaluation<'a> {
    /// Finds out which places touch which values.
    pub(super) fn new(
        cache: &ValueCache,
        stack: PlaceStack<'a>,
        components: Rc<ServerComponents<'a>>,
    ) -> Self {
        let set = &components.set;
        let mut touching = vec![PlaceListId::EMPTY; set.parameters.len()];
        let mut touched = Vec::with_capacity(stack.layers.len());
        touched.push(Rc::new(set.touched_by(stack.layers[0].overrides)));
        for layer in &stack.layers[1..] {
            let slots = set.touched_by_shared(layer.overrides);
            for slot in &slots.slots {
                touching[*slot] = cache.add_weaker(touching[*slot], layer.overrides);
            }
            touched.push(slots);
        }
        Self { stack, touched, touching, components }
    }

    /// The slot of a parameter of a chosen component.
    pub(super) fn find_slot(&self, name: &Name, key: &Key) -> Option<usize> {
        self.components.set.find_slot(name, key)
    }

    /// An evaluator of the values that are not known.
    pub(super) fn parameter_evaluator<'s>(
        &'s self,
        cache: &'s ValueCache,
        subject: EvaluationSubject<'s>,
        catalog: &'s Catalog,
    ) -> ValueEvaluator<'s, 'a> {
        let known = KnownValues { cache, touching: &self.touching, own: &self.touched[0].slots };
        ValueEvaluator::new(
            subject,
            (&self.stack, &self.touched),
            &self.components.set,
            self.initial_states(),
        )
        .with_known_values(known, catalog)
    }

    /// The defaults of everything that no place touches.
    fn initial_states(&self) -> (Vec<ValueState>, ValueSizes) {
        let defaults = self.components.defaults.borrow();
        let (mut states, mut sizes) = (defaults.states.clone(), defaults.sizes);
        let touched = self.touching.iter().enumerate().filter(|(_, places)| **places != PlaceListId::EMPTY);
        for slot in touched.map(|(slot, _)| slot).chain(self.touched[0].slots.iter().copied()) {
            if let ValueState::Final(default) = std::mem::replace(&mut states[slot], ValueState::Pending) {
                sizes.subtract(default.sizes);
            }
        }
        (states, sizes)
    }

    /// Remembers the defaults of parameters that nothing touches here.
    fn keep_defaults(&self, states: &[ValueState]) {
        let mut defaults = self.components.defaults.borrow_mut();
        for (slot, state) in states.iter().enumerate() {
            if self.touching[slot] != PlaceListId::EMPTY
                || !matches!(defaults.states[slot], ValueState::Pending)
            {
                continue;
            }
            if let ValueState::Final(value) = state
                && value.number != 0
                && value.chain == 0
                && !value.of_environment
            {
                defaults.sizes.add(value.sizes);
                defaults.states[slot] = state.clone();
            }
        }
    }

    /// Evaluates every value that is not known from other servers.
    pub(super) fn evaluate_server(
        &self,
        (cache, built): (&ValueCache, &NodeComponents),
        subject: EvaluationSubject<'_>,
        catalog: &Catalog,
    ) -> EvaluatedServer {
        let EvaluationOutcome { states, faults: value_faults, sizes } =
            self.parameter_evaluator(cache, subject, catalog).evaluate_pending_parameters();
        let mut faults = self.undeclared_parameter_faults();
        faults.extend(value_faults);
        self.keep_defaults(&states);
        let ServerComponents { set, without_values, .. } = &*self.components;
        let components =
            set.components.iter().zip(without_values).filter_map(|(component, without_values)| {
                let slots = component.slots.clone();
                built.build(without_values, &set.parameters[slots.clone()], &states[slots])
            });
        EvaluatedServer { components: components.collect(), faults, weight: sizes.values + sizes.provenance }
    }

    /// The faults of values for parameters that the chosen components do not declare.
    fn undeclared_parameter_faults(&self) -> Vec<EstateFault> {
        let set = &self.components.set;
        let mut faults = Vec::new();
        for (at, (layer, touched)) in self.stack.layers.iter().zip(&self.touched).enumerate() {
            for (component, key) in &touched.undeclared {
                let component = &set.components[*component];
                if at < self.stack.count_effective_layers(component.name) {
                    faults.push(unknown_parameter_fault(layer.place.clone(), component.component, key));
                }
            }
        }
        faults
    }
}
