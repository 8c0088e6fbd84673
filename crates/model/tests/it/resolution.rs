//! Facts about resolution that must hold for every estate, not only for the cases people thought of.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    catalog::ComponentCatalog,
    component::Component,
    estate::{
        Environment, Estate, InheritanceRemoval, PlaceId, RemovedInheritedItem, RevisionAndAuthor, Role,
        Server, VersionRangeWithRevisionAndAuthor,
    },
    format::{
        estate::{SettingRevisionsAndAuthors, set_origins_of_changed_settings},
        node, yaml,
    },
    name::{Key, Name, ServerName},
    resolve::{self, ChangedResolutionInputs, Resolver},
    value::Value,
};
use proptest::{collection, prelude::*};

use crate::random::{self, catalog};

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
    let environment = Environment {
        description: String::new(),
        channel: prod.clone(),
        readable_from: Default::default(),
        settings: Default::default(),
    };
    let server = Server {
        description: String::new(),
        environment: prod.clone(),
        groups: Vec::new(),
        roles: wanted.iter().map(|role| name(*role)).collect(),
        addresses: Vec::new(),
        macs: Default::default(),
        labels: Default::default(),
        settings: Default::default(),
    };
    Estate {
        roles: roles.collect(),
        groups: BTreeMap::new(),
        environments: [(prod, environment)].into(),
        servers: [(self::server(), server)].into(),
    }
}

fn order(estate: &Estate) -> Result<Vec<Name>, String> {
    let catalog = ComponentCatalog::default();
    let places =
        Resolver::new(estate, &catalog).applicable_places(&server()).map_err(|error| error.to_string())?;
    Ok(places
        .into_iter()
        .filter_map(|place| match place {
            PlaceId::Role(name) => Some(name),
            _ => None,
        })
        .collect())
}

/// Hierarchies without circles: each role inherits from roles with greater numbers only.
fn hierarchy() -> impl Strategy<Value = Vec<Vec<usize>>> {
    collection::vec(collection::vec(0..100usize, 0..4), 1..12).prop_map(|roles| {
        let count = roles.len();
        let below = |at: usize, parents: Vec<usize>| {
            let mut visited = BTreeSet::new();
            let parents = parents.into_iter().filter(|_| at + 1 < count);
            let parents = parents.map(|parent| at + 1 + parent % (count - at - 1));
            parents.filter(|parent| visited.insert(*parent)).collect()
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
    fn hierarchy_with_single_parents_is_accepted(
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
            prop_assert!(fault.contains("cycle") || fault.contains("one order"), "{}", fault);
        }
    }

    #[test]
    fn check_of_a_random_estate_does_not_panic_and_its_notes_are_short(estate in random::estate()) {
        let notes = resolve::check_estate(&estate, &ComponentCatalog::default());
        for note in notes {
            prop_assert!(note.to_string().len() < 4000);
        }
    }

    #[test]
    fn unchanged_estate_has_no_changed_inputs(estate in random::estate()) {
        let unchanged = ChangedResolutionInputs::diff_estates(&estate, &estate.clone());
        prop_assert_eq!(unchanged, ChangedResolutionInputs::default());
    }

    #[test]
    fn values_that_did_not_change_keep_their_origin(old in random::estate(), edit in random::estate()) {
        let origin = |revision| model::estate::RevisionAndAuthor { revision, by: "ann".to_owned() };
        let mut first = old.clone();
        set_origins_of_changed_settings(&Estate::default(), &mut first, &origin(1));
        let mut again = old.clone();
        set_origins_of_changed_settings(&first, &mut again, &origin(2));
        prop_assert_eq!(&again, &first);
        let mut edited = edit.clone();
        edited.roles.extend(old.roles.clone());
        set_origins_of_changed_settings(&first, &mut edited, &origin(2));
        for name in old.roles.keys() {
            prop_assert_eq!(&edited.roles[name], &first.roles[name]);
        }
    }
}

#[test]
fn chain_or_cycle_of_ten_thousand_roles_is_refused_without_stack_overflow() {
    let parents: Vec<Vec<usize>> =
        (0..10_000).map(|at| if at < 9_999 { vec![at + 1] } else { vec![] }).collect();
    assert!(order(&estate(&parents, &[0])).unwrap_err().contains("inherits more than 500 roles"));
    let circle: Vec<Vec<usize>> = (0..10_000).map(|at| vec![(at + 1) % 10_000]).collect();
    assert!(order(&estate(&circle, &[0])).unwrap_err().contains("cycle"));
}

#[test]
fn complete_node_fills_defaults_with_references_and_checks_the_values() {
    let component: Component = yaml::parse_yaml(
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
        node::parse_node_yaml("node.yaml", &text).unwrap()
    };
    let complete = resolve::add_defaults_and_check_node(
        &written("{port: 8080, key: x, shell: '${HOME}$${a'}"),
        &components,
    )
    .unwrap();
    let shop = &complete.components["shop"];
    assert_eq!(*shop.values["url"].value, Value::from("http://localhost:8080/"));
    assert_eq!(*shop.values["shell"].value, Value::from("${HOME}$${a"), "values of a node file are final");
    assert!(shop.values["key"].secret, "what the component declares secret is secret");
    assert_eq!(resolve::add_defaults_and_check_node(&complete, &components), Ok(complete.clone()));

    let wrong = resolve::add_defaults_and_check_node(&written("{prot: 1, port: no}"), &components)
        .unwrap_err()
        .to_string();
    assert!(wrong.contains("has no parameter `prot`; did you mean `port`?"), "{wrong}");
    assert!(wrong.contains("`shop.port` must be a port from 1 to 65535, not the string \"no\""), "{wrong}");
    assert!(wrong.contains("`shop.key` (Secret) must have a value"), "{wrong}");
}

/// A server `s` of role `web` with `shop` in version 1, whose values are given.
fn shop(parameters: &str, values: &str) -> (Estate, ComponentCatalog) {
    let component: Component = yaml::parse_yaml(
        "component.yaml",
        &format!(
            "{{name: shop, version: 1-1, kind: web-service, summary: S., parameters: {{{parameters}}}}}"
        ),
    )
    .unwrap();
    let documents = [
        ("environments/prod.yaml", "format: geppetto/environment/1\nchannel: prod\n".to_owned()),
        ("servers/s.yaml", "format: geppetto/server/2\nenvironment: prod\nroles: [web]\n".to_owned()),
        (
            "roles/web.yaml",
            format!("format: geppetto/role/1\ncomponents: {{shop: \"*\"}}\nvalues: {{shop: {{{values}}}}}\n"),
        ),
    ];
    let documents = documents.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
    (model::format::estate::parse_estate_yaml(&documents).unwrap(), catalog(vec![component]))
}

/// Resolves `s`, writes its node file, reads it as punch does and completes it.
fn on_the_host((estate, catalog): &(Estate, ComponentCatalog)) -> Result<(), String> {
    let node = resolve::resolve_server(estate, catalog, &server()).map_err(|error| error.to_string())?;
    let read = node::parse_node_yaml("node.yaml", &node::node_to_yaml(&node))
        .map_err(|error| format!("punch: {error}"))?;
    let component = &catalog.components.values().next().unwrap().values().next().unwrap().component;
    let components = BTreeMap::from([(component.name.clone(), component)]);
    let complete = resolve::add_defaults_and_check_node(&read, &components)
        .map_err(|error| format!("punch: {error}"))?;
    assert!(complete == node);
    Ok(())
}

#[test]
fn resolved_node_is_read_by_the_host_up_to_the_size_limit() {
    let lists: Vec<String> = (0..4).map(|at| format!("l{at}: {{type: list, description: L.}}")).collect();
    let ones: Vec<String> = (0..4).map(|at| format!("l{at}: [{}]", "1,".repeat(32_000))).collect();
    assert_eq!(on_the_host(&shop(&lists.join(", "), &ones.join(", "))), Ok(()));
    let texts = "a: {type: string, description: A.}, b: {type: list, description: B.}";
    let referenced = |times| {
        let references = vec!["\"${shop.a}\""; times].join(", ");
        shop(texts, &format!("a: {}, b: [{references}]", "x".repeat(100_000)))
    };
    assert_eq!(on_the_host(&referenced(5)), Ok(()));
    let keys: Vec<String> = (0..8).map(|at| format!("k{at}: {{type: string, description: K.}}")).collect();
    let values = |count: usize| {
        let values: Vec<String> = (1..count).map(|at| format!("k{at}: \"${{shop.k0}}\"")).collect();
        shop(&keys.join(", "), &format!("k0: {}, {}", "x".repeat(300_000), values.join(", ")))
    };
    assert_eq!(on_the_host(&values(5)), Ok(()));
    assert_eq!(
        on_the_host(&values(8)),
        Err("server s: the values of this server add up to more than 2097152 bytes; \
             put large data into a component's files"
            .to_owned())
    );
}

#[test]
fn node_file_too_large_to_read_again_is_refused() {
    // Written out, each of these characters is six.
    let keys: Vec<String> = (0..4).map(|at| format!("k{at}: {{type: string, description: K.}}")).collect();
    let text = "\\u0001".repeat(400_000);
    let values = format!("k0: \"{text}\", k1: \"${{shop.k0}}\", k2: \"${{shop.k0}}\", k3: \"${{shop.k0}}\"");
    let (estate, catalog) = shop(&keys.join(", "), &values);
    let error = resolve::resolve_server(&estate, &catalog, &server()).unwrap_err().to_string();
    assert!(error.starts_with("server s: its node file could not be read again (it has "), "{error}");
    assert!(resolve::check_estate(&estate, &catalog).iter().any(|note| note.message.contains("read again")));
}

#[test]
fn references_are_followed_no_further_than_a_value_may_grow() {
    let texts = "a: {type: string, description: A.}, b: {type: list, description: B.}";
    let values =
        format!("a: {}, b: [\"${{shop.a}}\", \"${{shop.a}}\", \"${{shop.nothing}}\"]", "x".repeat(400_000));
    let (estate, catalog) = shop(texts, &values);
    assert_eq!(
        resolve::resolve_server(&estate, &catalog, &server()).unwrap_err().to_string(),
        "role web: `shop.b` grows beyond 524288 bytes by its references; shorten it"
    );
}

#[test]
fn version_search_over_the_attempt_limit_is_an_error_naming_the_limit() {
    // Nine pigeons and eight holes: each pigeon wants the hole of its version for itself.
    let component = |text: String| yaml::parse_yaml::<Component>("component.yaml", &text).unwrap();
    let mut components = Vec::new();
    for pigeon in 1..=9 {
        for hole in 1..=8 {
            components.push(component(format!(
                "{{name: pigeon{pigeon}, version: {hole}-1, kind: os-config, summary: S., requires: {{hole{hole}: \"{pigeon}\"}}}}"
            )));
            components.push(component(format!(
                "{{name: hole{hole}, version: {pigeon}-1, kind: os-config, summary: S.}}"
            )));
        }
    }
    let (mut estate, _) = shop("", "");
    let web = estate.roles.get_mut("web").unwrap();
    let requirement = VersionRangeWithRevisionAndAuthor { range: "*".parse().unwrap(), origin: None };
    let pigeons = (1..=9).map(|pigeon| (Name::new(&format!("pigeon{pigeon}")).unwrap(), requirement.clone()));
    (web.settings.components, web.settings.values) = (pigeons.collect(), BTreeMap::new());
    let mut catalog = catalog(components);
    for versions in catalog.channels.values_mut().flat_map(|names| names.values_mut()) {
        versions.sort();
    }
    let error = resolve::resolve_server(&estate, &catalog, &server()).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "server s: no versions that satisfy all constraints were found in 50000 attempts; require exact versions \
             of some of its components. The first contradiction met: no version of `hole"
        ),
        "{error}"
    );
}

#[test]
fn wishes_values_and_removals_tell_in_which_revision_and_by_whom() {
    let (mut first, catalog) = shop("a: {type: string, description: A., default: x}", "a: y");
    let origin = |revision, by: &str| RevisionAndAuthor { revision, by: by.to_owned() };
    set_origins_of_changed_settings(&Estate::default(), &mut first, &origin(1, "ann"));
    let mut second = first.clone();
    let key = Key::new("a").unwrap();
    let what = RemovedInheritedItem::Value(Name::new("shop").unwrap(), key);
    let server_says = &mut second.servers.get_mut("s").unwrap().settings;
    server_says.remove = vec![InheritanceRemoval { what, origin: None }];
    let requirement = VersionRangeWithRevisionAndAuthor { range: "1".parse().unwrap(), origin: None };
    server_says.components = [(Name::new("shop").unwrap(), requirement)].into();
    set_origins_of_changed_settings(&first, &mut second, &origin(2, "bob"));

    // What is stored beside the files gives them back.
    let mut stored =
        model::format::estate::parse_estate_yaml(&model::format::estate::estate_to_yaml_by_path(&second))
            .unwrap();
    SettingRevisionsAndAuthors::from_place_settings(&second.roles["web"].settings)
        .restore_to_place_settings(&mut stored.roles.get_mut("web").unwrap().settings);
    SettingRevisionsAndAuthors::from_place_settings(&second.servers["s"].settings)
        .restore_to_place_settings(&mut stored.servers.get_mut("s").unwrap().settings);
    assert_eq!(stored, second);

    let node = resolve::resolve_server(&second, &catalog, &server()).unwrap();
    let node = node::parse_node_yaml("node.yaml", &node::node_to_yaml(&node)).unwrap();
    assert_eq!(
        resolve::explain_dotted_key(&node, "shop").unwrap().to_string(),
        "shop = \"1-1\"\n  effective   server s sets \"1\" (revision 2 by bob)\n  \
         overridden  role web sets \"*\" (revision 1 by ann)"
    );
    assert_eq!(
        resolve::explain_dotted_key(&node, "shop.a").unwrap().to_string(),
        "shop.a = \"x\"\n  effective   default of shop sets \"x\"\n  \
         effective   server s removes what is set by role web (revision 2 by bob)\n  \
         overridden  role web sets \"y\" (revision 1 by ann)"
    );
}

#[test]
fn overridden_value_change_keeps_the_digest() {
    let parameters = "a: {type: string, description: A.}, b: {type: string, description: B., default: x}";
    let digest = |of_role: &str, of_server: &str| {
        let (mut estate, catalog) = shop(parameters, of_role);
        let (stronger, _) = shop(parameters, of_server);
        let settings = &mut estate.servers.get_mut("s").unwrap().settings;
        settings.values = stronger.roles["web"].settings.values.clone();
        Resolver::new(&estate, &catalog).resolve_server(&server()).unwrap().digest
    };
    let first = digest("a: old", "a: mine");
    assert_eq!(digest("a: new", "a: mine"), first);
    assert_eq!(digest("a: mine", ""), first, "the same content said by another place");
    assert_eq!(digest("a: old, b: x", "a: mine"), first, "a place says what the default says");
    assert_ne!(digest("a: old", ""), first);
}
