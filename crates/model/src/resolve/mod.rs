//! Resolution: roles, groups, environment and server become one node.
//!
//! The modules are in the order of the work: put the roles in order, stack the places that speak for a
//! server, settle versions, then gather, merge and finish each value. `complete`
//! does the last steps for a node file written by hand; `check`, `reach` and `explain` answer questions.

mod linearise;

mod layers;

mod settle;

mod search;

mod reference;

mod gather;

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
    complete::complete,
    enc::enc,
    explain::{ExplainError, explain},
    fault::{Fault, FaultKind, Note, ResolveError, Severity},
    reach::reach,
};
use self::{
    evaluate::ResolvedValues, layers::PlaceStack, linearise::RoleHierarchy, settle::SettledComponent,
};
use crate::{
    catalog::{Catalog, CatalogVersion},
    component::Component,
    estate::{Estate, Place},
    format::{node, yaml::MAX_BYTES},
    name::{Name, ServerName},
    node::{Node, NodeComponent},
};

/// What a node weighs at least before its file could be longer than is read: indentation and escapes
/// make a text at most so many times longer than it weighs.
const HEAVY: usize = MAX_BYTES / 80;

/// Resolves servers of one estate against one catalog. What servers share is worked out once.
pub struct Resolver<'a> {
    estate: &'a Estate,
    catalog: &'a Catalog,
    hierarchy: RoleHierarchy<'a>,
}

/// Makes the node of one server; its generation is 0, for the back-office to number.
///
/// Puts only this server's roles in order. For many servers make one [`Resolver`].
pub fn resolve(estate: &Estate, catalog: &Catalog, server: &ServerName) -> Result<Node, ResolveError> {
    let roles = estate.servers.get(server).into_iter().flat_map(|server| &server.roles);
    let hierarchy = RoleHierarchy::new(&estate.roles, roles);
    Resolver { estate, catalog, hierarchy }.resolve(server)
}

impl<'a> Resolver<'a> {
    /// Puts the roles in order; what is wrong with them is said when a server needs them.
    pub fn new(estate: &'a Estate, catalog: &'a Catalog) -> Self {
        Self { estate, catalog, hierarchy: RoleHierarchy::new(&estate.roles, estate.roles.keys()) }
    }

    /// Puts only the roles in order that some of these servers and places need.
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

    /// Makes the node of one server; its generation is 0, for the back-office to number.
    pub fn resolve(&self, server: &ServerName) -> Result<Node, ResolveError> {
        let layers = self.layers(server)?;
        let settled = settle::settle(self.catalog, &layers)?;
        self.node(&layers, settled)
    }

    /// The places that speak for a server, strongest first.
    pub fn places(&self, server: &ServerName) -> Result<Vec<Place>, ResolveError> {
        Ok(self.layers(server)?.stack.into_iter().map(|layer| layer.place).collect())
    }

    fn layers(&self, server: &ServerName) -> Result<PlaceStack<'a>, ResolveError> {
        layers::layers(self.estate, &self.hierarchy, server)
    }

    fn node(&self, layers: &PlaceStack<'a>, settled: SettledComponents<'a>) -> Result<Node, ResolveError> {
        let ResolvedValues { values, weight } =
            evaluate::values(layers, &declared(&settled), Some(self.catalog))?;
        let components = settled.into_iter().zip(values);
        let components = components.map(|((name, SettledComponent { published, wished }), values)| {
            (name.clone(), component(published, wished, values))
        });
        let node = Node {
            server: layers.server.clone(),
            environment: layers.environment.clone(),
            channel: layers.channel.clone(),
            generation: 0,
            components: components.collect(),
        };
        if weight > HEAVY {
            readable(&node)?;
        }
        Ok(node)
    }
}

/// Makes sure that the file of a node can be read by those who get it.
fn readable(node: &Node) -> Result<(), ResolveError> {
    node::read("", &node::write(node)).map(|_| ()).map_err(|error| {
        Fault::new(Place::Server(node.server.clone()), FaultKind::Unreadable(error.message)).into()
    })
}

fn component(
    published: &Arc<CatalogVersion>,
    wished: Vec<crate::node::RequirementProvenance>,
    values: BTreeMap<crate::name::Key, crate::node::NodeValue>,
) -> NodeComponent {
    NodeComponent {
        version: published.component.version.clone(),
        kind: Some(published.component.kind),
        payload: Some(published.payload.clone()),
        deployment: Some(published.deployment.clone()),
        wished,
        values,
    }
}

fn declared<'a>(settled: &SettledComponents<'a>) -> BTreeMap<&'a Name, &'a Component> {
    settled.iter().map(|(name, settled)| (*name, &settled.published.component)).collect()
}

/// The settled components of a server, by name.
type SettledComponents<'a> = BTreeMap<&'a Name, SettledComponent<'a>>;
