//! Old versions go, and what somebody needs stays.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, SystemTime},
};

use packaging::repository::RepositoryError;

use super::{TestRepository, name, tree, visible};
use crate::tools::{NOON, Rpm};

#[test]
fn retention_keeps_the_newest_the_named_and_what_they_require() {
    let test = TestRepository::new();
    for (component, version, requires) in [
        ("base", "1.0", &[][..]),
        ("base", "1.1", &[]),
        ("base", "2.0", &[]),
        ("base", "3.0", &[]),
        ("shop", "1.0", &[]),
        ("shop", "2.0", &[]),
        ("shop", "3.0", &[("base", "<2")]),
    ] {
        let files = test.component(component, version, requires);
        test.publish("dev", &files);
    }
    for version in ["1.0", "1.1"] {
        let file = test.take(Rpm::new("tool", version));
        test.publish("dev", &[file]);
    }
    let keep = BTreeSet::from([(name("shop"), "1.0-1".parse().unwrap())]);
    let previewed = test
        .repository
        .preview_removal_of_unneeded_versions(|_| Ok::<_, RepositoryError>(keep.clone()), 1, NOON)
        .unwrap();
    let removed = test.repository.remove_unneeded_versions_from_every_channel(&keep, 1, NOON).unwrap();
    assert_eq!(previewed, removed, "the preview names what the removal removes");
    let gone = [
        "base-1.0-1.noarch.rpm",
        "base-2.0-1.noarch.rpm",
        "base-deployment-1.0-1.noarch.rpm",
        "base-deployment-2.0-1.noarch.rpm",
        "shop-2.0-1.noarch.rpm",
        "shop-deployment-2.0-1.noarch.rpm",
        "tool-1.0-1.noarch.rpm",
    ];
    assert_eq!(removed.channels[&name("dev")], gone);
    let mut files = removed.files.clone();
    files.sort();
    assert_eq!(files, gone);
    assert!(removed.bytes > 7 * 4096, "{}", removed.bytes);
    let shown = visible(&test, "dev");
    assert_eq!(shown.len(), 9);
    assert!(shown.iter().all(|file| !gone.contains(&file.as_str())));
    // base 1.1 is old and in no node file, but shop 3.0 requires it.
    assert!(shown.contains(&"base-1.1-1.noarch.rpm".to_owned()));
    assert_eq!(tree(&test.root().join("pool")).len(), 9);
    assert_eq!(test.repository.check_repository().unwrap(), []);
    let again = test.repository.remove_unneeded_versions_from_every_channel(&keep, 1, NOON).unwrap();
    assert_eq!((again.channels.len(), again.files.len(), again.bytes), (0, 0, 0));
}

#[test]
fn reader_of_older_metadata_finds_its_packages_for_an_hour() {
    let test = TestRepository::new();
    let [one, two, three] = ["1.0", "2.0", "3.0"].map(|version| test.take(Rpm::new("tool", version)));
    test.publish("dev", &[one.clone(), two.clone()]);
    test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 1, NOON).unwrap();
    assert_eq!(visible(&test, "dev"), std::slice::from_ref(&two));
    let links = || tree(&test.channel("dev").join("packages"));
    assert_eq!(links(), [one.clone(), two.clone()]);
    assert_eq!(test.repository.check_repository().unwrap(), []);
    // Other changes meanwhile do not forget it; that it is away is known when it is.
    test.repository
        .publish_received_packages_in_channel(&name("dev"), std::slice::from_ref(&three), NOON + 3599)
        .unwrap();
    assert_eq!(links(), [one.clone(), two.clone(), three.clone()]);
    test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 9, NOON + 3600).unwrap();
    assert_eq!(links(), [two.clone(), three]);
    assert_eq!(test.repository.check_repository().unwrap(), []);
    // What comes back stays.
    test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 1, NOON + 3600).unwrap();
    test.take(Rpm::new("tool", "2.0"));
    test.repository
        .publish_received_packages_in_channel(&name("dev"), std::slice::from_ref(&two), NOON + 3601)
        .unwrap();
    test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 9, NOON + 9999).unwrap();
    assert!(links().contains(&two));
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn package_uploaded_again_restarts_its_retention_time() {
    let test = TestRepository::new();
    let rpm = Rpm::new("tool", "1.0").build(&test.built(), Some(&test.packager));
    let file = test.receive(&rpm).unwrap().file;
    let fresh = fs::metadata(&rpm).unwrap().modified().unwrap();
    let days = Duration::from_secs(3 * 86_400);
    let now = (fresh.duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(60)).as_secs();
    let now = u32::try_from(now).unwrap();
    let grow_old = || {
        for path in [format!("pool/tool/{file}"), format!("index/tool/{file}.jsonl")] {
            fs::File::open(test.root().join(path)).unwrap().set_modified(fresh - days).unwrap();
        }
    };
    grow_old();
    test.receive(&rpm).unwrap();
    assert_eq!(
        test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 1, now).unwrap().files,
        Vec::<String>::new()
    );
    grow_old();
    assert_eq!(
        test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 1, now).unwrap().files,
        [file]
    );
}

#[test]
fn retention_leaves_other_channels_and_fresh_uploads_alone() {
    let test = TestRepository::new();
    let old = test.component("shop", "1.0", &[]);
    let new = test.component("shop", "2.0", &[]);
    test.publish("prod", &old);
    test.publish("dev", &[old.clone(), new].concat());
    let waiting = test.take(Rpm::new("waiting", "1.0"));
    let removed =
        test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 1, NOON).unwrap();
    assert_eq!(removed.channels[&name("dev")], old);
    assert_eq!(removed.files, Vec::<String>::new(), "prod still shows it");
    assert_eq!(visible(&test, "prod"), old);
    assert_eq!(test.publish("dev", std::slice::from_ref(&waiting)).added, [waiting]);
    // A day later an upload that nobody published goes too.
    let forgotten = test.take(Rpm::new("forgotten", "1.0"));
    let removed =
        test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 1, u32::MAX).unwrap();
    assert_eq!(removed.files, [forgotten]);
}
