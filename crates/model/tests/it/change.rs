//! Facts about checking a change: it sees what it reaches, and blames it for nothing else.

use model::{
    catalog::ComponentCatalog,
    estate::Estate,
    fault::Severity,
    format::estate,
    resolve::{self, EstateFaultOrWarning, ResolutionReadsIndex, Resolver},
};
use proptest::prelude::*;

use crate::random;

fn read(files: &[(&str, &str)]) -> Estate {
    let documents = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    estate::parse_estate_yaml(&documents).unwrap()
}

fn found(notes: &[EstateFaultOrWarning], severity: Severity) -> Vec<String> {
    notes.iter().filter(|note| note.severity == severity).map(ToString::to_string).collect()
}

/// What the servers of an estate depend on.
pub(crate) fn recorded(estate: &Estate, catalog: &ComponentCatalog) -> ResolutionReadsIndex {
    let resolver = Resolver::new(estate, catalog);
    let mut recorded = ResolutionReadsIndex::default();
    for name in estate.servers.keys() {
        recorded.insert_reads_of_resolution(name, &resolver.resolve_server(name));
    }
    recorded
}

proptest! {
    #[test]
    fn check_change_from_an_empty_estate_equals_check(estate in random::estate()) {
        let catalog = ComponentCatalog::default();
        prop_assert_eq!(
            resolve::check_estate_change(&Estate::default(), &estate, &catalog, &ResolutionReadsIndex::default()).findings,
            resolve::check_estate(&estate, &catalog)
        );
    }

    #[test]
    fn check_change_of_an_unchanged_estate_is_empty(estate in random::estate()) {
        let recorded = recorded(&estate, &ComponentCatalog::default());
        // Servers that cannot be resolved are looked at again, and are as they were.
        let change = resolve::check_estate_change(&estate, &estate.clone(), &ComponentCatalog::default(), &recorded);
        prop_assert_eq!(found(&change.findings, Severity::Error), [""; 0]);
        prop_assert!(change.effects.values().all(Vec::is_empty));
    }
}

const SERVER: &str = "format: geppetto/server/2\nenvironment: prod\nroles: [web]\n";
const OTHER: &str = "format: geppetto/server/2\nenvironment: prod\nroles: [db]\n";
const PROD: &str = "format: geppetto/environment/1\nchannel: prod\n";

/// An estate whose servers are broken: nobody published what their roles want.
fn broken(web: &str) -> Estate {
    read(&[
        ("environments/prod.yaml", PROD),
        ("roles/db.yaml", "format: geppetto/role/1\ncomponents: {store: '1'}\n"),
        ("roles/web.yaml", web),
        ("servers/db-01.yaml", OTHER),
        ("servers/web-01.yaml", SERVER),
    ])
}

#[test]
fn existing_errors_become_warnings_and_new_errors_stop_the_change() {
    let catalog = ComponentCatalog::default();
    let old = broken("format: geppetto/role/1\ncomponents: {shop: '1'}\n");
    let healthy = recorded(&old, &catalog);
    let edited = broken("format: geppetto/role/1\ncomponents: {shop: '1'}\nremove: [store]\n");
    let notes = resolve::check_estate_change(&old, &edited, &catalog, &healthy).findings;
    assert_eq!(found(&notes, Severity::Error), [""; 0]);
    let warnings = found(&notes, Severity::Warning).join("\n");
    assert!(warnings.contains("no component `shop`"), "what was broken before is said: {warnings}");

    let worse = broken("format: geppetto/role/1\ncomponents: {shop: '1', till: '1'}\n");
    let fatal =
        found(&resolve::check_estate_change(&old, &worse, &catalog, &healthy).findings, Severity::Error)
            .join("\n");
    assert!(fatal.contains("`till`") && !fatal.contains("`shop`"), "{fatal}");
}

#[test]
fn cancelled_check_gives_nothing() {
    let (old, new) =
        (Estate::default(), read(&[("environments/prod.yaml", PROD), ("servers/web-01.yaml", SERVER)]));
    let (catalog, recorded) = (ComponentCatalog::default(), ResolutionReadsIndex::default());
    let check = |is_cancelled: bool| {
        let is_cancelled = std::sync::atomic::AtomicBool::new(is_cancelled);
        resolve::check_estate_change_unless_cancelled(&old, &new, &catalog, &recorded, &is_cancelled)
    };
    assert!(check(false).is_some());
    assert!(check(true).is_none());
}

#[test]
fn invalid_unused_value_is_an_error_once_a_server_uses_it() {
    let catalog = ComponentCatalog::default();
    let unused = "format: geppetto/server/2\nenvironment: prod\n";
    let files = |server| {
        read(&[
            ("environments/prod.yaml", PROD),
            ("roles/web.yaml", "format: geppetto/role/1\nvalues: {shop: {port: 1}}\n"),
            ("servers/web-01.yaml", server),
        ])
    };
    let (old, new) = (files(unused), files(SERVER));
    assert_eq!(found(&resolve::check_estate(&old, &catalog), Severity::Error), [""; 0]);
    let whole = found(&resolve::check_estate(&new, &catalog), Severity::Error);
    let change = resolve::check_estate_change(&old, &new, &catalog, &recorded(&old, &catalog));
    assert_eq!(found(&change.findings, Severity::Error), whole);
    assert!(!whole.is_empty());
}
