//! Previews say what the catalog becomes, or why not, and change nothing.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use model::{catalog::ComponentCatalog, name::Name, version::Version};
use packaging::repository::{Repository, RepositoryError};

use super::{TestRepository, deployment, name, payload, tree};
use crate::tools::{NOON, Rpm};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn allowed<T>(_: &T) -> Result<(), RepositoryError> {
    Ok(())
}

/// Every file of the repository, with what changes when it is written.
fn state(test: &TestRepository) -> Vec<(PathBuf, u64, i64, i64)> {
    let files = tree(&test.root()).into_iter().map(|file| test.root().join(file));
    files
        .map(|path| {
            let metadata = fs::symlink_metadata(&path).unwrap();
            (path, metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        })
        .collect()
}

/// The catalog as a process that just opened the repository reads it.
fn read_afresh(test: &TestRepository) -> ComponentCatalog {
    (*Repository::open_repository_and_clean_incoming(&test.root()).unwrap().read_catalog().unwrap()).clone()
}

/// `base` 1.0 in both channels; `base` 2.0, and `lib` and `shop`, which require it, and `cart` in dev only.
fn with_two_channels() -> TestRepository {
    let test = TestRepository::new();
    for (component, version, requires, channels) in [
        ("base", "1.0", &[][..], &["dev", "prod"][..]),
        ("base", "2.0", &[], &["dev"]),
        ("lib", "1.0", &[("base", ">=2")], &["dev"]),
        ("shop", "1.0", &[("lib", "*")], &["dev"]),
        ("shop", "2.0", &[("lib", "*"), ("base", "*")], &["dev"]),
        ("cart", "1.0", &[("base", "<2")], &["dev"]),
    ] {
        let files = test.component(component, version, requires);
        channels.iter().for_each(|channel| _ = test.publish(channel, &files));
    }
    test
}

#[test]
fn preview_of_a_publication_equals_the_catalog_after_it() {
    let test = with_two_channels();
    let mut files = test.component("shop", "1.5", &[("base", "*")]);
    files.extend(test.component("new", "1.0", &[]));
    files.push(test.take(Rpm::new("tool", "1.0")));
    let before = test.repository.read_catalog().unwrap();
    for channel in ["dev", "prod"] {
        let preview = test.repository.catalog_after_publication(&name(channel), &files).unwrap();
        test.publish(channel, &files);
        assert_eq!(*preview, *test.repository.read_catalog().unwrap());
        assert_eq!(*preview, read_afresh(&test));
        assert_ne!(*preview, *before);
    }
    // What is visible already changes nothing.
    let preview = test.repository.catalog_after_publication(&name("dev"), &files).unwrap();
    assert!(Arc::ptr_eq(&preview, &test.repository.read_catalog().unwrap()));
}

#[test]
fn preview_of_a_promotion_equals_the_catalog_after_it_and_names_what_is_taken_along() {
    for (component, wanted, taken_along) in [
        ("shop", "2.0", vec![("base", "2.0-1"), ("lib", "1.0-1")]),
        // The base it needs is there already.
        ("cart", "1.0-1", vec![]),
    ] {
        let test = with_two_channels();
        let (component, wanted, dev, prod) = (name(component), version(wanted), name("dev"), name("prod"));
        let (preview, along) =
            test.repository.catalog_after_promotion(&component, &wanted, &dev, &prod).unwrap();
        let taken_along: Vec<(Name, Version)> =
            taken_along.into_iter().map(|(component, text)| (name(component), version(text))).collect();
        assert_eq!(along, taken_along);
        let promote = || {
            test.repository
                .promote_version_with_required_components(&component, &wanted, &dev, &prod, allowed, NOON)
        };
        assert_eq!(promote().unwrap().added.len(), 2 + 2 * along.len());
        assert_eq!(*preview, *test.repository.read_catalog().unwrap());
        assert_eq!(*preview, read_afresh(&test));
        let (preview, along) =
            test.repository.catalog_after_promotion(&component, &wanted, &dev, &prod).unwrap();
        assert!(along.is_empty() && Arc::ptr_eq(&preview, &test.repository.read_catalog().unwrap()));
    }
}

#[test]
fn preview_of_a_withdrawal_equals_the_catalog_after_it() {
    let test = with_two_channels();
    for (component, wanted, channel) in [
        // It stays in the other channel; others of it stay; it leaves the catalog; the channel is empty.
        ("cart", "1.0", "dev"),
        ("base", "1.0-1", "dev"),
        ("shop", "2.0", "dev"),
        ("shop", "1.0", "dev"),
        ("base", "1.0", "prod"),
    ] {
        let (component, wanted, channel) = (name(component), version(wanted), name(channel));
        let preview = test.repository.catalog_after_withdrawal(&component, &wanted, &channel).unwrap();
        let mut seen = None;
        let see = |catalog: &ComponentCatalog| {
            seen = Some(catalog.clone());
            Ok::<(), RepositoryError>(())
        };
        test.repository.withdraw_version(&component, &wanted, &channel, see, NOON).unwrap();
        assert_eq!(seen.as_ref(), Some(&*preview), "what `allow` is shown");
        assert_eq!(*preview, *test.repository.read_catalog().unwrap());
        assert_eq!(*preview, read_afresh(&test));
    }
}

#[test]
fn preview_of_packages_of_several_architectures_equals_the_catalog_after_it() {
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    test.publish("prod", &files);
    test.publish("dev", &files);
    let more = test.take(payload("shop", "1.0").arch("x86_64"));
    let files = std::slice::from_ref(&more);
    let preview = test.repository.catalog_after_publication(&name("dev"), files).unwrap();
    test.publish("dev", files);
    assert_eq!(*preview, read_afresh(&test));
    let (shop, wanted, dev) = (name("shop"), version("1.0"), name("dev"));
    let preview = test.repository.catalog_after_withdrawal(&shop, &wanted, &dev).unwrap();
    let withdrawn = test.repository.withdraw_version(&shop, &wanted, &dev, allowed, NOON).unwrap();
    assert_eq!(withdrawn.files.len(), 3);
    assert_eq!(*preview, read_afresh(&test));
}

#[test]
fn preview_fails_exactly_as_the_operation() {
    let test = with_two_channels();
    let half = test.take(payload("half", "1.0"));
    let other = test.take(deployment("other", "1.0", &[]));
    for (channel, file) in
        [("dev", half.as_str()), ("dev", &other), ("dev", "no-1.0-1.noarch.rpm"), ("devv", &half)]
    {
        let (channel, files) = (name(channel), [file.to_owned()]);
        assert_eq!(
            test.repository.catalog_after_publication(&channel, &files).unwrap_err().to_string(),
            test.repository
                .publish_received_packages_in_channel(&channel, &files, NOON)
                .unwrap_err()
                .to_string()
        );
    }
    let lacking = test.component("lacking", "1.0", &[("gone", "*")]);
    test.publish("dev", &lacking);
    for (component, wanted, from, to) in [
        ("shop", "2.0", "prod", "dev"),
        ("shop", "2.0", "dev", "dev"),
        ("shop", "2.0", "dev", "prodd"),
        ("shop", "2.0", "devv", "prod"),
        ("shop", "9", "dev", "prod"),
        ("lacking", "1.0", "dev", "prod"),
    ] {
        let (component, wanted, from, to) = (name(component), version(wanted), name(from), name(to));
        assert_eq!(
            test.repository.catalog_after_promotion(&component, &wanted, &from, &to).unwrap_err().to_string(),
            test.repository
                .promote_version_with_required_components(&component, &wanted, &from, &to, allowed, NOON)
                .unwrap_err()
                .to_string()
        );
    }
    for (component, wanted, channel) in
        [("base", "2.0", "dev"), ("shop", "1.0", "prod"), ("shop", "9", "dev"), ("shop", "1.0", "devv")]
    {
        let (component, wanted, channel) = (name(component), version(wanted), name(channel));
        assert_eq!(
            test.repository.catalog_after_withdrawal(&component, &wanted, &channel).unwrap_err().to_string(),
            test.repository
                .withdraw_version(&component, &wanted, &channel, allowed, NOON)
                .unwrap_err()
                .to_string()
        );
    }
}

#[test]
fn preview_changes_no_file_and_does_not_wait_for_writers() {
    let test = with_two_channels();
    let files = test.component("shop", "3.0", &[]);
    let (catalog, before) = (test.repository.read_catalog().unwrap(), state(&test));
    // A writer at work; whoever waits for it waits for ever.
    let lock = fs::File::options().write(true).open(test.root().join("lock")).unwrap();
    lock.lock().unwrap();
    let (done, answer) = mpsc::channel();
    let (shop, dev, prod) = (name("shop"), name("dev"), name("prod"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let repository = &test.repository;
            repository.catalog_after_publication(&dev, &files).unwrap();
            repository.catalog_after_promotion(&shop, &version("2.0"), &dev, &prod).unwrap();
            repository.catalog_after_withdrawal(&shop, &version("2.0"), &dev).unwrap();
            done.send(()).unwrap();
        });
        let answered = answer.recv_timeout(Duration::from_secs(20));
        lock.unlock().unwrap();
        answered.unwrap();
    });
    assert_eq!(state(&test), before);
    assert!(Arc::ptr_eq(&catalog, &test.repository.read_catalog().unwrap()));
}

#[test]
fn preview_reads_no_packages_that_are_visible_already() {
    let test = with_two_channels();
    let files = test.component("shop", "3.0", &[]);
    let catalog = test.repository.read_catalog().unwrap();
    // Whoever reads these stumbles.
    for folder in ["base", "base-deployment", "lib", "lib-deployment", "cart", "cart-deployment"] {
        for file in tree(&test.root().join("index").join(folder)) {
            fs::write(test.root().join("index").join(folder).join(file), "nothing\n").unwrap();
        }
    }
    let preview = test.repository.catalog_after_publication(&name("dev"), &files).unwrap();
    test.repository.catalog_after_withdrawal(&name("cart"), &version("1.0"), &name("dev")).unwrap();
    let old = |catalog: &ComponentCatalog| Arc::clone(&catalog.components[&name("shop")][&version("2.0-1")]);
    assert!(Arc::ptr_eq(&old(&preview), &old(&catalog)));
}
