//! The documents cannot drift from the code: their examples are read, their schemas are compared.

use std::{fs, path::PathBuf};

use model::format::{self, FormatError};

fn docs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))
}

fn read(family: &str, text: &str) -> Option<Result<(), FormatError>> {
    let file = "docs/formats.md";
    Some(match family {
        "component" => format::component::read(file, text).map(|_| ()).map_err(|mut errors| errors.remove(0)),
        "manifest" => model::manifest::read_manifest(file, text).map(|_| ()),
        "role" => format::role::read(file, text).map(|_| ()),
        "group" => format::group::read(file, text).map(|_| ()),
        "environment" => format::environment::read(file, text).map(|_| ()),
        "server" => format::server::read(file, text).map(|_| ()),
        "node" => format::node::read(file, text).map(|_| ()),
        _ => return None,
    })
}

#[test]
fn every_example_in_formats_md_is_read() {
    let document = fs::read_to_string(docs().join("formats.md")).unwrap();
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
            Some(Err(error)) => panic!("{error}\n{text}"),
            None => panic!("docs/formats.md has an example of an unknown format `{family}`"),
        }
    }
    assert!(count >= 7, "only {count} examples were found");
}

#[test]
fn schema_files_in_the_reference_match_the_code() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let update = std::env::var("UPDATE").is_ok();
    let folder = docs().join("reference/schemas");
    for (name, schema) in format::schemas() {
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
