//! The references in `docs/reference` have all that the code has, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use model::{format::file_format_json_schemas, wire::ControlPlaneEvent};
use serde_json::Value;

fn page(name: &str) -> String {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference")).join(name);
    fs::read_to_string(path).unwrap()
}

fn schema(name: &str) -> Value {
    let file = format!("{name}.schema.json");
    let (_, text) = file_format_json_schemas().into_iter().find(|(other, _)| **other == file).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The keys of all maps in a schema.
fn keys_of(schema: &Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        keys.extend(value["properties"].as_object().into_iter().flat_map(|keys| keys.keys().cloned()));
        open.extend(value.as_object().into_iter().flat_map(|fields| fields.values()));
        open.extend(value.as_array().into_iter().flatten());
    }
    keys
}

/// The words in code marks of a text that look like keys: `mode`, `present: false`.
fn words_in_code(text: &str) -> BTreeSet<String> {
    let code = text.split('`').skip(1).step_by(2);
    let words = code.map(|code| code.split(':').next().unwrap_or_default().to_owned());
    words
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()))
        .collect()
}

/// The rows of the table that begins with this head.
fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let (_, rows) = page.split_once(head).unwrap_or_else(|| panic!("there is no table {head}"));
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn every_key_of_a_file_that_people_write_is_in_formats_md() {
    let formats = page("formats.md");
    let with_resources = format!("{formats}{}", page("resources.md"));
    for name in ["component", "manifest", "role", "group", "environment", "server", "node"] {
        let text = if name == "manifest" { &with_resources } else { &formats };
        let in_examples = |key: &str| {
            text.match_indices(&format!("{key}:")).any(|(at, _)| {
                !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            })
        };
        let code = words_in_code(text);
        let missing: Vec<String> = keys_of(&schema(name))
            .into_iter()
            .filter(|key| !code.contains(key) && !in_examples(key))
            .collect();
        assert_eq!(missing, [""; 0], "keys of {name} that docs/reference/formats.md does not have");
    }
}

#[test]
fn further_keys_that_formats_md_names_exist() {
    let formats = page("formats.md");
    let component = schema("component");
    let of = |name: &str| keys_of(&component["$defs"][name]);
    let known = BTreeMap::from([
        ("launch", of("LaunchSettings")),
        ("files", of("PackagedFile")),
        ("parameters", of("Parameter")),
    ]);
    let mut named = BTreeSet::new();
    for sentence in formats.split("Further keys of `").skip(1) {
        let (name, keys) = sentence.split_once("`: ").unwrap();
        // What stands in brackets explains a key.
        let keys = keys.split_once(".\n").unwrap().0.split(')').filter_map(|part| part.split('(').next());
        for key in keys.flat_map(words_in_code) {
            assert!(known[name].contains(&key), "`{name}` has no key `{key}`");
        }
        named.insert(name);
    }
    assert_eq!(named.len(), known.len(), "{named:?}");
}

#[test]
fn every_field_that_resources_md_names_exists() {
    let resources = page("resources.md");
    let manifest = schema("manifest");
    let mut of_kind: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for list in ["resources", "health"] {
        for kind in manifest["properties"][list]["items"]["oneOf"].as_array().unwrap() {
            of_kind.insert(kind["title"].as_str().unwrap().to_owned(), keys_of(kind));
        }
    }
    let mut described = BTreeSet::new();
    for row in table(&resources, "| kind | is | fields | on removal |") {
        let kind = words_in_code(&row[0]).pop_first().unwrap();
        let known = of_kind.get(&kind).unwrap_or_else(|| panic!("there is no kind of resource `{kind}`"));
        for field in words_in_code(&row[2]) {
            assert!(known.contains(&field), "`{kind}` has no field `{field}`");
        }
        described.insert(kind);
    }
    for row in table(&resources, "| check | succeeds when |") {
        let kind = words_in_code(&row[0]).pop_first().unwrap();
        assert!(of_kind.contains_key(&kind), "there is no health check `{kind}`");
        described.insert(kind);
    }
    assert_eq!(described, of_kind.keys().cloned().collect(), "kinds of resources and checks");
    for row in table(&resources, "| field | what |") {
        let field = words_in_code(&row[0]).pop_first().unwrap();
        assert!(of_kind["file"].contains(&field), "there is no field `{field}`");
    }
}

/// The codes of `Exit`.
fn exit_codes() -> BTreeSet<u8> {
    let lines = include_str!("../../src/exit.rs").lines();
    let codes = lines.filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse().ok());
    codes.collect()
}

#[test]
fn exit_codes_of_the_reference_are_those_of_the_code() {
    let rows = table(&page("exit-codes.md"), "| code | meaning | what to do |");
    let documented: BTreeSet<u8> =
        rows.iter().flat_map(|row| row[0].split(", ").map(|code| code.parse::<u8>().unwrap())).collect();
    assert_eq!(documented, exit_codes());
    // The list by which people search has all that are no success.
    let troubleshooting = page("../troubleshooting.md");
    let rows = table(&troubleshooting, "| code | look first at |");
    let mut searched: BTreeSet<u8> =
        rows.iter().flat_map(|row| row[0].split(", ").map(|code| code.parse::<u8>().unwrap())).collect();
    searched.insert(0);
    assert_eq!(searched, exit_codes());
}

#[test]
fn exit_code_4_is_described_as_given_exactly_if_runs_are_rolled_back() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../converge/src"));
    let mut open = vec![folder];
    let mut is_rolled_back = false;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            is_rolled_back |= fs::read_to_string(path).unwrap().contains("RunOutcome::RolledBack");
        }
    }
    for (name, head) in [
        ("exit-codes.md", "| code | meaning | what to do |"),
        ("../troubleshooting.md", "| code | look first at |"),
    ] {
        let rows = table(&page(name), head);
        let row = rows.iter().find(|row| row[0] == "4").unwrap_or_else(|| panic!("{name} has no code 4"));
        let says_never = row.join(" ").contains("not given yet");
        assert_eq!(says_never, !is_rolled_back, "{name}: {row:?}");
    }
}

#[test]
fn events_of_the_reference_have_the_keys_of_the_code() {
    // An unknown kind is refused with the list of all.
    let error = serde_json::from_str::<ControlPlaneEvent>(r#"{"kind": "?"}"#).unwrap_err().to_string();
    let kinds: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
    let events = page("events.md");
    let rows = table(&events, "| `kind` | keys | when |");
    assert_eq!(rows.iter().map(|row| row[0].trim_matches('`')).collect::<BTreeSet<_>>(), kinds);
    for row in &rows {
        let mut event =
            serde_json::Map::from_iter([("kind".to_owned(), Value::from(row[0].trim_matches('`')))]);
        for key in words_in_code(&row[1]) {
            let is_number = ["revision", "generation", "report", "job"].contains(&key.as_str());
            event.insert(key, if is_number { Value::from(1) } else { Value::from("a") });
        }
        // What is missing is refused; what does not exist is not written back.
        let event = Value::Object(event);
        let read: ControlPlaneEvent =
            serde_json::from_value(event.clone()).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        assert_eq!(serde_json::to_value(&read).unwrap(), event);
    }
}
