//! The values of one server: components that other servers share are taken as they are, the rest is evaluated.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use super::{
    choose_versions::{ChosenComponent, ChosenComponents},
    component_cache::{ComponentCache, EvaluatedComponent, ServerSignatures},
    evaluate::{
        ComponentParameters, ComponentStates, EvaluatedValues, EvaluationSubject, ParameterId, SharedStates,
        ValueEvaluator, ValueState, final_values, find_parameter, unknown_parameter_faults,
    },
    fault::EstateFault,
    place_stack::PlaceStack,
};
use crate::{
    catalog::Catalog,
    name::{Key, Name},
    node::{ContentDigest, NodeComponent, NodeValue, component_digest},
};

/// A server's places with the versions chosen for them, ready for evaluation.
pub(super) struct ServerEvaluation<'a> {
    pub(super) stack: PlaceStack<'a>,
    pub(super) chosen: ChosenComponents<'a>,
    parameters: Vec<ComponentParameters<'a>>,
    signatures: ServerSignatures,
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
    pub(super) fn new(cache: &ComponentCache<'a>, stack: PlaceStack<'a>, chosen: ChosenComponents<'a>) -> Self {
        let components: Vec<_> = chosen.components.iter().map(|(name, chosen)| (*name, chosen)).collect();
        let signatures = cache.signatures(&stack, &components);
        let signature_of = |name: &Name| {
            let at = components.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
            Some(signatures.ids[at])
        };
        let shared = signatures.ids.iter().map(|id| cache.find(*id, signature_of)).collect();
        let parameters = components.iter().map(|(name, chosen)| ComponentParameters {
            name,
            component: &chosen.published.component,
            parameters: cache.parameters(chosen.published),
        });
        let parameters = parameters.collect();
        Self { stack, parameters, signatures, shared, chosen }
    }

    /// The number of a parameter of a chosen component.
    pub(super) fn find_parameter(&self, name: &Name, key: &Key) -> Option<ParameterId> {
        find_parameter(&self.parameters, name, key)
    }

    /// An evaluator of single parameters.
    pub(super) fn evaluator<'s>(
        &'s self,
        subject: EvaluationSubject<'s>,
        catalog: Option<&'s Catalog>,
    ) -> ValueEvaluator<'s, 'a> {
        let states = self.shared.iter().zip(&self.parameters).map(|(shared, component)| match shared {
            Some(shared) => ComponentStates::with_unsettled_pending(&shared.states),
            None => ComponentStates::pending_all(component),
        });
        ValueEvaluator::new(subject, &self.stack, &self.parameters, catalog, states.collect())
    }

    /// Evaluates every value that is not known from other servers, and keeps for them what does not depend on this one.
    pub(super) fn evaluate(
        &self,
        cache: &ComponentCache<'a>,
        subject: EvaluationSubject<'_>,
        catalog: &Catalog,
    ) -> EvaluatedServer {
        let EvaluatedValues { states, mut faults, references, sizes } =
            self.evaluator(subject, Some(catalog)).evaluate_all();
        let is_fresh = |at: usize| self.shared[at].is_none();
        faults.extend(unknown_parameter_faults(&self.stack, &self.parameters, is_fresh));
        let mut components = Vec::with_capacity(states.len());
        for (at, (states, chosen)) in states.into_iter().zip(self.chosen.components.values()).enumerate() {
            let build = |states: &[ValueState]| {
                node_component(chosen, final_values(&self.parameters[at], states))
            };
            match (states.into_own(), &self.shared[at]) {
                (None, Some(shared)) => {
                    let component =
                        shared.node_component(chosen, || build(shared.states.states()));
                    components.push((component, shared.digest));
                }
                (own, _) => {
                    let own = own.unwrap_or_default();
                    let component = Arc::new(build(&own));
                    let digest = component_digest(&component);
                    if faults.is_empty() && is_fresh(at) && let Some(references) = self.references_to_share(at, &references) {
                        let states = SharedStates::without_values_of_server(own);
                        cache.insert(self.signatures.ids[at], references, states, Arc::clone(&component), digest);
                    }
                    components.push((component, digest));
                }
            }
        }
        EvaluatedServer { components, faults, weight: sizes.values + sizes.provenance }
    }

    /// The components that one refers to, directly or not; `None` if the server itself says something about one of
    /// them, so that nobody else can use the result.
    fn references_to_share(
        &self,
        component: usize,
        references: &[Vec<usize>],
    ) -> Option<Vec<(&'a Name, super::component_cache::SignatureId)>> {
        let mut visited = vec![component];
        let mut open = vec![component];
        while let Some(at) = open.pop() {
            if self.signatures.is_own[at] {
                return None;
            }
            let known = self.shared[at].as_ref().map_or(&[][..], |shared| &shared.references);
            let known = known.iter().filter_map(|(name, _)| {
                self.parameters.binary_search_by(|component| component.name.cmp(name)).ok()
            });
            for next in known.chain(references[at].iter().copied()) {
                if !visited.contains(&next) {
                    visited.push(next);
                    open.push(next);
                }
            }
        }
        let referred = visited.into_iter().skip(1);
        Some(referred.map(|at| (self.parameters[at].name, self.signatures.ids[at])).collect())
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
