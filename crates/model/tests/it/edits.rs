//! Checking an edit finds what checking everything finds.

use std::collections::BTreeSet;

use model::{
    catalog::ComponentCatalog,
    component::Component,
    estate::Estate,
    fault::Severity,
    format::{
        estate::{self, EstateYamlByPath},
        yaml,
    },
    resolve::{
        ChangedResolutionInputs, EstateFaultOrWarning, check_estate, check_estate_change, resolve_server,
    },
};
use proptest::{collection, prelude::*};

use crate::{change::recorded, random};

/// Two versions of a component whose parameters differ, and one that requires the first.
fn catalog() -> ComponentCatalog {
    let component = |text: &str| yaml::parse_yaml::<Component>("component.yaml", text).unwrap();
    random::catalog(vec![
        component(
            "{name: shop, version: 1-1, kind: web-service, summary: S., \
             parameters: {port: {type: port, description: P.}, old: {type: string, description: O.}}}",
        ),
        component(
            "{name: shop, version: 2-1, kind: web-service, summary: S., \
             parameters: {port: {type: integer, description: P.}, new: {type: string, description: N.}}}",
        ),
        component("{name: till, version: 1-1, kind: web-service, summary: S., requires: {shop: \"1\"}}"),
    ])
}

/// What a place says; `wild` is how much of it is wrong.
fn settings(wild: u32) -> BoxedStrategy<String> {
    let components = prop_oneof![
        8 => Just(""),
        6 => Just("components: {shop: \"1\"}\n"),
        1 => Just("components: {shop: \"2\"}\n"),
        2 => Just("components: {shop: \"1\", till: \"*\"}\n"),
        wild => Just("components: {nobody: \"*\"}\n"),
    ];
    let values = prop_oneof![
        8 => Just(""),
        6 => Just("values: {shop: {port: 80}}\n"),
        2 => Just("values: {shop: {port: 80, old: \"${shop.port}\"}}\n"),
        wild => Just("values: {shop: {port: 70000}}\n"),
        wild => Just("values: {shop: {port: \"x\", new: x}}\n"),
    ];
    let remove = prop_oneof![
        8 => Just(""),
        1 => Just("remove: [shop]\n"),
        1 => Just("remove: [shop.old]\n"),
    ];
    (components, values, remove).prop_map(|parts| format!("{}{}{}", parts.0, parts.1, parts.2)).boxed()
}

/// Three roles, two groups, two environments, three servers; some of them missing.
fn documents(wild: u32) -> BoxedStrategy<EstateYamlByPath> {
    let list = |names: &'static [&'static str]| proptest::sample::subsequence(names, 0..=names.len());
    let role = |at: usize, parents: &'static [&'static str]| {
        (list(parents), settings(wild), prop::bool::weighted(0.9))
            .prop_map(move |(inherits, settings, there)| {
                let text =
                    format!("format: geppetto/role/1\ninherits: [{}]\n{settings}", inherits.join(", "));
                there.then_some((format!("roles/r{at}.yaml"), text))
            })
            .boxed()
    };
    let group = |at: usize| {
        (settings(wild), prop::bool::weighted(0.9))
            .prop_map(move |(settings, there)| {
                there.then_some((
                    format!("groups/g{at}.yaml"),
                    format!("format: geppetto/group/1\n{settings}"),
                ))
            })
            .boxed()
    };
    let environment = |at: usize| {
        settings(wild)
            .prop_map(move |settings| {
                let text = format!("format: geppetto/environment/1\nchannel: prod\n{settings}");
                Some((format!("environments/e{at}.yaml"), text))
            })
            .boxed()
    };
    let server = |at: usize| {
        let lists = (list(&["r0", "r1", "r2"]), list(&["g0", "g1"]), 0..2usize);
        (lists, settings(wild), prop::bool::weighted(0.7)).prop_map(move |((roles, groups, environment), settings, there)| {
            let text = format!(
                "format: geppetto/server/2\nenvironment: e{environment}\nroles: [{}]\ngroups: [{}]\n{settings}",
                roles.join(", "),
                groups.join(", ")
            );
            there.then_some((format!("servers/s{at}.yaml"), text))
        }).boxed()
    };
    let objects = vec![
        role(0, &["r1", "r2"]),
        role(1, &["r2"]),
        role(2, &[]),
        group(0),
        group(1),
        environment(0),
        environment(1),
        server(0),
        server(1),
        server(2),
    ];
    objects.prop_map(|objects| objects.into_iter().flatten().collect()).boxed()
}

fn read(documents: &EstateYamlByPath) -> Estate {
    estate::parse_estate_yaml(documents).unwrap()
}

fn fatal(notes: Vec<EstateFaultOrWarning>) -> Vec<EstateFaultOrWarning> {
    notes.into_iter().filter(|note| note.severity == Severity::Error).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn check_change_after_an_edit_finds_the_errors_of_a_full_check(
        old in documents(0),
        edit in documents(2),
        edited in collection::btree_set(0..10usize, 1..4),
    ) {
        let catalog = catalog();
        prop_assume!(fatal(check_estate(&read(&old), &catalog)).is_empty());
        let mut files = old.clone();
        let paths: BTreeSet<&String> = old.keys().chain(edit.keys()).collect();
        for (_, path) in paths.into_iter().enumerate().filter(|(at, _)| edited.contains(at)) {
            match edit.get(path) {
                Some(text) => files.insert(path.clone(), text.clone()),
                None => files.remove(path),
            };
        }
        let (before, after) = (read(&old), read(&files));
        let recorded = recorded(&before, &catalog);
        let found = fatal(check_estate_change(&before, &after, &catalog, &recorded).findings);
        let whole = fatal(check_estate(&after, &catalog));
        prop_assert!(found.iter().all(|note| whole.contains(note)), "{:?}\n{:?}", found, whole);
        for note in whole.iter().filter(|note| !found.contains(note)) {
            // What nobody changed is not held against an edit, as long as every server has its node.
            let path = estate::document_path_of_place(&note.place).unwrap();
            prop_assert_eq!(old.get(&path), files.get(&path), "{}", note);
        }
        let resolved = after.servers.keys().all(|name| resolve_server(&after, &catalog, name).is_ok());
        prop_assert!(resolved || !found.is_empty());
        let reached = recorded.find_servers_reached_by_change(&ChangedResolutionInputs::diff_estates(&before, &after), &after);
        for name in after.servers.keys().filter(|name| !reached.contains(*name)) {
            prop_assert_eq!(resolve_server(&before, &catalog, name), resolve_server(&after, &catalog, name));
        }
    }
}

#[test]
fn unchanged_place_is_not_checked_against_servers_outside_the_change() {
    let server =
        |settings: &str| format!("format: geppetto/server/2\nenvironment: e1\n{settings}remove: [shop]\n");
    let mut files = EstateYamlByPath::from([
        (
            "environments/e1.yaml".to_owned(),
            "format: geppetto/environment/1\nchannel: prod\ncomponents: {shop: \"2\"}\n\
             values: {shop: {port: 80, old: \"${shop.port}\"}}\n"
                .to_owned(),
        ),
        ("servers/s2.yaml".to_owned(), server("components: {shop: \"1\"}\n")),
    ]);
    let before = read(&files);
    assert_eq!(fatal(check_estate(&before, &catalog())), []);
    // The new server does without the component; the value fits the version that the other one has.
    files.insert("servers/s0.yaml".to_owned(), server(""));
    let recorded = recorded(&before, &catalog());
    assert_eq!(fatal(check_estate_change(&before, &read(&files), &catalog(), &recorded).findings), []);
}
