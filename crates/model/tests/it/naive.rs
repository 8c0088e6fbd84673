//! Resolution gives what a resolver without any sharing gives, whatever the estate.

mod estates;
mod merge;
mod model;

use std::collections::BTreeMap;

use ::model::{
    catalog::ComponentCatalog,
    name::ServerName,
    node::Node,
    resolve::{Resolver, add_defaults_and_check_node},
};
use proptest::prelude::*;

pub(crate) use self::estates::{Published, Scene, documents, scene};
use self::model::{Naive, NaiveNode};

fn comparable(node: &Node) -> NaiveNode {
    let components = node.components.iter().map(|(name, component)| {
        let values = component.values.iter();
        let values = values.map(|(key, value)| (key.clone(), ((*value.value).clone(), value.secret)));
        (name.clone(), (component.version.clone(), values.collect()))
    });
    components.collect()
}

fn completed(catalog: &ComponentCatalog, node: &Node) -> Node {
    let components = node
        .components
        .iter()
        .map(|(name, component)| (name.clone(), &catalog.components[name][&component.version].component));
    add_defaults_and_check_node(node, &components.collect::<BTreeMap<_, _>>()).unwrap()
}

proptest! {
    #[test]
    fn resolve_of_a_random_estate_gives_the_versions_and_values_of_the_naive_resolver(scene in scene()) {
        let (estate, catalog) = (scene.estate(), scene.catalog());
        let resolver = Resolver::new(&estate, &catalog);
        let naive = Naive { estate: &estate, catalog: &catalog };
        for server in estate.servers.keys() {
            match (resolver.resolve_server(server), naive.node(server)) {
                (Ok(found), Ok(expected)) => prop_assert_eq!(comparable(&found.node), expected, "{}", server),
                (Err(_), Err(_)) => (),
                (found, expected) => {
                    let found = found.map(|found| comparable(&found.node)).map_err(|error| error.to_string());
                    prop_assert_eq!(found, expected, "{}", server);
                }
            }
        }
    }

    #[test]
    fn one_resolver_for_servers_in_any_order_gives_what_a_fresh_one_gives_for_each(
        scene in scene(),
        order in Just(vec![0, 1, 2, 3, 4]).prop_shuffle(),
    ) {
        let (estate, catalog) = (scene.estate(), scene.catalog());
        let resolver = Resolver::new(&estate, &catalog);
        let servers: Vec<&ServerName> = estate.servers.keys().collect();
        for server in order.into_iter().filter_map(|at: usize| servers.get(at)) {
            let (shared, alone) = (resolver.resolve_server(server), Resolver::new(&estate, &catalog).resolve_server(server));
            // Of a cycle, each server tells its own beginning.
            prop_assert_eq!(shared.is_err(), alone.is_err(), "{}: {:?}", server, shared.or(alone));
            prop_assert_eq!(resolver.resolve_server(server).ok(), Resolver::new(&estate, &catalog).resolve_server(server).ok());
        }
    }

    #[test]
    fn complete_node_leaves_a_resolved_node_as_it_is(scene in scene()) {
        let (estate, catalog) = (scene.estate(), scene.catalog());
        let resolver = Resolver::new(&estate, &catalog);
        for resolved in estate.servers.keys().filter_map(|server| resolver.resolve_server(server).ok()) {
            prop_assert_eq!(completed(&catalog, &resolved.node), resolved.node);
        }
    }
}
