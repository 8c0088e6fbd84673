//! Every kind of damage is found and named, and what can be rebuilt is.

use std::{fs, path::Path};

use super::{TestRepository, name, tree, visible};
use crate::tools::NOON;

/// A repository with one component in `dev`.
fn test() -> TestRepository {
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    test.publish("dev", &files);
    assert_eq!(test.repository.check_repository().unwrap(), []);
    test
}

fn findings(test: &TestRepository) -> Vec<String> {
    test.repository.check_repository().unwrap().iter().map(ToString::to_string).collect()
}

fn flip_last_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The newest list of packages.
fn primary(test: &TestRepository) -> String {
    let files = tree(&test.channel("dev").join("repodata"));
    files.into_iter().rfind(|file| file.ends_with("-primary.xml.gz")).unwrap()
}

#[test]
fn damaged_package_is_found() {
    let test = test();
    flip_last_byte(&test.root().join("pool/shop/shop-1.0-1.noarch.rpm"));
    let found = findings(&test);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with(
            "pool/shop/shop-1.0-1.noarch.rpm: the payload of shop-1.0-1.noarch.rpm does not match its header"
        ),
        "{found:?}"
    );
    assert!(found[0].contains("copy it back from a backup"), "{found:?}");
}

#[test]
fn missing_and_left_over_files_are_found() {
    let test = test();
    fs::remove_file(test.channel("dev").join("packages/shop-1.0-1.noarch.rpm")).unwrap();
    fs::write(test.channel("dev").join("packages/stray.rpm"), "").unwrap();
    fs::remove_file(test.root().join("pool/shop-deployment/shop-deployment-1.0-1.noarch.rpm")).unwrap();
    let found = findings(&test);
    let starts = [
        "channels/dev/packages/shop-1.0-1.noarch.rpm: it is not the package in the pool; `punch repository rebuild`",
        "channels/dev/packages/shop-deployment-1.0-1.noarch.rpm: the channel lists it, but shop-deployment-1.0-1.noarch.rpm is not in the repository",
        "channels/dev/packages/stray.rpm: no metadata names it",
        "index/shop-deployment/shop-deployment-1.0-1.noarch.rpm.jsonl: it describes a package that is not in the pool",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn damaged_metadata_is_found_and_rebuilt() {
    let test = test();
    let repodata = test.channel("dev").join("repodata");
    let file = primary(&test);
    flip_last_byte(&repodata.join(&file));
    let found = findings(&test);
    assert_eq!(found.len(), 1);
    let start = format!("channels/dev/repodata/{file}: its SHA-256 is ");
    assert!(found[0].starts_with(&start), "{found:?}");
    test.repository.rewrite_channel_metadata_and_links(&name("dev"), NOON).unwrap();

    let repomd = repodata.join("repomd.xml");
    fs::write(&repomd, fs::read_to_string(&repomd).unwrap() + " ").unwrap();
    let found = findings(&test);
    assert!(found[0].contains("generations/00000003/repodata/repomd.xml: its signature by key"), "{found:?}");
    test.repository.rewrite_channel_metadata_and_links(&name("dev"), NOON).unwrap();

    fs::remove_file(repodata.join(primary(&test))).unwrap();
    let found = findings(&test);
    assert!(found[0].contains("No such file"), "{found:?}");
    test.repository.rewrite_channel_metadata_and_links(&name("dev"), NOON).unwrap();

    let members = test.root().join("members/dev");
    let member = tree(&members).into_iter().find(|file| file.starts_with('m')).unwrap();
    flip_last_byte(&members.join(&member));
    let found = findings(&test);
    assert_eq!(found.len(), 1, "{found:?}");
    let start =
        format!("members/dev/{member}: its part of other is not what the channel's metadata was made of");
    assert!(found[0].starts_with(&start), "{found:?}");
    test.repository.rewrite_channel_metadata_and_links(&name("dev"), NOON).unwrap();
    assert_eq!(findings(&test), Vec::<String>::new());
}

#[test]
fn damaged_entry_of_the_index_is_named_itself_and_made_anew_from_the_package() {
    let test = test();
    let file = "shop-1.0-1.noarch.rpm";
    let indexed = test.root().join(format!("index/shop/{file}.jsonl"));
    let right = fs::read_to_string(&indexed).unwrap();
    let shown = visible(&test, "dev");
    for damaged in [
        right.replace("A test: shop", "A fest: shop"),
        right.replacen("\"sha256\":\"", "\"sha256\":\"0", 1),
        right.lines().next().unwrap().to_owned(),
        "{".to_owned(),
        String::new(),
    ] {
        assert_ne!(damaged, right);
        fs::write(&indexed, damaged).unwrap();
        let found = findings(&test);
        assert!(!found.is_empty());
        for found in &found {
            assert!(found.starts_with(&format!("index/shop/{file}.jsonl: ")), "{found}");
            assert!(found.contains("makes it anew from the package"), "{found}");
        }
        assert_eq!(found.len(), 1, "{found:?}");
        test.repository.rewrite_channel_metadata_and_links(&name("dev"), NOON).unwrap();
        assert_eq!(fs::read_to_string(&indexed).unwrap(), right);
        assert_eq!(findings(&test), Vec::<String>::new());
        assert_eq!(visible(&test, "dev"), shown);
    }
}

#[test]
fn missing_channel_state_is_found() {
    let test = self::test();
    fs::remove_file(test.root().join("members/dev/00000002.json")).unwrap();
    let found = findings(&test).join("\n");
    assert!(found.starts_with("channels/dev/current: cannot read "), "{found}");
}

#[test]
fn repodata_that_is_no_longer_the_current_one_is_found_and_rebuilt() {
    let test = test();
    let repomd = test.channel("dev").join("repodata/repomd.xml");
    let text = fs::read(&repomd).unwrap();
    fs::remove_file(&repomd).unwrap();
    fs::write(&repomd, text).unwrap();
    let found = findings(&test);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("channels/dev/repodata/repomd.xml: it is no link"), "{found:?}");
    test.repository.rewrite_channel_metadata_and_links(&name("dev"), NOON).unwrap();
    assert_eq!(findings(&test), Vec::<String>::new());
}
