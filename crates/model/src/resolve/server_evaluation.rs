//! The values of one server: components that other servers share are taken as they are, the rest is evaluated.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use super::{
    choose_versions::{ChosenComponent, ChosenComponents},
    component_cache::{ComponentCache, ComponentInputsId, EvaluatedComponent, ReferencedValue},
    evaluate::{
        ComponentParameters, ComponentValueStates, EvaluatedValues, EvaluationSubject, ParameterId,
        SharedValueStates, ValueEvaluator, ValueState, collect_final_values, find_parameter,
        find_unknown_parameters,
    },
    fault::EstateFault,
    place_stack::PlaceStack,
};
use crate::{
    catalog::Catalog,
    estate::InheritedItem,
    name::{Key, Name},
    node::{ContentDigest, NodeComponent, NodeValue, digest_node_component},
};

/// A server's places with the versions chosen for them, ready for evaluation.
pub(super) struct ServerEvaluation<'a> {
    pub(super) stack: PlaceStack<'a>,
    pub(super) chosen: ChosenComponents<'a>,
    parameters: Vec<ComponentParameters<'a>>,
    signatures: Vec<ComponentInputsId>,
    /// The components that are known from other servers.
    shared: Vec<Option<Rc<EvaluatedComponent<'a>>>>,
}

/// The components of a server, in the order of their names, and what is wrong.
pub(super) struct EvaluatedServer {
    pub(super) components: Vec<(Arc<NodeComponent>, ContentDigest)>,
    pub(super) faults: Vec<EstateFault>,
    /// The estimated size of the values and their provenance.
    pub(super) weight: usize,
}

impl<'a> ServerEvaluation<'a> {
    /// Looks up what is known from other servers.
    pub(super) fn new(
        cache: &ComponentCache<'a>,
        stack: PlaceStack<'a>,
        chosen: ChosenComponents<'a>,
    ) -> Self {
        let components: Vec<_> = chosen.components.iter().map(|(name, chosen)| (*name, chosen)).collect();
        let signatures = cache.component_inputs_ids(&stack, &components);
        let shared = signatures
            .iter()
            .map(|id| cache.find_evaluated_component(*id, &stack, &chosen.components))
            .collect();
        let parameters = components.iter().map(|(name, chosen)| ComponentParameters {
            name,
            component: &chosen.published.component,
            parameters: cache.parameters_of_version(chosen.published),
        });
        let parameters = parameters.collect();
        Self { stack, parameters, signatures, shared, chosen }
    }

    /// The number of a parameter of a chosen component.
    pub(super) fn find_parameter(&self, name: &Name, key: &Key) -> Option<ParameterId> {
        find_parameter(&self.parameters, name, key)
    }

    /// An evaluator of single parameters.
    pub(super) fn parameter_evaluator<'s>(
        &'s self,
        subject: EvaluationSubject<'s>,
        catalog: Option<&'s Catalog>,
    ) -> ValueEvaluator<'s, 'a> {
        ValueEvaluator::new(subject, &self.stack, &self.parameters, catalog, self.initial_states())
    }

    /// What is known from other servers, but for everything that the server's own layer touches, that depends on the
    /// server otherwise, or that refers to such a value.
    fn initial_states(&self) -> Vec<ComponentValueStates<'_>> {
        let states = self.shared.iter().zip(&self.parameters).map(|(shared, component)| match shared {
            Some(shared) => ComponentValueStates::Shared(&shared.states),
            None => ComponentValueStates::all_pending(component),
        });
        let mut states: Vec<_> = states.collect();
        for (component, shared) in self.shared.iter().enumerate() {
            for parameter in shared.iter().flat_map(|shared| shared.states.unsettled_parameters()) {
                states[component].mark_pending(parameter);
            }
        }
        let own = self.stack.layers[0].overrides;
        for (name, values) in &own.values {
            for id in values.keys().filter_map(|key| find_parameter(&self.parameters, name, key)) {
                states[id.component].mark_pending(id.parameter);
            }
        }
        for removal in &own.remove {
            let (InheritedItem::Component(name)
            | InheritedItem::Value(name, _)
            | InheritedItem::Entry(name, _, _)) = &removal.what;
            if let Ok(component) = self.parameters.binary_search_by(|known| known.name.cmp(name)) {
                states[component] = ComponentValueStates::all_pending(&self.parameters[component]);
            }
        }
        self.mark_referrers(&mut states);
        states
    }

    /// Marks every value that refers to one that is to be evaluated, until there is none left.
    fn mark_referrers(&self, states: &mut [ComponentValueStates<'_>]) {
        let references = self.shared.iter().enumerate().flat_map(|(component, shared)| {
            let references = shared.iter().flat_map(|shared| &shared.references);
            references.filter_map(move |(parameter, name, key)| {
                Some((
                    ParameterId { component, parameter: *parameter },
                    find_parameter(&self.parameters, name, key)?,
                ))
            })
        });
        let references: Vec<(ParameterId, ParameterId)> = references.collect();
        loop {
            let mut marked = false;
            for (referrer, referred) in &references {
                if states[referred.component].is_pending(referred.parameter) {
                    marked |= states[referrer.component].mark_pending(referrer.parameter);
                }
            }
            if !marked {
                return;
            }
        }
    }

    /// Evaluates every value that is not known from other servers, and keeps for them what does not depend on this one.
    pub(super) fn evaluate_server(
        &self,
        cache: &ComponentCache<'a>,
        subject: EvaluationSubject<'_>,
        catalog: &Catalog,
    ) -> EvaluatedServer {
        let EvaluatedValues { states, faults: value_faults, references, sizes } =
            self.parameter_evaluator(subject, Some(catalog)).evaluate_pending_parameters();
        let is_fresh = |at: usize| self.shared[at].is_none();
        // Of a shared component only the server's own layer was not checked yet.
        let is_checked = |layer: usize, component: usize| layer == 0 || is_fresh(component);
        let mut faults = find_unknown_parameters(&self.stack, &self.parameters, is_checked);
        faults.extend(value_faults);
        let mut components = Vec::with_capacity(states.len());
        for (at, (states, chosen)) in states.into_iter().zip(self.chosen.components.values()).enumerate() {
            let build = |states: &[ValueState]| {
                node_component(chosen, collect_final_values(&self.parameters[at], states))
            };
            match (states.into_owned_states(), &self.shared[at]) {
                (None, Some(shared)) => {
                    let component =
                        shared.shared_node_component(chosen, || build(shared.states.value_states()));
                    components.push((component, shared.digest));
                }
                (own, _) => {
                    let own = own.unwrap_or_default();
                    let component = Arc::new(build(&own));
                    let digest = digest_node_component(&component);
                    if faults.is_empty() && is_fresh(at) {
                        let states = SharedValueStates::without_server_values(own);
                        let (direct, referred) = self.references_of(at, &references);
                        let evaluated = EvaluatedComponent::new(referred, direct, states, &component, digest);
                        cache.insert_evaluated_component(self.signatures[at], evaluated);
                    }
                    components.push((component, digest));
                }
            }
        }
        EvaluatedServer { components, faults, weight: sizes.values + sizes.provenance }
    }

    /// The values that a component refers to directly, each with the parameter that does, and all that it refers to
    /// through others too.
    fn references_of(
        &self,
        component: usize,
        evaluated: &[Vec<(usize, ParameterId)>],
    ) -> (Vec<(usize, &'a Name, &'a Key)>, Vec<ReferencedValue<'a>>) {
        let named = |id: ParameterId| {
            let referred = &self.parameters[id.component];
            (referred.name, referred.parameters[id.parameter].0)
        };
        let direct = &evaluated[component];
        let mut visited: Vec<ParameterId> = Vec::new();
        let mut open: Vec<ParameterId> = direct.iter().map(|(_, referred)| *referred).collect();
        while let Some(id) = open.pop() {
            if visited.contains(&id) {
                continue;
            }
            visited.push(id);
            let of_value = evaluated[id.component].iter().filter(|(parameter, _)| *parameter == id.parameter);
            open.extend(of_value.map(|(_, referred)| *referred));
            for (_, name, key) in self.shared[id.component]
                .iter()
                .flat_map(|shared| &shared.references)
                .filter(|(parameter, ..)| *parameter == id.parameter)
            {
                open.extend(find_parameter(&self.parameters, name, key));
            }
        }
        let direct = direct.iter().map(|(parameter, referred)| {
            let (name, key) = named(*referred);
            (*parameter, name, key)
        });
        let referred = visited.into_iter().filter_map(|id| {
            let (name, key) = named(id);
            ReferencedValue::find_value_places(&self.stack, &self.chosen.components, name, key)
        });
        (direct.collect(), referred.collect())
    }
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
