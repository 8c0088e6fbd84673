//! Packages become visible together, and readers of older metadata still find their files.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use packaging::repository::Repository;

use super::{TestRepository, deployment, name, payload, tree, visible};
use crate::tools::{NOON, Rpm};

#[test]
fn publishing_twice_says_what_was_there_already() {
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    let first = test.publish("dev", &files);
    assert_eq!(first.added, ["shop-1.0-1.noarch.rpm", "shop-deployment-1.0-1.noarch.rpm"]);
    assert!(first.present.is_empty());
    let serial = test.repository.sum_of_channel_generations().unwrap();
    let second = test.publish("dev", &files);
    assert_eq!(second.present, first.added);
    assert!(second.added.is_empty());
    assert_eq!(
        test.repository.sum_of_channel_generations().unwrap(),
        serial,
        "nothing changed, so nothing was written"
    );
    assert_eq!(visible(&test, "dev"), first.added);
}

#[test]
fn half_a_component_is_refused_and_nothing_becomes_visible() {
    let test = TestRepository::new();
    let shop = test.take(payload("shop", "1.0"));
    let lone = test.take(deployment("lone", "2.0", &[]));
    let tool = test.take(Rpm::new("tool", "1.0"));
    let publish =
        |files: &[String]| test.repository.publish_received_packages_in_channel(&name("dev"), files, NOON);
    assert_eq!(
        publish(&[tool.clone(), shop.clone()]).unwrap_err().to_string(),
        "shop-1.0-1.noarch.rpm cannot be in channel `dev` without shop-deployment-1.0-1: a component is deployed by both, so publish them together"
    );
    assert_eq!(
        publish(&[lone]).unwrap_err().to_string(),
        "lone-deployment-2.0-1.noarch.rpm cannot be in channel `dev` without lone-2.0-1: a component is deployed by both, so publish them together"
    );
    assert_eq!(visible(&test, "dev"), Vec::<String>::new());
    // Another release of the other half is not the other half.
    let other = test.take(deployment("shop", "1.0.1", &[]));
    assert!(publish(&[shop.clone(), other]).is_err());
    let right = test.take(deployment("shop", "1.0", &[]));
    assert_eq!(publish(&[tool, shop, right]).unwrap().added.len(), 3);
}

#[test]
fn publication_of_a_package_that_was_not_received_is_refused() {
    let test = TestRepository::new();
    for file in ["shop-1.0-1.noarch.rpm", "../../signing.key", ""] {
        let error = test
            .repository
            .publish_received_packages_in_channel(&name("dev"), &[file.to_owned()], NOON)
            .unwrap_err();
        assert_eq!(error.to_string(), format!("{file} is not in the repository: upload it first"));
    }
}

/// The metadata files that the current `repomd.xml` of `dev` names.
fn named(test: &TestRepository) -> Vec<PathBuf> {
    let channel = test.channel("dev");
    let repomd = fs::read_to_string(channel.join("repodata/repomd.xml")).unwrap();
    let document = roxmltree::Document::parse(&repomd).unwrap();
    let hrefs = document.descendants().filter_map(|node| node.attribute("href"));
    hrefs.map(|href| channel.join(href)).collect()
}

#[test]
fn files_of_older_repomd_stay_for_an_hour_and_are_then_removed() {
    let test = TestRepository::new();
    let mut ages = Vec::new();
    let hour = 3600;
    for minor in 0..8 {
        let file = test.take(Rpm::new("tool", &format!("1.{minor}")));
        // Publications two hours apart: age alone keeps none of them.
        test.repository
            .publish_received_packages_in_channel(&name("dev"), &[file], NOON + minor * 2 * hour)
            .unwrap();
        ages.push(named(&test));
        assert_eq!(ages[ages.len() - 1].len(), 3);
    }
    // The one before the last was replaced this moment, the others hours ago.
    for (age, files) in ages.iter().rev().enumerate() {
        for file in files {
            assert_eq!(file.exists(), age < 2, "{age}: {}", file.display());
        }
    }
    // Within an hour all stay, however many there are.
    for second in 0..60 {
        let file = test.take(Rpm::new("tool", &format!("2.{second}")));
        test.repository
            .publish_received_packages_in_channel(&name("dev"), &[file], NOON + 16 * hour + second)
            .unwrap();
        ages.push(named(&test));
    }
    for files in ages.iter().rev().take(61) {
        assert!(files.iter().all(|file| file.exists()), "{}", files[0].display());
    }
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

/// The members of a channel, and which files they are.
fn members(test: &TestRepository, channel: &str) -> Vec<(PathBuf, u64)> {
    let folder = test.root().join("members").join(channel);
    let files = tree(&folder).into_iter().filter(|file| file.starts_with('m'));
    files
        .map(|file| folder.join(file))
        .map(|path| (path.clone(), fs::metadata(path).unwrap().ino()))
        .collect()
}

#[test]
fn publication_does_not_rewrite_members_of_other_packages() {
    let test = TestRepository::new();
    let files: Vec<String> = (0..260).map(|n| test.take(Rpm::new(&format!("tool{n:03}"), "1.0"))).collect();
    test.publish("dev", &files);
    let before = members(&test, "dev");
    assert_eq!(before.len(), 3, "260 packages make three members");
    let file = test.take(Rpm::new("late", "1.0"));
    test.publish("dev", &[file]);
    let after = members(&test, "dev");
    assert_eq!(after[..2], before[..2]);
    assert_eq!(after.len(), 3);
    assert_ne!(after[2], before[2]);
    assert_eq!(visible(&test, "dev").len(), 261);
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn publication_reads_no_earlier_packages() {
    let test = TestRepository::new();
    let before = test.take(Rpm::new("before", "1.0"));
    test.publish("dev", std::slice::from_ref(&before));
    // Whoever reads these stumbles.
    let indexed = test.root().join(format!("index/before/{before}.jsonl"));
    let right = fs::read(&indexed).unwrap();
    fs::write(&indexed, "nothing\n").unwrap();
    fs::write(test.root().join("pool/before").join(&before), "").unwrap();
    let after = test.take(Rpm::new("after", "1.0"));
    test.publish("dev", std::slice::from_ref(&after));
    fs::write(&indexed, right).unwrap();
    assert_eq!(visible(&test, "dev"), [after, before]);
}

#[test]
fn member_filled_in_pieces_is_recompressed_as_a_whole() {
    let test = TestRepository::new();
    let files: Vec<String> = (0..129).map(|n| test.take(Rpm::new(&format!("tool{n:03}"), "1.0"))).collect();
    for file in &files {
        test.publish("dev", std::slice::from_ref(file));
    }
    test.publish("prod", &files);
    let pieces = |channel: &str| -> Vec<Vec<u8>> {
        let read = members(&test, channel).into_iter().map(|(path, _)| fs::read(path).unwrap());
        // Behind the line that lists the packages.
        read.map(|bytes| bytes[bytes.iter().position(|byte| *byte == b'\n').unwrap()..].to_owned()).collect()
    };
    assert_eq!(pieces("dev").len(), 2);
    assert_eq!(pieces("dev"), pieces("prod"));
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn package_of_many_files_fills_a_member_alone() {
    let test = TestRepository::new();
    let folder = vec!["x".repeat(200); 8].join("/");
    let many = |name: &str| {
        (0..700).fold(Rpm::new(name, "1.0"), |rpm, n| rpm.file(&format!("/opt/{name}/{folder}/{n}"), b""))
    };
    for rpm in [many("one"), Rpm::new("tool", "1.0"), many("two"), Rpm::new("tool", "1.1")] {
        let file = test.take(rpm);
        test.publish("dev", &[file]);
    }
    // One alone, then a small one and the second large one, then what came after it.
    assert_eq!(members(&test, "dev").len(), 3);
    assert_eq!(visible(&test, "dev").len(), 4);
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn catalog_and_versions_come_from_the_index() {
    let test = TestRepository::new();
    for version in ["1.0", "1.10", "1.9"] {
        let files = test.component("shop", version, &[("base", ">=1")]);
        test.publish("dev", &files);
    }
    let tool = test.take(Rpm::new("tool", "1.0"));
    test.publish("dev", &[tool]);
    // A change of one channel leaves what is known of the others as it is.
    let before = test.repository.read_catalog().unwrap();
    let more = test.component("cart", "1.0", &[]);
    test.publish("dev", &more);
    let after = test.repository.read_catalog().unwrap();
    for (version, published) in &before.components[&name("shop")] {
        assert!(std::sync::Arc::ptr_eq(published, &after.components[&name("shop")][version]));
    }
    // The packages themselves are not needed to answer, only that they are there.
    for file in tree(&test.root().join("pool")) {
        fs::write(test.root().join("pool").join(file), "").unwrap();
    }
    let repository = Repository::open_repository_and_clean_incoming(&test.root()).unwrap();
    let versions = repository.list_component_versions(&name("shop")).unwrap();
    let texts: Vec<&str> = versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(texts, ["1.10-1", "1.9-1", "1.0-1"]);
    assert_eq!(versions[0].channels, ["dev"]);
    assert_eq!(versions[0].summary, "The component shop");
    let catalog = repository.read_catalog().unwrap();
    assert_eq!(catalog.component_versions_in_channel(&name("dev"), &name("shop")).len(), 3);
    assert_eq!(catalog.component_versions_in_channel(&name("prod"), &name("shop")).len(), 0);
    assert!(catalog.channels.contains_key(&name("prod")));
    assert!(!catalog.components.contains_key(&name("tool")));
    let published = catalog
        .newest_matching_version_in_channel(&name("dev"), &name("shop"), &[&"<1.10".parse().unwrap()])
        .unwrap();
    assert_eq!(published.payload.file, "shop-1.9-1.noarch.rpm");
    assert_eq!(published.deployment.name, "shop-deployment");
}
