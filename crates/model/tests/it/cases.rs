//! Tests as data: each folder of `tests/cases` is a fact, named by a sentence.
//!
//! A folder holds `catalog.yaml`, the estate (`roles/`, `groups/`, `environments/`, `servers/`) and
//! `expected.txt`. `ask.txt` says what to ask, a question a line; without it the checks and every node
//! are asked for. `UPDATE=1` writes what came out as what is expected.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages, PackageFile},
    component::Component,
    fault::Severity,
    format::estate::SettingLocator,
    format::{
        estate::{self, EstateYamlByPath},
        node, yaml,
    },
    name::{Name, ServerName},
    node::{Node, NodeComponent},
    resolve::{self, Resolver},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    components: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    channels: Vec<Name>,
    component: Component,
}

#[test]
fn every_case_folder_matches_its_expected_output() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let bless = std::env::var("UPDATE").is_ok();
    let mut failures = Vec::new();
    let mut count = 0;
    for case in folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")) {
        count += 1;
        let found = answers(&case);
        let file = case.join("expected.txt");
        if bless {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            let difference = similar::TextDiff::from_lines(&expected, &found);
            let name = case.file_name().unwrap().to_string_lossy();
            failures.push(format!("{name}:\n{}", difference.unified_diff()));
        }
    }
    assert!(count >= 20, "the cases are missing");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn answers(case: &Path) -> String {
    let documents = documents(case);
    let catalog = catalog(case);
    let estate = match estate::parse_estate_yaml(&documents) {
        Ok(estate) => estate,
        Err(errors) => return errors.iter().map(|error| format!("{error}\n")).collect(),
    };
    let resolver = Resolver::new(&estate, &catalog);
    let ask = fs::read_to_string(case.join("ask.txt")).unwrap_or_else(|_| {
        let nodes: String = estate.servers.keys().map(|name| format!("node {name}\n")).collect();
        format!("check\n{nodes}")
    });
    let mut out = String::new();
    for question in ask.lines() {
        let words: Vec<&str> = question.split_whitespace().collect();
        let node_of = |server: &str| {
            let resolved = resolver.resolve_server(&ServerName::new(server).unwrap());
            resolved.map(|resolution| resolution.node).map_err(|error| {
                let mut locator = SettingLocator::new(&documents);
                error
                    .faults
                    .iter()
                    .map(|fault| format!("{}\n", fault.to_located_fault(&mut locator)))
                    .collect::<String>()
            })
        };
        let answer = match words[..] {
            ["check"] => resolve::check_estate(&estate, &catalog)
                .iter()
                .map(|note| {
                    let severity = if note.severity == Severity::Error { "error" } else { "warning" };
                    format!("{severity}: {}\n", note.to_located_fault(&mut SettingLocator::new(&documents)))
                })
                .collect(),
            ["places", server] => {
                let places = resolver.applicable_places(&ServerName::new(server).unwrap()).unwrap();
                places.iter().map(|place| format!("{place}\n")).collect()
            }
            ["node", server] => node_of(server).map_or_else(
                |error| error,
                |mut node: Node| {
                    assert_eq!(
                        completed(&catalog, &node),
                        node,
                        "completing a resolved node changes nothing"
                    );
                    for component in node.components.values_mut().map(Arc::make_mut) {
                        (component.payload, component.deployment) = (None, None);
                    }
                    node::node_to_yaml(&node)
                },
            ),
            ["enc", server] => resolve::node_to_enc_yaml(&node_of(server).unwrap()),
            ["explain", server, key] => match resolve::explain_dotted_key(&node_of(server).unwrap(), key) {
                Ok(explanation) => format!("{}\n", serde_json::to_string_pretty(&explanation).unwrap()),
                Err(error) => format!("{error}\n"),
            },
            _ => panic!("{}: what is `{question}`?", case.display()),
        };
        out.push_str(&format!("## {question}\n{answer}"));
    }
    out
}

fn completed(catalog: &ComponentCatalog, node: &Node) -> Node {
    let component = |(name, component): (&Name, &Arc<NodeComponent>)| {
        (name.clone(), &catalog.components[name][&component.version].component)
    };
    resolve::add_defaults_and_check_node(node, &node.components.iter().map(component).collect()).unwrap()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    paths
}

fn documents(case: &Path) -> EstateYamlByPath {
    let mut documents = EstateYamlByPath::new();
    for folder in folders(case) {
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let path = file.strip_prefix(case).unwrap().to_string_lossy().into_owned();
            documents.insert(path, fs::read_to_string(&file).unwrap());
        }
    }
    documents
}

fn catalog(case: &Path) -> ComponentCatalog {
    let file = case.join("catalog.yaml");
    read_catalog(&file.to_string_lossy(), &fs::read_to_string(&file).unwrap())
}

/// Reads a `catalog.yaml`; `file` is its name in errors.
pub(crate) fn read_catalog(file: &str, text: &str) -> ComponentCatalog {
    let read: CatalogFile = yaml::parse_yaml(file, text).unwrap_or_else(|error| panic!("{error}"));
    let mut catalog = ComponentCatalog::default();
    for Entry { channels, component } in read.components {
        for channel in channels {
            let names: &mut BTreeMap<_, Vec<_>> = catalog.channels.entry(channel).or_default();
            let versions = names.entry(component.name.clone()).or_default();
            versions.push(component.version.clone());
            versions.sort();
        }
        let package = |name: String| {
            let file = format!("{name}-{}.noarch.rpm", component.version);
            Arc::new(PackageFile { file, name, sha256: "0".repeat(64), size: 1 })
        };
        let published = ComponentVersionWithPackages {
            payload: package(component.name.to_string()),
            deployment: package(component.deployment_package_name()),
            component: component.clone(),
        };
        let versions = catalog.components.entry(component.name).or_default();
        versions.insert(component.version, Arc::new(published));
    }
    catalog
}
