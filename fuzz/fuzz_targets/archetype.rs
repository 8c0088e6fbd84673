//! An archetype's description.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use packaging::archetype::Archetype;
use tempfile::TempDir;

thread_local! {
    static FOLDER: TempDir = {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("files")).expect("a folder");
        fs::write(folder.path().join("files/README.md.tmpl"), "# {{ name }}\n").expect("a file");
        folder
    };
}

fuzz_target!(|text: &[u8]| {
    FOLDER.with(|folder| {
        fs::write(folder.path().join("archetype.yaml"), text).expect("a file");
        let _ = Archetype::load_archetype_folder(folder.path());
    });
});
