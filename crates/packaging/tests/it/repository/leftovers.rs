//! What killed processes leave is no damage, and goes after a while.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::{TestRepository, name, tree, visible};
use crate::tools::{NOON, Rpm};

const HOUR: u32 = 3600;

/// The time of the file system now.
fn now(test: &TestRepository) -> u32 {
    let file = test.built().join("now");
    fs::write(&file, "").unwrap();
    u32::try_from(fs::metadata(file).unwrap().mtime()).unwrap()
}

/// Publishes in `dev` and takes back the last step, the switch to the new generation, and what comes after it: what a
/// publication leaves that was killed just before that step.
fn publish_and_kill(test: TestRepository, files: &[String]) -> TestRepository {
    let (current, members) = (test.channel("dev").join("current"), test.root().join("members/dev"));
    let shown = fs::read_link(&current).unwrap();
    let states: Vec<_> = tree(&members).into_iter().map(|file| members.join(file)).collect();
    let states: Vec<_> = states.iter().map(|file| (file, fs::read(file).unwrap())).collect();
    test.publish("dev", files);
    fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink(shown, current).unwrap();
    for (file, bytes) in states {
        fs::write(file, bytes).unwrap();
    }
    opened_again(test)
}

/// Another process: this one remembers what it did.
fn opened_again(test: TestRepository) -> TestRepository {
    let repository =
        packaging::repository::Repository::open_repository_and_clean_incoming(&test.root()).unwrap();
    TestRepository { repository, ..test }
}

fn check_is_clean(test: &TestRepository) {
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn leftovers_of_a_killed_publication_are_no_damage_and_are_removed_after_an_hour() {
    let test = TestRepository::new();
    let shop = test.component("shop", "1.0", &[]);
    test.publish("dev", &shop);
    let cart = test.component("cart", "1.0", &[]);
    let before = tree(&test.root());
    let test = publish_and_kill(test, &cart);
    check_is_clean(&test);
    let killed = tree(&test.root());
    assert!(killed.len() > before.len() + 5, "{killed:?}");
    let now = now(&test);
    test.repository.remove_leftovers_of_killed_processes(now + HOUR / 2).unwrap();
    assert!(test.channel("dev").join("packages/cart-1.0-1.noarch.rpm").exists(), "it is not old enough");
    let removed = test.repository.remove_leftovers_of_killed_processes(now + 2 * HOUR).unwrap();
    assert!(removed.contains(&"channels/dev/packages/cart-1.0-1.noarch.rpm".into()), "{removed:?}");
    assert_eq!(tree(&test.root()), before);
    assert_eq!(test.repository.remove_leftovers_of_killed_processes(now + 2 * HOUR).unwrap().len(), 0);
    check_is_clean(&test);
    test.publish("dev", &cart);
    assert_eq!(visible(&test, "dev").len(), 4);
}

#[test]
fn retention_removes_the_links_of_a_killed_publication_with_their_packages() {
    let test = TestRepository::new();
    let file = test.take(Rpm::new("tool", "1.0"));
    let test = publish_and_kill(test, std::slice::from_ref(&file));
    let tomorrow = now(&test) + 25 * HOUR;
    let removed = test
        .repository
        .remove_unneeded_versions_from_every_channel(&Default::default(), 1, tomorrow)
        .unwrap();
    assert_eq!(removed.files, std::slice::from_ref(&file));
    assert!(!test.channel("dev").join("packages").join(&file).exists());
    check_is_clean(&test);
}

#[test]
fn index_entry_of_a_killed_upload_is_no_damage_and_is_removed_after_an_hour() {
    let test = TestRepository::new();
    let before = tree(&test.root());
    let whole = test.take(Rpm::new("tool", "1.0"));
    let half = test.take(Rpm::new("tool", "2.0"));
    for file in [&whole, &half] {
        fs::remove_file(test.root().join("pool/tool").join(file)).unwrap();
    }
    fs::write(test.root().join(format!("index/tool/{half}.jsonl")), "{\"na").unwrap();
    check_is_clean(&test);
    let now = now(&test);
    assert_eq!(test.repository.remove_leftovers_of_killed_processes(now).unwrap().len(), 0);
    // The same upload again does not mind.
    test.take(Rpm::new("tool", "2.0"));
    test.repository.remove_leftovers_of_killed_processes(now + 2 * HOUR).unwrap();
    let kept = tree(&test.root()).into_iter().filter(|path| !before.contains(path)).collect::<Vec<_>>();
    assert_eq!(kept, [format!("index/tool/{half}.jsonl"), format!("pool/tool/{half}")]);
}

#[test]
fn channel_whose_creation_was_killed_is_no_damage_and_is_removed_after_an_hour() {
    let test = TestRepository::new();
    test.take(Rpm::new("tool", "1.0"));
    let before = tree(&test.root());
    test.repository.create_channel_if_absent(&name("next"), None, NOON).unwrap();
    fs::remove_file(test.channel("next").join("current")).unwrap();
    let test = opened_again(test);
    check_is_clean(&test);
    assert!(!test.repository.list_channels().unwrap().contains(&name("next")));
    let now = now(&test);
    assert_eq!(test.repository.remove_leftovers_of_killed_processes(now).unwrap().len(), 0);
    test.repository.remove_leftovers_of_killed_processes(now + 2 * HOUR).unwrap();
    assert_eq!(tree(&test.root()), before);
    assert!(test.repository.create_channel_if_absent(&name("next"), None, NOON).unwrap());
    check_is_clean(&test);
}

#[test]
fn upload_in_progress_is_kept_and_one_of_a_killed_process_is_removed() {
    let test = TestRepository::new();
    let mut upload = test.repository.begin_package_upload("tool-1.0-1.noarch.rpm", super::LIMIT).unwrap();
    upload.write_next_bytes(b"the first bytes").unwrap();
    fs::write(test.root().join("incoming/upload-dead"), "half").unwrap();
    let later = now(&test) + 24 * HOUR;
    let removed = test.repository.remove_leftovers_of_killed_processes(later).unwrap();
    assert_eq!(removed, [Path::new("incoming/upload-dead")]);
    assert_eq!(tree(&test.root().join("incoming")).len(), 1);
}

#[test]
fn lost_package_of_a_channel_stays_damage() {
    let test = TestRepository::new();
    let file = test.take(Rpm::new("tool", "1.0"));
    test.publish("dev", std::slice::from_ref(&file));
    fs::remove_file(test.root().join("pool/tool").join(&file)).unwrap();
    let later = now(&test) + 24 * HOUR;
    assert_eq!(test.repository.remove_leftovers_of_killed_processes(later).unwrap().len(), 0);
    assert!(!test.repository.check_repository().unwrap().is_empty());
}
