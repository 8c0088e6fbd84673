//! Generated reference documents, committed and kept equal to the code. `UPDATE=1` writes them anew.

use std::{fs, path::PathBuf};

use crate::plane::{program, ran};

#[track_caller]
fn equals(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
    #[expect(clippy::disallowed_methods, reason = "the tests' own switch")]
    if std::env::var("UPDATE").is_ok() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/reference/{file} is not what the code says; run the test with UPDATE=1");
}

#[test]
fn the_committed_api_description_is_the_generated_one() {
    equals("openapi.json", &ran(program().arg("openapi").output().unwrap()).ok());
}

#[test]
fn the_committed_command_reference_is_the_generated_one() {
    equals("cli-geppetto.md", &geppetto::cli::reference());
}
