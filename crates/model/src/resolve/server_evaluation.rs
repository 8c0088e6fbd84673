//! The values of one server: what other servers share is taken as it is, the rest is evaluated.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::Arc};

use super::{
    CheckOfChange,
    choose_versions::{ChosenComponent, ChosenComponents},
    evaluate::{
        EvaluationOutcome, MAX_FAULTS_OF_SERVER, ServerOrHandwrittenNode, SharedValueCacheAccess,
        ValueEvaluationState, ValueEvaluator, value_of_undeclared_parameter_fault,
    },
    fault::EstateFault,
    node_components::{ComponentWithoutValues, NodeComponentAndDigest, ServerIndependentNodeComponentCache},
    numbered_parameters::{ComponentsWithNumberedParameters, ParametersTouchedByPlace},
    places_strongest_first::PlacesStrongestFirst,
    value_cache::{PlaceListId, ValueAndProvenanceSizes, ValueCache},
};
use crate::{
    catalog::ComponentCatalog,
    name::{Key, Name},
};

/// The components of servers whose places require the same.
pub(super) struct ChosenComponentsSharedByServers<'a> {
    /// By name.
    pub(super) chosen: Vec<(&'a Name, ChosenComponent<'a>)>,
    /// Every component whose versions in the channel were looked at, chosen or not.
    pub(super) consulted: Arc<BTreeSet<Name>>,
    /// Its number among all that the resolver made.
    pub(super) number: usize,
    set: ComponentsWithNumberedParameters<'a>,
    without_values: Vec<Rc<ComponentWithoutValues>>,
    defaults: RefCell<DefaultValues>,
}

/// The values of parameters that no place touches, as far as they are known and refer to nothing.
struct DefaultValues {
    states: Vec<ValueEvaluationState>,
    sizes: ValueAndProvenanceSizes,
}

/// A server's places with the components chosen for them, ready for evaluation.
pub(super) struct ServerReadyForEvaluation<'a> {
    pub(super) stack: PlacesStrongestFirst<'a>,
    pub(super) components: Rc<ChosenComponentsSharedByServers<'a>>,
    /// What each layer of the stack touches; the first is the server's own.
    touched: Vec<Rc<ParametersTouchedByPlace<'a>>>,
    /// The other places that touch each slot.
    touching: Vec<PlaceListId>,
}

/// The components of a server, in the order of their names, and what is wrong.
pub(super) struct EvaluatedServerComponents {
    pub(super) components: Vec<NodeComponentAndDigest>,
    pub(super) faults: Vec<EstateFault>,
    /// The estimated size of the values and their provenance.
    pub(super) weight: usize,
}

impl<'a> ChosenComponentsSharedByServers<'a> {
    pub(super) fn new(
        cache: &ValueCache,
        built: &ServerIndependentNodeComponentCache,
        chosen: ChosenComponents<'a>,
        number: usize,
    ) -> Self {
        let ChosenComponents { components, consulted } = chosen;
        let described = components.iter().map(|(name, chosen)| (*name, &chosen.published.component));
        let set = ComponentsWithNumberedParameters::new(described, |component| {
            cache.number_of_first_parameter(component)
        });
        let states = vec![ValueEvaluationState::Pending; set.parameters.len()];
        let defaults = DefaultValues { states, sizes: ValueAndProvenanceSizes::default() };
        let without_values =
            components.values().map(|chosen| built.cached_or_new_component_without_values(chosen)).collect();
        let (chosen, consulted) = (components.into_iter().collect(), Arc::new(consulted));
        Self { chosen, consulted, number, set, without_values, defaults: RefCell::new(defaults) }
    }

    /// A chosen component.
    pub(super) fn find_chosen_component_by_name(&self, name: &Name) -> Option<&ChosenComponent<'a>> {
        self.set.find_component_index(name).map(|found| &self.chosen[found].1)
    }
}

impl<'a> ServerReadyForEvaluation<'a> {
    /// Finds out which places touch which values.
    pub(super) fn new(
        cache: &ValueCache,
        stack: PlacesStrongestFirst<'a>,
        components: Rc<ChosenComponentsSharedByServers<'a>>,
    ) -> Self {
        let set = &components.set;
        let mut touching = vec![PlaceListId::EMPTY_PLACE_LIST; set.parameters.len()];
        let mut touched = Vec::with_capacity(stack.layers.len());
        touched.push(Rc::new(set.parameters_touched_by_place(stack.layers[0].settings)));
        for layer in &stack.layers[1..] {
            let slots = set.cached_parameters_touched_by_place(layer.settings);
            for slot in &slots.slots {
                touching[*slot] = cache.place_list_id_with_weaker_place(touching[*slot], layer.settings);
            }
            touched.push(slots);
        }
        Self { stack, touched, touching, components }
    }

    /// The slot of a parameter of a chosen component.
    pub(super) fn find_parameter_slot(&self, name: &Name, key: &Key) -> Option<usize> {
        self.components.set.find_parameter_slot(name, key)
    }

    /// An evaluator of the values that are not known.
    pub(super) fn new_value_evaluator<'s>(
        &'s self,
        cache: &'s ValueCache,
        subject: ServerOrHandwrittenNode<'s>,
        catalog: &'s ComponentCatalog,
    ) -> ValueEvaluator<'s, 'a> {
        let known = SharedValueCacheAccess { cache, touching: &self.touching, own: &self.touched[0].slots };
        ValueEvaluator::new(
            subject,
            (&self.stack, &self.touched),
            &self.components.set,
            self.initial_states(),
        )
        .with_shared_value_cache(known, catalog)
    }

    /// The defaults of everything that no place touches.
    fn initial_states(&self) -> (Vec<ValueEvaluationState>, ValueAndProvenanceSizes) {
        let defaults = self.components.defaults.borrow();
        let (mut states, mut sizes) = (defaults.states.clone(), defaults.sizes);
        let touched =
            self.touching.iter().enumerate().filter(|(_, places)| **places != PlaceListId::EMPTY_PLACE_LIST);
        for slot in touched.map(|(slot, _)| slot).chain(self.touched[0].slots.iter().copied()) {
            if let ValueEvaluationState::Final(default) =
                std::mem::replace(&mut states[slot], ValueEvaluationState::Pending)
            {
                sizes.subtract_sizes(default.sizes);
            }
        }
        (states, sizes)
    }

    /// Remembers the defaults of parameters that nothing touches here.
    fn keep_defaults(&self, states: &[ValueEvaluationState]) {
        let mut defaults = self.components.defaults.borrow_mut();
        for (slot, state) in states.iter().enumerate() {
            if self.touching[slot] != PlaceListId::EMPTY_PLACE_LIST
                || !matches!(defaults.states[slot], ValueEvaluationState::Pending)
            {
                continue;
            }
            if let ValueEvaluationState::Final(value) = state
                && value.number != 0
                && value.chain == 0
                && !value.of_environment
            {
                defaults.sizes.add_sizes(value.sizes);
                defaults.states[slot] = state.clone();
            }
        }
    }

    /// Evaluates every value that is not known from other servers.
    pub(super) fn evaluate_uncached_server_values(
        &self,
        (cache, built): (&ValueCache, &ServerIndependentNodeComponentCache),
        subject: ServerOrHandwrittenNode<'_>,
        catalog: &ComponentCatalog,
        check: Option<CheckOfChange<'_>>,
    ) -> EvaluatedServerComponents {
        let EvaluationOutcome { states, faults: value_faults, sizes } = self
            .new_value_evaluator(cache, subject, catalog)
            .evaluate_pending_parameters(check.map(|check| check.is_cancelled));
        // A check finds these once for each place; here, one says that the server has no node.
        let most = if check.is_some() { 1 } else { MAX_FAULTS_OF_SERVER };
        let mut faults = self.undeclared_parameter_faults(most);
        faults.extend(value_faults);
        self.keep_defaults(&states);
        let ChosenComponentsSharedByServers { set, without_values, .. } = &*self.components;
        let components =
            set.components.iter().zip(without_values).filter_map(|(component, without_values)| {
                let slots = component.slots.clone();
                built.cached_or_new_node_component(
                    without_values,
                    &set.parameters[slots.clone()],
                    &states[slots],
                )
            });
        EvaluatedServerComponents {
            components: components.collect(),
            faults,
            weight: sizes.values + sizes.provenance,
        }
    }

    /// The faults of values for parameters that the chosen components do not declare.
    fn undeclared_parameter_faults(&self, most: usize) -> Vec<EstateFault> {
        let set = &self.components.set;
        let mut faults = Vec::new();
        for (at, (layer, touched)) in self.stack.layers.iter().zip(&self.touched).enumerate() {
            for (component, key) in &touched.undeclared {
                let component = &set.components[*component];
                if faults.len() == most {
                    return faults;
                }
                if at < self.stack.count_places_down_to_component_removal(component.name) {
                    faults.push(value_of_undeclared_parameter_fault(
                        layer.place.clone(),
                        component.component,
                        key,
                    ));
                }
            }
        }
        faults
    }
}
