//! Facts about resolution that must hold for every estate, not only for the cases people thought of.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    catalog::Catalog,
    component::Component,
    estate::{Environment, Estate, Place, Role, Server},
    format::{estate::carry_origins, node, yaml},
    name::{Name, ServerName},
    resolve::{self, Resolver},
    value::Value,
};
use proptest::{collection, prelude::*};

use crate::random;

fn name(number: usize) -> Name {
    Name::new(&format!("r{number}")).unwrap()
}

fn server() -> ServerName {
    ServerName::new("s").unwrap()
}

/// A server `s` with all `wanted` roles of a hierarchy given as lists of parents.
fn estate(parents: &[Vec<usize>], wanted: &[usize]) -> Estate {
    let roles = parents.iter().enumerate().map(|(at, parents)| {
        let inherits = parents.iter().map(|parent| name(*parent)).collect();
        (name(at), Role { inherits, ..Role::default() })
    });
    let prod = Name::new("prod").unwrap();
    let environment =
        Environment { description: String::new(), channel: prod.clone(), says: Default::default() };
    let server = Server {
        description: String::new(),
        environment: prod.clone(),
        groups: Vec::new(),
        roles: wanted.iter().map(|role| name(*role)).collect(),
        says: Default::default(),
    };
    Estate {
        roles: roles.collect(),
        groups: BTreeMap::new(),
        environments: [(prod, environment)].into(),
        servers: [(self::server(), server)].into(),
    }
}

fn order(estate: &Estate) -> Result<Vec<Name>, String> {
    let catalog = Catalog::default();
    let places = Resolver::new(estate, &catalog).places(&server()).map_err(|error| error.to_string())?;
    Ok(places
        .into_iter()
        .filter_map(|place| match place {
            Place::Role(name) => Some(name),
            _ => None,
        })
        .collect())
}

/// Hierarchies without circles: each role inherits from roles with greater numbers only.
fn hierarchy() -> impl Strategy<Value = Vec<Vec<usize>>> {
    collection::vec(collection::vec(0..100usize, 0..4), 1..12).prop_map(|roles| {
        let count = roles.len();
        let below = |at: usize, parents: Vec<usize>| {
            let mut seen = BTreeSet::new();
            let parents = parents.into_iter().filter(|_| at + 1 < count);
            let parents = parents.map(|parent| at + 1 + parent % (count - at - 1));
            parents.filter(|parent| seen.insert(*parent)).collect()
        };
        roles.into_iter().enumerate().map(|(at, parents)| below(at, parents)).collect()
    })
}

/// All roles that can be reached from `start`.
fn reached(parents: &[Vec<usize>], start: &[usize]) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    let mut open = start.to_vec();
    while let Some(role) = open.pop() {
        if found.insert(name(role)) {
            open.extend(&parents[role]);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn c3_keeps_every_role_once_before_its_parents_and_in_every_listed_order(parents in hierarchy()) {
        let estate = estate(&parents, &[0]);
        let Ok(order) = order(&estate) else {
            // What C3 refuses has no order that keeps all lists: two of them contradict each other.
            prop_assert!(order(&estate).unwrap_err().contains("cannot be put in one order"));
            return Ok(());
        };
        prop_assert_eq!(order.iter().cloned().collect::<BTreeSet<_>>(), reached(&parents, &[0]));
        prop_assert_eq!(order.len(), reached(&parents, &[0]).len());
        let position = |role: &Name| order.iter().position(|other| other == role).unwrap();
        for (role, parents) in parents.iter().enumerate().filter(|(role, _)| order.contains(&name(*role))) {
            for parent in parents {
                prop_assert!(position(&name(role)) < position(&name(*parent)));
            }
            for pair in parents.windows(2) {
                prop_assert!(position(&name(pair[0])) < position(&name(pair[1])));
            }
        }
    }

    #[test]
    fn a_hierarchy_where_every_role_has_one_parent_is_never_refused(
        parents in collection::vec(any::<prop::sample::Index>(), 1..30)
    ) {
        let count = parents.len();
        let parents: Vec<Vec<usize>> = parents
            .iter()
            .enumerate()
            .map(|(at, parent)| if at + 1 < count { vec![at + 1 + parent.index(count - at - 1)] } else { vec![] })
            .collect();
        prop_assert!(order(&estate(&parents, &[0])).is_ok());
    }

    #[test]
    fn any_hierarchy_at_all_gives_an_order_or_a_fault_and_never_hangs(
        parents in collection::vec(collection::btree_set(0..8usize, 0..3), 8)
    ) {
        let parents: Vec<Vec<usize>> = parents.into_iter().map(|set| set.into_iter().rev().collect()).collect();
        if let Err(fault) = order(&estate(&parents, &[0, 3, 5])) {
            prop_assert!(fault.contains("circle") || fault.contains("one order"), "{}", fault);
        }
    }

    #[test]
    fn an_estate_of_nonsense_is_checked_without_a_panic(estate in random::estate()) {
        let notes = resolve::check(&estate, &Catalog::default());
        for note in notes {
            prop_assert!(note.to_string().len() < 4000);
        }
    }

    #[test]
    fn an_edit_reaches_no_server_when_nothing_changed(estate in random::estate()) {
        prop_assert!(resolve::reach(&estate, &estate.clone()).is_empty());
    }

    #[test]
    fn values_that_did_not_change_keep_their_origin(old in random::estate(), edit in random::estate()) {
        let origin = |revision| model::estate::Origin { revision, by: "ann".to_owned() };
        let mut first = old.clone();
        carry_origins(&Estate::default(), &mut first, &origin(1));
        let mut again = old.clone();
        carry_origins(&first, &mut again, &origin(2));
        prop_assert_eq!(&again, &first);
        let mut edited = edit.clone();
        edited.roles.extend(old.roles.clone());
        carry_origins(&first, &mut edited, &origin(2));
        for name in old.roles.keys() {
            prop_assert_eq!(&edited.roles[name], &first.roles[name]);
        }
    }
}

#[test]
fn a_chain_of_ten_thousand_roles_is_refused_and_does_not_overflow_the_stack() {
    let parents: Vec<Vec<usize>> =
        (0..10_000).map(|at| if at < 9_999 { vec![at + 1] } else { vec![] }).collect();
    assert!(order(&estate(&parents, &[0])).unwrap_err().contains("inherits more than 500 roles"));
    let circle: Vec<Vec<usize>> = (0..10_000).map(|at| vec![(at + 1) % 10_000]).collect();
    assert!(order(&estate(&circle, &[0])).unwrap_err().contains("circle"));
}

#[test]
fn a_node_file_written_by_hand_gets_defaults_with_their_references_and_the_same_checks() {
    let component: Component = yaml::read(
        "component.yaml",
        "{name: shop, version: 1-1, kind: web-service, summary: For a test., parameters: {\
         port: {type: port, description: Where., default: 80},\
         url: {type: url, description: Public., default: \"http://${server.name}:${shop.port}/\"},\
         shell: {type: string, description: Literal.},\
         key: {type: string, description: Secret., secret: true, required: true}}}",
    )
    .unwrap();
    let components = BTreeMap::from([(Name::new("shop").unwrap(), &component)]);
    let written = |values: &str| {
        let text = format!("format: geppetto/node/1\ncomponents: {{shop: {{version: 1, values: {values}}}}}");
        node::read("node.yaml", &text).unwrap()
    };
    let complete =
        resolve::complete(&written("{port: 8080, key: x, shell: '${HOME}$${a'}"), &components).unwrap();
    let shop = &complete.components["shop"];
    assert_eq!(shop.values["url"].value, Value::from("http://localhost:8080/"));
    assert_eq!(shop.values["shell"].value, Value::from("${HOME}$${a"), "values of a node file are final");
    assert!(shop.values["key"].secret, "what the component declares secret is secret");
    assert_eq!(resolve::complete(&complete, &components), Ok(complete.clone()));

    let wrong = resolve::complete(&written("{prot: 1, port: no}"), &components).unwrap_err().to_string();
    assert!(wrong.contains("has no parameter `prot`; did you mean `port`?"), "{wrong}");
    assert!(wrong.contains("`shop.port` must be a port from 1 to 65535, not the string \"no\""), "{wrong}");
    assert!(wrong.contains("`shop.key` (Secret) must have a value"), "{wrong}");
}
