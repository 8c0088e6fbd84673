//! The documents say what the code says.

use std::{fs, path::PathBuf};

use packaging::archetype::{Archetype, archetype_json_schema};

use crate::components::Folder;

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn committed_schema_equals_the_generated_one() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let update = std::env::var("UPDATE").is_ok();
    let file = docs().join("reference/schemas/archetype.schema.json");
    let schema = serde_json::to_string_pretty(&archetype_json_schema()).unwrap() + "\n";
    if update {
        fs::write(&file, &schema).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == schema, "{} is not what the code says; run the tests with UPDATE=1", file.display());
}

#[test]
fn archetype_in_the_formats_document_is_read() {
    let text = fs::read_to_string(docs().join("reference/formats.md")).unwrap();
    let block =
        text.split("```yaml\n").find(|block| block.starts_with("format: geppetto/archetype/1\n")).unwrap();
    let (yaml, _) = block.split_once("```").unwrap();
    let folder = Folder::empty().write("archetype.yaml", yaml).write("files/component.yaml", "");
    Archetype::load_archetype_folder(folder.path()).unwrap_or_else(|error| panic!("{error}"));
}
