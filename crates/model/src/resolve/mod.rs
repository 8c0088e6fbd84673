//! Resolution: roles, groups, environment and server become one node.
//!
//! The modules are in the order of the work: linearise the roles, stack the places that apply to a
//! server, choose versions, then collect, merge and evaluate each value. A value of which the same places say the same is
//! evaluated once for all servers that have it. `complete` does the last steps for a node file written by hand;
//! `check`, `reach` and `explain` use the result.

mod linearise;

mod places_strongest_first;

mod choose_versions;

mod version_search;

mod requirements;

mod reference;

mod numbered_parameters;

mod operations;

mod merge;

mod reference_text;

mod value_cache;

mod evaluate;

mod node_components;

mod server_evaluation;
mod unknown_names;

mod other_servers;

mod reads;

mod complete;

mod fault;

mod place_usage;

mod check_place;

mod check;

mod reach;

mod explain;

mod enc;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
};

use foldhash::fast::FixedState;

pub use self::{
    check::{
        EstateChangeCheckResult, ResolutionDigestAndReads, check_estate, check_estate_change,
        check_estate_change_unless_cancelled, find_catalog_change_effects,
    },
    complete::add_defaults_and_check_node,
    enc::node_to_enc_yaml,
    explain::{CannotExplainError, explain_all_versions_and_values, explain_dotted_key},
    fault::{EstateFault, EstateFaultKind, EstateFaultOrWarning, ResolveFaults},
    reach::{ChangedResolutionInputs, ResolutionReadsIndex},
    reads::ResolutionReads,
    requirements::{VersionChoiceFailure, choose_versions_of_root_and_requirements},
};
use self::{
    choose_versions::{VersionChoiceCacheKey, choose_component_versions},
    evaluate::ServerOrHandwrittenNode,
    linearise::RoleLinearisations,
    node_components::ServerIndependentNodeComponentCache,
    other_servers::{OtherServerReader, SelectedServerValueCache},
    places_strongest_first::{PlacesStrongestFirst, ServerPlacesWithoutRoles},
    server_evaluation::{
        ChosenComponentsSharedByServers, EvaluatedServerComponents, ServerReadyForEvaluation,
    },
    value_cache::ValueCache,
};
use crate::{
    catalog::ComponentCatalog,
    estate::{Estate, PlaceId},
    format::{node, yaml::MAX_YAML_BYTES},
    name::ServerName,
    node::{Node, NodeContentDigest, digest_node_content_from_components},
};

/// A node below this weight always has a readable file: escapes make a text at most six times longer, and what stands
/// around a value is in its weight.
const ALWAYS_READABLE_WEIGHT: usize = MAX_YAML_BYTES / 8;

/// How many sets of components are kept at most.
const MAX_KEPT_SETS: usize = 1_000;

/// Resolves servers of one estate against one catalog. What servers share is computed once.
pub struct Resolver<'a> {
    estate: &'a Estate,
    catalog: &'a ComponentCatalog,
    hierarchy: RoleLinearisations<'a>,
    /// The components of servers whose places require the same.
    components: RefCell<HashMap<VersionChoiceCacheKey, Rc<ChosenComponentsSharedByServers<'a>>, FixedState>>,
    /// How many sets of components were made.
    component_sets: Cell<usize>,
    values: ValueCache,
    node_components: ServerIndependentNodeComponentCache,
    server_values: SelectedServerValueCache,
    /// Set when this is part of a check of a change.
    check: Option<CheckOfChange<'a>>,
}

/// The check of a change that a resolver is part of. The check looks at each place once, so what it finds there is not
/// told again for each server; and it may end at any moment.
#[derive(Clone, Copy)]
struct CheckOfChange<'a> {
    is_cancelled: &'a AtomicBool,
}

/// A resolved server.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// Its node; the generation is 0 until the back-office numbers it.
    pub node: Node,
    /// The digest of the node's content.
    pub digest: NodeContentDigest,
    /// The digest of each component, in the order of their names.
    pub component_digests: Vec<NodeContentDigest>,
    /// What it depends on.
    pub reads: ResolutionReads,
}

/// Resolves the node of one server; its generation is 0 until the back-office numbers it.
///
/// For many servers create one [`Resolver`].
pub fn resolve_server(
    estate: &Estate,
    catalog: &ComponentCatalog,
    server: &ServerName,
) -> Result<Node, ResolveFaults> {
    Resolver::new(estate, catalog).resolve_server(server).map(|resolution| resolution.node)
}

impl<'a> Resolver<'a> {
    /// Prepares to resolve servers; nothing is computed before a server needs it.
    pub fn new(estate: &'a Estate, catalog: &'a ComponentCatalog) -> Self {
        Self {
            estate,
            catalog,
            hierarchy: RoleLinearisations::new(&estate.roles),
            components: RefCell::default(),
            component_sets: Cell::default(),
            values: ValueCache::default(),
            node_components: ServerIndependentNodeComponentCache::default(),
            server_values: SelectedServerValueCache::default(),
            check: None,
        }
    }

    /// The same for the check of a change: what is wrong with the values of a place is told once, by the check. What is
    /// resolved after `is_cancelled` is set is incomplete.
    fn for_check(estate: &'a Estate, catalog: &'a ComponentCatalog, is_cancelled: &'a AtomicBool) -> Self {
        Self { check: Some(CheckOfChange { is_cancelled }), ..Self::new(estate, catalog) }
    }

    /// Resolves the node of one server; its generation is 0 until the back-office numbers it.
    pub fn resolve_server(&self, server: &ServerName) -> Result<Resolution, ResolveFaults> {
        let places = self.places_of(server)?;
        let evaluation = self.server_evaluation(&places)?;
        self.resolve_evaluation(&places, &evaluation)
    }

    /// Evaluates the values of a server whose places are stacked and whose versions are chosen.
    fn resolve_evaluation(
        &self,
        places: &ServerPlacesWithoutRoles<'a>,
        evaluation: &ServerReadyForEvaluation<'a>,
    ) -> Result<Resolution, ResolveFaults> {
        let others = OtherServerReader::new(self, &places.server.environment);
        let subject = ServerOrHandwrittenNode::Server { name: places.name, others: &others };
        let EvaluatedServerComponents { components, faults, weight } = evaluation
            .evaluate_uncached_server_values(
                (&self.values, &self.node_components),
                subject,
                self.catalog,
                self.check,
            );
        if !faults.is_empty() {
            return Err(faults.into());
        }
        let (stack, chosen) = (&evaluation.stack, &evaluation.components);
        let component_digests: Vec<_> = components.iter().map(|(_, digest)| *digest).collect();
        let names = chosen.chosen.iter().map(|(name, _)| (*name).clone());
        let node = Node {
            server: places.name.clone(),
            environment: stack.environment.clone(),
            channel: stack.channel.clone(),
            epoch: 0,
            generation: 0,
            components: names.zip(components.into_iter().map(|(component, _)| component)).collect(),
        };
        if weight > ALWAYS_READABLE_WEIGHT {
            check_readable(&node)?;
        }
        let digests = node.components.keys().zip(component_digests.iter().copied());
        let digest =
            digest_node_content_from_components(&node.server, &node.environment, &node.channel, digests);
        let selection = others.into_selections_and_servers_read();
        let layers = stack.layers.iter().map(|layer| layer.place.clone());
        let reads = ResolutionReads {
            places: selection.environments.into_iter().chain(layers).collect(),
            channel: Some(node.channel.clone()),
            components: Arc::clone(&chosen.consulted),
            selections: selection.selections,
            servers: selection.servers,
            failed: false,
        };
        Ok(Resolution { node, digest, component_digests, reads })
    }

    /// The places that apply to a server, strongest first.
    pub fn applicable_places(&self, server: &ServerName) -> Result<Vec<PlaceId>, ResolveFaults> {
        let stack = self.places_of(server)?.stack_places(self.estate, &self.hierarchy)?;
        Ok(stack.layers.into_iter().map(|layer| layer.place).collect())
    }

    /// A server and the places it names.
    fn places_of(&self, server: &ServerName) -> Result<ServerPlacesWithoutRoles<'a>, Vec<EstateFault>> {
        ServerPlacesWithoutRoles::find_places_without_roles(self.estate, server).map_err(|mut faults| {
            // All faults at once: those of its roles too.
            if let Some((name, found)) = self.estate.servers.get_key_value(server) {
                let place = PlaceId::Server(name.clone());
                faults.extend(
                    self.hierarchy.merge_linearisations(&place, &found.roles).err().unwrap_or_default(),
                );
            }
            faults
        })
    }

    /// The places of a server with the versions chosen for them.
    fn server_evaluation(
        &self,
        places: &ServerPlacesWithoutRoles<'a>,
    ) -> Result<ServerReadyForEvaluation<'a>, ResolveFaults> {
        let stack = places.stack_places(self.estate, &self.hierarchy)?;
        let components = self.server_components(&stack)?;
        Ok(ServerReadyForEvaluation::new(&self.values, stack, components))
    }

    /// The components that the places of a stack require, the first of which is the server itself.
    fn server_components(
        &self,
        stack: &PlacesStrongestFirst<'a>,
    ) -> Result<Rc<ChosenComponentsSharedByServers<'a>>, ResolveFaults> {
        let key = VersionChoiceCacheKey::new(stack);
        if let Some(known) = self.components.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let chosen = choose_component_versions(self.catalog, stack, &stack.layers[0].place)?;
        let number = self.component_sets.replace(self.component_sets.get() + 1);
        let components = Rc::new(ChosenComponentsSharedByServers::new(
            &self.values,
            &self.node_components,
            chosen,
            number,
        ));
        // What a server requires by itself no other one does.
        let mut kept = self.components.borrow_mut();
        if !key.has_place(stack.layers[0].settings) && kept.len() < MAX_KEPT_SETS {
            kept.insert(key, Rc::clone(&components));
        }
        drop(kept);
        Ok(components)
    }
}

/// Checks that the node's file is within the limits of the reader.
fn check_readable(node: &Node) -> Result<(), ResolveFaults> {
    node::parse_node_yaml("", &node::node_to_yaml(node)).map(|_| ()).map_err(|error| {
        EstateFault::new(PlaceId::Server(node.server.clone()), EstateFaultKind::Unreadable(error.message))
            .into()
    })
}
