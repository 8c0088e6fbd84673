//! What the built-in archetypes generate is whole: it lints, tests, builds and packages without an edit.

use std::path::Path;

use model::name::{Key, Name};
use packaging::{
    archetype::{Answers, Archetype, generate},
    lint::lint,
    package::{Packages, build_source, package, test_source},
    source::Source,
};

use tempfile::TempDir;

use crate::tools::{NOON, has, key};

/// Answers that are hard to quote.
fn answers(archetype: &Archetype) -> Answers {
    let hostile =
        Answers::from([(Key::new("summary").unwrap(), "It's 100% \"ready\": <b>{{ go }}</b> #1".to_owned())]);
    hostile.into_iter().filter(|(key, _)| archetype.questions.contains_key(key)).collect()
}

fn generated(archetype: &str, dir: &Path, answers: impl Fn(&Archetype) -> Answers) -> Source {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../library/archetypes");
    let archetype = Archetype::load(&library.join(archetype)).unwrap_or_else(|error| panic!("{error}"));
    let name = Name::new("my-thing").unwrap();
    generate(&archetype, &name, &answers(&archetype), dir).unwrap_or_else(|error| panic!("{error}"));
    Source::load(dir).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn works(archetype: &str) -> Option<(TempDir, Packages)> {
    let dir = tempfile::tempdir().unwrap();
    let source = generated(archetype, &dir.path().join("a"), |_| Answers::new());
    let notes = lint(&source);
    assert!(notes.is_empty(), "{notes:#?}");
    let mut lines = String::new();
    let mut output = |line: &str| lines.push_str(&format!("{line}\n"));
    test_source(&source, NOON, &mut output).unwrap_or_else(|error| panic!("{error}\n{lines}"));

    // Once more with answers that are hard to quote: only reading and building.
    let source = generated(archetype, &dir.path().join("b"), answers);
    build_source(&source, NOON, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
    package(&source, &dir.path().join("dist-b"), None, NOON).unwrap();

    let source = Source::load(&dir.path().join("a")).unwrap();
    build_source(&source, NOON, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
    let key = key("builder");
    let packages = package(&source, &dir.path().join("dist"), Some(&key), NOON).unwrap();
    crate::packages::judged(&packages, &key);
    Some((dir, packages))
}

#[test]
fn a_web_service_works_as_generated() {
    works("web-service");
}

#[test]
fn a_processing_works_as_generated() {
    works("processing");
}

#[test]
fn a_webapp_works_as_generated() {
    if !has("mvn") {
        return;
    }
    works("webapp");
}

#[test]
fn a_db_schema_works_as_generated() {
    works("db-schema");
}

#[test]
fn a_monitoring_plugin_works_as_generated() {
    works("monitoring-plugin");
}

#[test]
fn an_os_config_works_as_generated() {
    works("os-config");
}
