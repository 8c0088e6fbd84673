//! Evaluated components, shared by all servers for which the same places say the same about them.
//!
//! A component's values follow from its version, from the places that set or remove something of it, from the
//! environment, and from the values that these refer to. The server's own layer does not count: what it touches, or
//! what depends on the server otherwise, is evaluated for each server.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use super::{
    choose_versions::ChosenComponent,
    evaluate::{ParameterList, SharedValueStates},
    place_stack::PlaceStack,
};
use crate::{
    catalog::PublishedVersion,
    estate::{InheritedItem, Overrides},
    name::{Key, Name},
    node::{ContentDigest, NodeComponent},
};

/// How many lists of requirements of one evaluated component are kept apart.
const MAX_VARIANTS: usize = 64;

/// How many evaluated components are kept at most: an estate in which servers have little in common must not fill the
/// memory.
const MAX_EVALUATED: usize = 20_000;

/// What was evaluated, for as long as estate and catalog stay as they are.
#[derive(Default)]
pub(super) struct ComponentCache<'a> {
    signatures: RefCell<HashMap<ComponentSignature, ComponentInputsId>>,
    evaluated: RefCell<HashMap<ComponentInputsId, Vec<Rc<EvaluatedComponent<'a>>>>>,
    parameters: RefCell<HashMap<*const PublishedVersion, ParameterList<'a>>>,
    /// How many evaluated components are kept.
    kept: Cell<usize>,
}

/// The number of a signature.
pub(super) type ComponentInputsId = usize;

/// What a component's own values follow from. The addresses are of parts of the estate and the catalog, which outlive
/// the cache.
#[derive(PartialEq, Eq, Hash)]
struct ComponentSignature {
    version: *const PublishedVersion,
    environment: *const Name,
    /// The places that set or remove something of it, strongest first.
    places: Vec<*const Overrides>,
}

/// A value that another one refers to, directly or not, and the places it comes from.
#[derive(PartialEq, Eq)]
pub(super) struct ReferencedValue<'a> {
    pub(super) component: &'a Name,
    pub(super) key: &'a Key,
    version: *const PublishedVersion,
    places: Vec<*const Overrides>,
}

/// A component with its values.
pub(super) struct EvaluatedComponent<'a> {
    /// The values that its own refer to, directly or not, in the form they had.
    pub(super) referred: Vec<ReferencedValue<'a>>,
    /// Its parameters with the values they refer to directly.
    pub(super) references: Vec<(usize, &'a Name, &'a Key)>,
    pub(super) states: SharedValueStates,
    pub(super) digest: ContentDigest,
    /// The component as it is in nodes, one for each list of requirements.
    variants: RefCell<Vec<Arc<NodeComponent>>>,
}

impl<'a> ComponentCache<'a> {
    /// The parameters of a version.
    pub(super) fn parameters_of_version(&self, published: &'a Arc<PublishedVersion>) -> ParameterList<'a> {
        let mut known = self.parameters.borrow_mut();
        let parameters = known.entry(Arc::as_ptr(published));
        Rc::clone(parameters.or_insert_with(|| published.component.parameters.iter().collect()))
    }

    /// The signatures of the components that are chosen for a server, whose own layer is the first of the stack.
    pub(super) fn component_inputs_ids(
        &self,
        stack: &PlaceStack<'a>,
        chosen: &[(&'a Name, &ChosenComponent<'a>)],
    ) -> Vec<ComponentInputsId> {
        let find = |name: &Name| chosen.binary_search_by(|(known, _)| (*known).cmp(name)).ok();
        let mut places: Vec<Vec<*const Overrides>> = vec![Vec::new(); chosen.len()];
        for layer in &stack.layers[1..] {
            let overrides = layer.overrides;
            let removed = overrides.remove.iter().map(|removal| match &removal.what {
                InheritedItem::Component(name)
                | InheritedItem::Value(name, _)
                | InheritedItem::Entry(name, _, _) => name,
            });
            for component in overrides.values.keys().chain(removed).filter_map(find) {
                if places[component].last() != Some(&std::ptr::from_ref(overrides)) {
                    places[component].push(overrides);
                }
            }
        }
        let mut known = self.signatures.borrow_mut();
        let ids = chosen.iter().zip(places).map(|((_, chosen), places)| {
            let version = Arc::as_ptr(chosen.published);
            let signature = ComponentSignature { version, environment: stack.environment, places };
            let next = known.len();
            *known.entry(signature).or_insert(next)
        });
        ids.collect()
    }

    /// The evaluated component with this signature, if what it refers to has the form it had.
    pub(super) fn find_evaluated_component(
        &self,
        signature: ComponentInputsId,
        stack: &PlaceStack<'a>,
        chosen: &BTreeMap<&'a Name, ChosenComponent<'a>>,
    ) -> Option<Rc<EvaluatedComponent<'a>>> {
        let known = self.evaluated.borrow();
        let mut candidates = known.get(&signature)?.iter();
        let fits = |evaluated: &&Rc<EvaluatedComponent<'a>>| {
            let mut referred = evaluated.referred.iter();
            referred.all(|value| {
                ReferencedValue::find_value_places(stack, chosen, value.component, value.key)
                    .is_some_and(|now| now == *value)
            })
        };
        candidates.find(fits).cloned()
    }

    /// Keeps an evaluated component for other servers.
    pub(super) fn insert_evaluated_component(
        &self,
        signature: ComponentInputsId,
        evaluated: EvaluatedComponent<'a>,
    ) {
        if self.kept.get() < MAX_EVALUATED {
            self.kept.set(self.kept.get() + 1);
            self.evaluated.borrow_mut().entry(signature).or_default().push(Rc::new(evaluated));
        }
    }
}

impl<'a> ReferencedValue<'a> {
    /// Where a value comes from, but for the server's own layer.
    pub(super) fn find_value_places(
        stack: &PlaceStack<'a>,
        chosen: &BTreeMap<&'a Name, ChosenComponent<'a>>,
        component: &'a Name,
        key: &'a Key,
    ) -> Option<Self> {
        let version = Arc::as_ptr(chosen.get(component)?.published);
        let touches = |overrides: &&Overrides| {
            let sets = overrides.values.get(component).is_some_and(|values| values.contains_key(key));
            sets || overrides.remove.iter().any(|removal| match &removal.what {
                InheritedItem::Component(name) => name == component,
                InheritedItem::Value(name, of) | InheritedItem::Entry(name, of, _) => {
                    name == component && of == key
                }
            })
        };
        let layers = stack.layers[1..].iter().map(|layer| layer.overrides);
        let places = layers.filter(touches).map(std::ptr::from_ref).collect();
        Some(Self { component, key, version, places })
    }
}

impl<'a> EvaluatedComponent<'a> {
    pub(super) fn new(
        referred: Vec<ReferencedValue<'a>>,
        references: Vec<(usize, &'a Name, &'a Key)>,
        states: SharedValueStates,
        component: &Arc<NodeComponent>,
        digest: ContentDigest,
    ) -> Self {
        let is_whole = states.unsettled_parameters().next().is_none();
        let variants = RefCell::new(if is_whole { vec![Arc::clone(component)] } else { Vec::new() });
        Self { referred, references, states, digest, variants }
    }

    /// The component as it is in nodes whose places require it like this.
    pub(super) fn shared_node_component(
        &self,
        chosen: &ChosenComponent<'_>,
        build: impl FnOnce() -> NodeComponent,
    ) -> Arc<NodeComponent> {
        let mut variants = self.variants.borrow_mut();
        if let Some(known) = variants.iter().find(|known| known.requirements == chosen.requirements) {
            return Arc::clone(known);
        }
        let component = Arc::new(build());
        if variants.len() < MAX_VARIANTS {
            variants.push(Arc::clone(&component));
        }
        component
    }
}
