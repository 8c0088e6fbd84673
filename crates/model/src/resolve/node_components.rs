//! The components of nodes, shared by all servers that get them with the same values.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use foldhash::fast::FixedState;

use super::{
    choose_versions::ChosenComponent, evaluate::ValueEvaluationState, numbered_parameters::IndexedParameter,
};
use crate::{
    catalog::ComponentVersionWithPackages,
    name::Key,
    node::{
        CanonicalDigestPart, ComponentDigester, NodeComponent, NodeContentDigest, ValuesOfNodeComponent,
        canonical_version_and_packages,
    },
};

/// How many components are kept at most.
const MAX_KEPT_COMPONENTS: usize = 20_000;

/// How many lists of requirements of one version are kept apart.
const MAX_VARIANTS: usize = 64;

/// The components that do not depend on a server.
#[derive(Default)]
pub(super) struct ServerIndependentNodeComponentCache {
    /// By the address of the version, which the catalog holds.
    without_values:
        RefCell<HashMap<*const ComponentVersionWithPackages, Vec<Rc<ComponentWithoutValues>>, FixedState>>,
    /// How many of them there are.
    count_without_values: Cell<usize>,
    kept: RefCell<HashMap<Box<[usize]>, NodeComponentAndDigest, FixedState>>,
    /// What was looked up last, to be filled again.
    key: Cell<Vec<usize>>,
}

/// A component of a node and its digest.
pub(super) type NodeComponentAndDigest = (Arc<NodeComponent>, NodeContentDigest);

/// A chosen component without values, and its parameters.
pub(super) struct ComponentWithoutValues {
    /// Its number among the kept ones, from 1; 0 if it is of one server only.
    number: usize,
    component: NodeComponent,
    keys: Arc<[Key]>,
    packages: CanonicalDigestPart,
}

impl ComponentWithoutValues {
    fn new(chosen: &ChosenComponent<'_>, number: usize) -> Self {
        let published = chosen.published;
        let component = NodeComponent {
            version: published.component.version.clone(),
            kind: Some(published.component.kind),
            payload: Some(Arc::clone(&published.payload)),
            deployment: Some(Arc::clone(&published.deployment)),
            requirements: Arc::clone(&chosen.requirements),
            values: ValuesOfNodeComponent::default(),
        };
        let keys = published.component.parameters.keys().cloned().collect();
        Self { number, packages: canonical_version_and_packages(&component), component, keys }
    }

    /// The component with values, one for each of its parameters.
    fn with_values(
        &self,
        parameters: &[IndexedParameter<'_>],
        states: &[ValueEvaluationState],
    ) -> NodeComponentAndDigest {
        let mut digester = ComponentDigester::new(&self.packages);
        let values = parameters.iter().zip(states).map(|(parameter, state)| match state {
            ValueEvaluationState::Final(value) => {
                if let Some(canonical) = value.canonical_form_for_digest(parameter.key) {
                    digester.add_canonical_part(canonical);
                }
                value.value.clone()
            }
            _ => None,
        });
        let values = ValuesOfNodeComponent::from_sorted_keys(&self.keys, values);
        (Arc::new(NodeComponent { values, ..self.component.clone() }), digester.finish_digest())
    }
}

impl ServerIndependentNodeComponentCache {
    /// A chosen component without values.
    pub(super) fn cached_or_new_component_without_values(
        &self,
        chosen: &ChosenComponent<'_>,
    ) -> Rc<ComponentWithoutValues> {
        let mut kept = self.without_values.borrow_mut();
        let variants = kept.entry(Arc::as_ptr(chosen.published)).or_default();
        if let Some(known) = variants.iter().find(|known| known.component.requirements == chosen.requirements)
        {
            return Rc::clone(known);
        }
        if variants.len() >= MAX_VARIANTS {
            return Rc::new(ComponentWithoutValues::new(chosen, 0));
        }
        let number = self.count_without_values.get() + 1;
        self.count_without_values.set(number);
        let component = Rc::new(ComponentWithoutValues::new(chosen, number));
        variants.push(Rc::clone(&component));
        component
    }

    /// The component with these values; `None` if one of them failed.
    pub(super) fn cached_or_new_node_component(
        &self,
        component: &ComponentWithoutValues,
        parameters: &[IndexedParameter<'_>],
        states: &[ValueEvaluationState],
    ) -> Option<NodeComponentAndDigest> {
        let mut key = self.key.take();
        key.clear();
        key.push(component.number);
        let mut is_shared = component.number != 0;
        for state in states {
            let ValueEvaluationState::Final(value) = state else { return None };
            is_shared &= value.number != 0;
            key.push(value.number as usize);
        }
        let known = is_shared.then(|| self.kept.borrow().get(&key[..]).cloned()).flatten();
        let built = known.unwrap_or_else(|| {
            let built = component.with_values(parameters, states);
            let mut kept = self.kept.borrow_mut();
            if is_shared && kept.len() < MAX_KEPT_COMPONENTS {
                kept.insert(key.as_slice().into(), built.clone());
            }
            built
        });
        self.key.set(key);
        Some(built)
    }
}
