//! Resolution: roles, groups, environment and server become one node.
//!
//! The modules are in the order of the work: linearise the roles, stack the places that apply to a
//! server, choose versions, then collect, merge and evaluate each value. What servers have in common is resolved once:
//! environment and roles, below them groups, below these the server itself. `complete` does the last steps for a node
//! file written by hand; `check`, `reach` and `explain` use the result.

mod linearise;

mod place_stack;

mod choose_versions;

mod version_search;

mod requirements;

mod reference;

mod operations;

mod merge;

mod evaluate;

mod resolved_stack;

mod other_servers;

mod reads;

mod complete;

mod fault;

mod check;

mod reach;

mod explain;

mod enc;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

pub use self::{
    check::{CheckedChange, check, check_change, effects_of_catalog_change},
    complete::complete_node,
    enc::enc,
    explain::{ExplainError, explain, explain_all},
    fault::{EstateFault, EstateFinding, FaultKind, ResolveError},
    reach::{ChangedInputs, ReadsIndex},
    reads::ResolutionReads,
    requirements::{RequirementConflict, choose_requirements},
};
use self::{
    evaluate::EvaluationSubject,
    linearise::RoleHierarchy,
    other_servers::{ServerReader, ServerValues},
    place_stack::{PlaceStack, ServerPlaces},
    resolved_stack::{EvaluatedStack, ResolvedStack, StackedPlaces},
};
use crate::{
    catalog::Catalog,
    estate::{Estate, Place},
    format::{node, yaml::MAX_DOCUMENT_BYTES},
    name::{Name, ServerName},
    node::{ContentDigest, Node, node_digest},
};

/// A node below this weight always has a readable file: escapes make a text at most six times longer, and what stands
/// around a value is in its weight.
const ALWAYS_READABLE_WEIGHT: usize = MAX_DOCUMENT_BYTES / 8;

/// Resolves servers of one estate against one catalog. What servers share is computed once.
pub struct Resolver<'a> {
    estate: &'a Estate,
    catalog: &'a Catalog,
    hierarchy: RoleHierarchy<'a>,
    /// By environment and roles.
    role_stacks: RefCell<HashMap<(&'a Name, &'a [Name]), SharedStack<'a>>>,
    /// By environment, roles and groups.
    group_stacks: RefCell<HashMap<GroupStackKey<'a>, SharedStack<'a>>>,
    server_values: ServerValues,
}

/// An environment, roles and groups.
type GroupStackKey<'a> = (&'a Name, &'a [Name], &'a [Name]);

/// A stack that servers share; none if it cannot be resolved without what the server adds.
type SharedStack<'a> = Option<Rc<ResolvedStack<'a>>>;

/// A resolved server.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// Its node; the generation is 0 until the back-office numbers it.
    pub node: Node,
    /// The digest of the node's content.
    pub digest: ContentDigest,
    /// The digest of each component, in the order of their names.
    pub component_digests: Vec<ContentDigest>,
    /// What it depends on.
    pub reads: ResolutionReads,
}

/// Resolves the node of one server; its generation is 0 until the back-office numbers it.
///
/// For many servers create one [`Resolver`].
pub fn resolve(estate: &Estate, catalog: &Catalog, server: &ServerName) -> Result<Node, ResolveError> {
    Resolver::new(estate, catalog).resolve(server).map(|resolution| resolution.node)
}

impl<'a> Resolver<'a> {
    /// Prepares to resolve servers; nothing is computed before a server needs it.
    pub fn new(estate: &'a Estate, catalog: &'a Catalog) -> Self {
        Self {
            estate,
            catalog,
            hierarchy: RoleHierarchy::new(&estate.roles),
            role_stacks: RefCell::default(),
            group_stacks: RefCell::default(),
            server_values: ServerValues::default(),
        }
    }

    /// Resolves the node of one server; its generation is 0 until the back-office numbers it.
    pub fn resolve(&self, server: &ServerName) -> Result<Resolution, ResolveError> {
        let places = self.places_of(server)?;
        let stacked = self.stacked_places(&places)?;
        self.resolve_stacked(&places, &stacked)
    }

    /// Evaluates the values of a server whose places are stacked and whose versions are chosen.
    fn resolve_stacked(
        &self,
        places: &ServerPlaces<'a>,
        stacked: &StackedPlaces<'a>,
    ) -> Result<Resolution, ResolveError> {
        let others = ServerReader::new(self, &places.server.environment);
        let subject = EvaluationSubject::Server { name: places.name, others: &others };
        let EvaluatedStack { components, faults, weight, .. } = stacked.evaluate(subject, Some(self.catalog));
        if !faults.is_empty() {
            return Err(faults.into());
        }
        let chosen = stacked.chosen();
        let stack = &stacked.stack;
        let node = Node {
            server: places.name.clone(),
            environment: stack.environment.clone(),
            channel: stack.channel.clone(),
            generation: 0,
            components: chosen
                .components
                .keys()
                .zip(&components)
                .map(|(name, shared)| ((*name).clone(), shared.component.clone()))
                .collect(),
        };
        if weight > ALWAYS_READABLE_WEIGHT {
            check_readable(&node)?;
        }
        let component_digests: Vec<_> = components.iter().map(|shared| shared.digest).collect();
        let digests = node.components.keys().zip(component_digests.iter().copied());
        let digest = node_digest(&node.server, &node.environment, &node.channel, digests);
        let selection = others.into_reads();
        let layers = stack.layers.iter().map(|layer| layer.place.clone());
        let reads = ResolutionReads {
            places: selection.environments.into_iter().chain(layers).collect(),
            channel: Some(node.channel.clone()),
            components: chosen.consulted.clone(),
            selections: selection.selections,
            servers: selection.servers,
            failed: false,
        };
        Ok(Resolution { node, digest, component_digests, reads })
    }

    /// The places that apply to a server, strongest first.
    pub fn applicable_places(&self, server: &ServerName) -> Result<Vec<Place>, ResolveError> {
        let places = self.places_of(server)?;
        let stack = self.stack_without_server(&places)?;
        let below = stack.layers.iter().map(|layer| layer.place.clone());
        Ok(std::iter::once(places.own.place).chain(below).collect())
    }

    /// A server and the places it names.
    fn places_of(&self, server: &ServerName) -> Result<ServerPlaces<'a>, Vec<EstateFault>> {
        ServerPlaces::find(self.estate, server).map_err(|mut faults| {
            // All faults at once: those of its roles too.
            if let Some((name, found)) = self.estate.servers.get_key_value(server) {
                let place = Place::Server(name.clone());
                faults.extend(
                    self.hierarchy.merge_linearisations(&place, &found.roles).err().unwrap_or_default(),
                );
            }
            faults
        })
    }

    /// The places of a server below its own layer.
    fn stack_without_server(&self, places: &ServerPlaces<'a>) -> Result<PlaceStack<'a>, Vec<EstateFault>> {
        match self.group_stack(places)? {
            Some(shared) => Ok(shared.stack.clone()),
            None => Ok(places.stack_roles(self.estate, &self.hierarchy)?.below(&places.groups)),
        }
    }

    /// All places of a server on what it shares with others.
    fn stacked_places(&self, places: &ServerPlaces<'a>) -> Result<StackedPlaces<'a>, ResolveError> {
        let own = std::slice::from_ref(&places.own);
        match self.group_stack(places)? {
            Some(shared) => StackedPlaces::new(self.catalog, &shared, own, Some(&places.own.place)),
            None => {
                let stack = places.stack_roles(self.estate, &self.hierarchy)?;
                let stack = stack.below(&places.groups).below(own);
                StackedPlaces::unshared(self.catalog, stack, Some(&places.own.place))
            }
        }
    }

    /// The stack of a server's groups, environment and roles.
    fn group_stack(&self, places: &ServerPlaces<'a>) -> Result<SharedStack<'a>, Vec<EstateFault>> {
        let (environment, roles) = (&places.server.environment, &places.server.roles[..]);
        let groups = &places.server.groups[..];
        if groups.is_empty() {
            return self.role_stack(places);
        }
        let key = (environment, roles, groups);
        if let Some(known) = self.group_stacks.borrow().get(&key) {
            return Ok(known.clone());
        }
        let stack = match self.role_stack(places)? {
            Some(base) => base.below(self.catalog, &places.groups).ok(),
            None => {
                let stack = places.stack_roles(self.estate, &self.hierarchy)?.below(&places.groups);
                ResolvedStack::new(self.catalog, stack).ok()
            }
        };
        let stack = stack.map(Rc::new);
        self.group_stacks.borrow_mut().insert(key, stack.clone());
        Ok(stack)
    }

    /// The stack of a server's environment and roles.
    fn role_stack(&self, places: &ServerPlaces<'a>) -> Result<SharedStack<'a>, Vec<EstateFault>> {
        let key = (&places.server.environment, &places.server.roles[..]);
        if let Some(known) = self.role_stacks.borrow().get(&key) {
            return Ok(known.clone());
        }
        let stack = places.stack_roles(self.estate, &self.hierarchy)?;
        let stack = ResolvedStack::new(self.catalog, stack).ok().map(Rc::new);
        self.role_stacks.borrow_mut().insert(key, stack.clone());
        Ok(stack)
    }
}

/// Checks that the node's file is within the limits of the reader.
fn check_readable(node: &Node) -> Result<(), ResolveError> {
    node::read("", &node::write(node)).map(|_| ()).map_err(|error| {
        EstateFault::new(Place::Server(node.server.clone()), FaultKind::Unreadable(error.message)).into()
    })
}
