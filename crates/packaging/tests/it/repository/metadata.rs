//! Our metadata says what `createrepo_c` says about the same packages.

use crate::skip::has_tool;
use std::{collections::BTreeMap, fs, io::Read, path::Path, process::Command};

use flate2::read::MultiGzDecoder;

use super::TestRepository;
use crate::tools::{Rpm, run};

/// A metadata file of a YUM tree, unpacked.
fn unpacked(tree: &Path, kind: &str) -> String {
    let repodata = tree.join("repodata");
    let repomd = fs::read_to_string(repodata.join("repomd.xml")).unwrap();
    let document = roxmltree::Document::parse(&repomd).unwrap();
    let data = document.descendants().find(|node| node.attribute("type") == Some(kind)).unwrap();
    let href = data.descendants().find_map(|node| node.attribute("href")).unwrap();
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(tree.join(href)).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Each package's element as lines `path attributes text`, by package digest.
fn packages(xml: &str) -> BTreeMap<String, Vec<String>> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let mut packages = BTreeMap::new();
    for package in document
        .root_element()
        .children()
        .filter(|node| node.has_tag_name("package") || node.tag_name().name() == "package")
    {
        let id = package
            .attribute("pkgid")
            .or_else(|| package.children().find(|node| node.tag_name().name() == "checksum")?.text())
            .unwrap()
            .to_owned();
        let mut lines = Vec::new();
        for node in package.descendants().filter(|node| node.is_element()) {
            let name = node.tag_name().name();
            let mut attributes: Vec<String> = node
                .attributes()
                // When the file was written is the one thing that differs.
                .filter(|attribute| !(name == "time" && attribute.name() == "file"))
                .map(|attribute| format!("{}={:?}", attribute.name(), attribute.value()))
                .collect();
            attributes.sort();
            let text = node.text().map(str::trim).unwrap_or_default();
            lines.push(format!("{name} {} {text:?}", attributes.join(" ")));
        }
        packages.insert(id, lines);
    }
    packages
}

#[test]
fn our_metadata_equals_that_of_createrepo() {
    if !has_tool("createrepo_c") {
        return;
    }
    let test = TestRepository::new();
    let mut files = test.component("shop", "1.0", &[]);
    files.push(
        test.take(
            Rpm::new("tool", "2.0~rc1")
                .provides("virtual(thing)", "3:4.5-6")
                .requires("/bin/sh")
                .requires("(python3 if (system-release or distribution-release))")
                .file("/etc/tool.conf", b"a=<b>&c\n")
                .file("/usr/bin/tool", b"#!/bin/sh\n"),
        ),
    );
    test.publish("dev", &files);
    let theirs = test.folder.path().join("theirs");
    fs::create_dir_all(theirs.join("packages")).unwrap();
    for file in &files {
        fs::copy(test.channel("dev").join("packages").join(file), theirs.join("packages").join(file))
            .unwrap();
    }
    run(Command::new("createrepo_c").args(["--general-compress-type=gz", "--no-database"]).arg(&theirs));
    for kind in ["primary", "filelists", "other"] {
        let (ours, theirs) =
            (packages(&unpacked(&test.channel("dev"), kind)), packages(&unpacked(&theirs, kind)));
        assert_eq!(ours.len(), 3);
        assert_eq!(ours, theirs, "{kind}");
    }
}
