//! The documents cannot drift from the code: their examples are read, their schemas are compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use model::{
    catalog::ComponentCatalog,
    format::{
        self, FormatError,
        estate::{self, EstateYamlByPath},
    },
    node::{Node, RequirementProvenanceEntry, RequirementProvenanceKind, ValueProvenanceEntry},
    resolve::Resolver,
    wire::ControlPlaneEvent,
};

use crate::cases::read_catalog;

fn docs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))
}

fn read(family: &str, text: &str) -> Option<Result<(), Vec<FormatError>>> {
    let file = "docs/reference/formats.md";
    Some(match family {
        "component" => format::component::parse_component_yaml(file, text).map(|_| ()),
        "manifest" => model::deployment_manifest::parse_manifest_yaml(file, text)
            .map(|_| ())
            .map_err(|error| vec![error]),
        "role" => format::role::parse_role_yaml(file, text).map(|_| ()),
        "group" => format::group::parse_group_yaml(file, text).map(|_| ()),
        "environment" => format::environment::parse_environment_yaml(file, text).map(|_| ()),
        "server" => format::server::parse_server_yaml(file, text).map(|_| ()),
        "node" => format::node::parse_node_yaml(file, text).map(|_| ()).map_err(|error| vec![error]),
        _ => return None,
    })
}

#[test]
fn every_example_in_formats_md_is_read() {
    let document = fs::read_to_string(docs().join("reference/formats.md")).unwrap();
    let mut count = 0;
    for block in document.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let first = text.lines().next().unwrap();
        let family = first.strip_prefix("format: geppetto/").and_then(|rest| rest.rsplit_once('/'));
        let (family, _) = family.unwrap_or_else(|| panic!("an example must start with its format: {first}"));
        // Archetypes are read by the crate that owns them.
        if family == "archetype" {
            continue;
        }
        match read(family, text) {
            Some(Ok(())) => count += 1,
            Some(Err(errors)) => panic!("{errors:?}\n{text}"),
            None => panic!("docs/reference/formats.md has an example of an unknown format `{family}`"),
        }
    }
    assert!(count >= 7, "only {count} examples were found");
}

/// The names of all properties in a JSON schema.
fn property_names(schema: &serde_json::Value, names: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(fields) => {
            if let Some(serde_json::Value::Object(properties)) = fields.get("properties") {
                names.extend(properties.keys().cloned());
            }
            fields.values().for_each(|value| property_names(value, names));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| property_names(item, names)),
        _ => {}
    }
}

#[test]
fn every_field_of_a_manifest_and_every_exit_code_and_event_is_in_the_reference() {
    let page = |name: &str| fs::read_to_string(docs().join("reference").join(name)).unwrap();
    let schemas = format::file_format_json_schemas();
    let (_, schema) = schemas.iter().find(|(name, _)| *name == "manifest.schema.json").unwrap();
    let mut fields = BTreeSet::new();
    property_names(&serde_json::from_str(schema).unwrap(), &mut fields);
    for outermost in ["format", "resources", "health"] {
        assert!(fields.remove(outermost));
    }
    let resources = page("resources.md");
    let missing = |field: &&String| {
        !resources.contains(&format!("`{field}`")) && !resources.contains(&format!("`{field}: "))
    };
    assert_eq!(fields.iter().filter(missing).collect::<Vec<_>>(), [""; 0], "not in resources.md");

    let codes = page("exit-codes.md");
    let code = include_str!("../../src/exit.rs")
        .lines()
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "));
    let numbers: Vec<&str> = code.map(|(_, number)| number).collect();
    assert!(numbers.len() > 8, "{numbers:?}");
    for number in numbers {
        let is_there = codes.lines().any(|line| line.starts_with('|') && line.contains(number));
        assert!(is_there, "exit code {number} is not in exit-codes.md");
    }

    let events = page("events.md");
    // An unknown kind is refused with the list of all.
    let error = serde_json::from_str::<ControlPlaneEvent>(r#"{"kind": "?"}"#).unwrap_err().to_string();
    let kinds: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(kinds.len() > 5, "{error}");
    for kind in kinds {
        assert!(events.contains(&format!("`{kind}`")), "{kind} is not in events.md");
    }
}

#[test]
fn schema_files_in_the_reference_match_the_code() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let update = std::env::var("UPDATE").is_ok();
    let folder = docs().join("reference/schemas");
    for (name, schema) in format::file_format_json_schemas() {
        let file = folder.join(name);
        if update {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, &schema).unwrap();
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == schema,
            "{} is not what the code says; run the tests with UPDATE=1",
            file.display()
        );
    }
}

/// The estate and the catalog of the example in `docs/explanation/resolution.md`; each block begins with the path of its file.
fn example(document: &str) -> (EstateYamlByPath, ComponentCatalog) {
    let blocks = document.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let mut files: EstateYamlByPath = blocks
        .map(|block| {
            let path = block.lines().next().and_then(|line| line.strip_prefix("# "));
            (path.expect("a block begins with the path of its file").to_owned(), block.to_owned())
        })
        .collect();
    let catalog = files.remove("catalog.yaml").unwrap();
    (files, read_catalog("catalog.yaml", &catalog))
}

/// The rows of the table with this head, each cell without its code marks.
fn table(document: &str, head: &str) -> Vec<Vec<String>> {
    let (_, rows) = document.split_once(head).unwrap_or_else(|| panic!("there is no table {head}"));
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned());
        cells.collect()
    };
    rows.lines().skip(2).take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn example_in_resolution_md_resolves_to_the_versions_and_values_in_its_tables() {
    let document = fs::read_to_string(docs().join("explanation/resolution.md")).unwrap();
    let (files, catalog) = example(&document);
    let estate = estate::parse_estate_yaml(&files).unwrap();
    let resolver = Resolver::new(&estate, &catalog);
    let nodes: BTreeMap<_, Node> =
        estate.servers.keys().map(|name| (name, resolver.resolve_server(name).unwrap().node)).collect();
    let (mut versions, mut values) = (Vec::new(), Vec::new());
    for (server, node) in &nodes {
        for (name, component) in &node.components {
            let requires = |one: &&RequirementProvenanceEntry| {
                one.effective && matches!(one.what, RequirementProvenanceKind::Requires(_))
            };
            let place = component.requirements.iter().find(requires).unwrap().place.to_string();
            versions.push(vec![server.to_string(), name.to_string(), component.version.to_string(), place]);
            for (key, value) in component.values.iter() {
                let has_part = |entry: &&ValueProvenanceEntry| entry.effective && !entry.removes;
                let place = value.provenance.iter().find(has_part).unwrap().place.to_string();
                values.push(vec![
                    server.to_string(),
                    format!("{name}.{key}"),
                    value.value.to_string(),
                    place,
                ]);
            }
        }
    }
    assert_eq!(table(&document, "| server | component | version | required by |"), versions);
    assert_eq!(table(&document, "| server | parameter | value | first place |"), values);
}
