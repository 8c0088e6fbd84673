//! Evaluated components, shared by all servers for which the same places say the same about them.
//!
//! A component's values follow from its version, from the places that set or remove something of it, from the
//! environment, and from the components that these values refer to. What depends on the server itself is marked, and
//! evaluated for each server.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::{
    choose_versions::ChosenComponent,
    evaluate::{ParameterList, SharedStates},
    place_stack::PlaceStack,
};
use crate::{
    catalog::CatalogVersion,
    estate::{InheritedItem, Overrides},
    name::Name,
    node::{ContentDigest, NodeComponent},
};

/// How many lists of requirements of one evaluated component are kept apart.
const MAX_VARIANTS: usize = 64;

/// What was evaluated, for as long as estate and catalog stay as they are.
#[derive(Default)]
pub(super) struct ComponentCache<'a> {
    signatures: RefCell<HashMap<ComponentSignature, SignatureId>>,
    evaluated: RefCell<HashMap<SignatureId, Vec<Rc<EvaluatedComponent<'a>>>>>,
    parameters: RefCell<HashMap<*const CatalogVersion, ParameterList<'a>>>,
}

/// The number of a signature.
pub(super) type SignatureId = usize;

/// What a component's own values follow from. The addresses are of parts of the estate and the catalog, which outlive
/// the cache.
#[derive(PartialEq, Eq, Hash)]
struct ComponentSignature {
    version: *const CatalogVersion,
    environment: *const Name,
    /// The places that set or remove something of it, strongest first.
    places: Vec<*const Overrides>,
}

/// The signatures of a server's components, in the order of their names.
pub(super) struct ServerSignatures {
    pub(super) ids: Vec<SignatureId>,
    /// Whether the server itself sets or removes something of the component.
    pub(super) is_own: Vec<bool>,
}

/// A component with its values.
pub(super) struct EvaluatedComponent<'a> {
    /// The components that its values refer to, directly or not, in the form they had.
    pub(super) references: Vec<(&'a Name, SignatureId)>,
    pub(super) states: SharedStates,
    pub(super) digest: ContentDigest,
    /// The component as it is in nodes, one for each list of requirements.
    variants: RefCell<Vec<Arc<NodeComponent>>>,
}

impl<'a> ComponentCache<'a> {
    /// The parameters of a version.
    pub(super) fn parameters(&self, published: &'a Arc<CatalogVersion>) -> ParameterList<'a> {
        let mut known = self.parameters.borrow_mut();
        let parameters = known.entry(Arc::as_ptr(published));
        Rc::clone(parameters.or_insert_with(|| published.component.parameters.iter().collect()))
    }

    /// The signatures of the components that are chosen for a server; its own layer is the first of the stack.
    pub(super) fn signatures(
        &self,
        stack: &PlaceStack<'a>,
        chosen: &[(&'a Name, &ChosenComponent<'a>)],
    ) -> ServerSignatures {
        let find = |name: &Name| chosen.binary_search_by(|(known, _)| (*known).cmp(name)).ok();
        let mut places: Vec<Vec<*const Overrides>> = vec![Vec::new(); chosen.len()];
        let mut is_own = vec![false; chosen.len()];
        for (at, layer) in stack.layers.iter().enumerate() {
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
                is_own[component] |= at == 0;
            }
        }
        let mut known = self.signatures.borrow_mut();
        let ids = chosen.iter().zip(places).map(|((_, chosen), places)| {
            let version = Arc::as_ptr(chosen.published);
            let signature = ComponentSignature { version, environment: stack.environment, places };
            let next = known.len();
            *known.entry(signature).or_insert(next)
        });
        ServerSignatures { ids: ids.collect(), is_own }
    }

    /// The evaluated component with this signature, if what it refers to has the form it had.
    pub(super) fn find(
        &self,
        signature: SignatureId,
        signature_of: impl Fn(&Name) -> Option<SignatureId>,
    ) -> Option<Rc<EvaluatedComponent<'a>>> {
        let known = self.evaluated.borrow();
        let mut candidates = known.get(&signature)?.iter();
        let fits = |evaluated: &&Rc<EvaluatedComponent<'a>>| {
            evaluated.references.iter().all(|(name, id)| signature_of(name) == Some(*id))
        };
        candidates.find(fits).cloned()
    }

    /// Keeps an evaluated component for other servers.
    pub(super) fn insert(
        &self,
        signature: SignatureId,
        references: Vec<(&'a Name, SignatureId)>,
        states: SharedStates,
        component: Arc<NodeComponent>,
        digest: ContentDigest,
    ) {
        let variants = RefCell::new(if states.unsettled().next().is_none() { vec![component] } else { Vec::new() });
        let evaluated = EvaluatedComponent { references, states, digest, variants };
        self.evaluated.borrow_mut().entry(signature).or_default().push(Rc::new(evaluated));
    }
}

impl EvaluatedComponent<'_> {
    /// The component as it is in nodes whose places require it like this.
    pub(super) fn node_component(
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
