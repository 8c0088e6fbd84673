//! A file of a project that says its name and version: its own name in the first line, its text after it.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use packaging::source::project_metadata::{read_component_from_pom_xml, read_project_file_metadata};
use tempfile::TempDir;

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
}

fuzz_target!(|input: &[u8]| {
    let names = [&b"pom.xml\n"[..], b"package.json\n", b"pyproject.toml\n", b"Cargo.toml\n"];
    let Some(name) = names.iter().find(|name| input.starts_with(name)) else { return };
    let text = &input[name.len()..];
    let name = str::from_utf8(name).expect("a name").trim_end();
    FOLDER.with(|folder| {
        fs::write(folder.path().join(name), text).expect("a file");
        let _ = read_project_file_metadata(folder.path(), name);
        if name == "pom.xml" {
            let _ = read_component_from_pom_xml(folder.path());
        }
    });
});
