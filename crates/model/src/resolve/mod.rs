//! Resolution: roles, groups, environment and server become one node.
//!
//! The modules are in the order of the work: linearise the roles, stack the places that apply to a
//! server, choose versions, then collect, merge and evaluate each value. `complete`
//! does the last steps for a node file written by hand; `check`, `reach` and `explain` use the result.

mod linearise;

mod place_stack;

mod choose_versions;

mod version_search;

mod requirements;

mod reference;

mod operations;

mod merge;

mod evaluate;

mod complete;

mod fault;

mod check;

mod reach;

mod explain;

mod enc;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use self::{
    check::{check, check_change},
    complete::complete_node,
    enc::enc,
    explain::{ExplainError, explain},
    fault::{EstateFault, EstateFinding, FaultKind, ResolveError},
    reach::affected_servers,
    requirements::{RequirementConflict, choose_requirements},
};
use self::{
    choose_versions::ChosenComponent, evaluate::ResolvedValues, linearise::RoleHierarchy,
    place_stack::PlaceStack,
};
use crate::{
    catalog::{Catalog, CatalogVersion},
    component::Component,
    estate::{Estate, Place},
    format::{node, yaml::MAX_DOCUMENT_BYTES},
    name::{Name, ServerName},
    node::{Node, NodeComponent},
};

/// A node below this weight always has a readable file: indentation and escapes
/// make its text at most 80 times longer than its weight.
const ALWAYS_READABLE_WEIGHT: usize = MAX_DOCUMENT_BYTES / 80;

/// Resolves servers of one estate against one catalog. What servers share is computed once.
pub struct Resolver<'a> {
    estate: &'a Estate,
    catalog: &'a Catalog,
    hierarchy: RoleHierarchy<'a>,
}

/// Resolves the node of one server; its generation is 0 until the back-office numbers it.
///
/// Linearises only this server's roles. For many servers create one [`Resolver`].
pub fn resolve(estate: &Estate, catalog: &Catalog, server: &ServerName) -> Result<Node, ResolveError> {
    let roles = estate.servers.get(server).into_iter().flat_map(|server| &server.roles);
    let hierarchy = RoleHierarchy::new(&estate.roles, roles);
    Resolver { estate, catalog, hierarchy }.resolve(server)
}

impl<'a> Resolver<'a> {
    /// Linearises all roles; a fault in them is returned when a server that uses them is resolved.
    pub fn new(estate: &'a Estate, catalog: &'a Catalog) -> Self {
        Self { estate, catalog, hierarchy: RoleHierarchy::new(&estate.roles, estate.roles.keys()) }
    }

    /// Linearises only the roles that these servers and places use.
    fn for_places(
        estate: &'a Estate,
        catalog: &'a Catalog,
        servers: &BTreeSet<ServerName>,
        places: &'a BTreeSet<Place>,
    ) -> Self {
        let theirs =
            servers.iter().filter_map(|name| estate.servers.get(name)).flat_map(|server| &server.roles);
        let named = places.iter().filter_map(|place| match place {
            Place::Role(name) => Some(name),
            _ => None,
        });
        Self { estate, catalog, hierarchy: RoleHierarchy::new(&estate.roles, theirs.chain(named)) }
    }

    /// Resolves the node of one server; its generation is 0 until the back-office numbers it.
    pub fn resolve(&self, server: &ServerName) -> Result<Node, ResolveError> {
        let layers = self.layers(server)?;
        let chosen = choose_versions::choose_versions(self.catalog, &layers)?;
        self.node(&layers, chosen)
    }

    /// The places that apply to a server, strongest first.
    pub fn applicable_places(&self, server: &ServerName) -> Result<Vec<Place>, ResolveError> {
        Ok(self.layers(server)?.stack.into_iter().map(|layer| layer.place).collect())
    }

    fn layers(&self, server: &ServerName) -> Result<PlaceStack<'a>, ResolveError> {
        place_stack::stack_places(self.estate, &self.hierarchy, server)
    }

    fn node(&self, layers: &PlaceStack<'a>, chosen: ChosenComponents<'a>) -> Result<Node, ResolveError> {
        let ResolvedValues { values, weight } =
            evaluate::evaluate_values(layers, &component_descriptions(&chosen), Some(self.catalog))?;
        let components = chosen.into_iter().zip(values);
        let components = components.map(|((name, ChosenComponent { published, requirements }), values)| {
            (name.clone(), component(published, requirements, values))
        });
        let node = Node {
            server: layers.server.clone(),
            environment: layers.environment.clone(),
            channel: layers.channel.clone(),
            generation: 0,
            components: components.collect(),
        };
        if weight > ALWAYS_READABLE_WEIGHT {
            check_readable(&node)?;
        }
        Ok(node)
    }
}

/// Checks that the node's file is within the limits of the reader.
fn check_readable(node: &Node) -> Result<(), ResolveError> {
    node::read("", &node::write(node)).map(|_| ()).map_err(|error| {
        EstateFault::new(Place::Server(node.server.clone()), FaultKind::Unreadable(error.message)).into()
    })
}

fn component(
    published: &Arc<CatalogVersion>,
    requirements: Vec<crate::node::RequirementProvenance>,
    values: BTreeMap<crate::name::Key, crate::node::NodeValue>,
) -> NodeComponent {
    NodeComponent {
        version: published.component.version.clone(),
        kind: Some(published.component.kind),
        payload: Some(published.payload.clone()),
        deployment: Some(published.deployment.clone()),
        requirements,
        values,
    }
}

fn component_descriptions<'a>(chosen: &ChosenComponents<'a>) -> BTreeMap<&'a Name, &'a Component> {
    chosen.iter().map(|(name, chosen)| (*name, &chosen.published.component)).collect()
}

/// The settled components of a server, by name.
type ChosenComponents<'a> = BTreeMap<&'a Name, ChosenComponent<'a>>;
