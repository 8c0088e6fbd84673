//! Many publishers at once, in threads and in processes: none is lost.

use std::{collections::BTreeSet, env, process::Command, thread};

use packaging::repository::Repository;

use super::{TestRepository, name, visible};
use crate::tools::{NOON, Rpm};

const PUBLISH: &str = "GEPPETTO_TEST_PUBLISH";

#[test]
fn threads_publishing_at_once_lose_nothing() {
    let test = TestRepository::new();
    let files: Vec<String> = (0..24).map(|n| test.take(Rpm::new(&format!("tool{n}"), "1.0"))).collect();
    thread::scope(|scope| {
        for chunk in files.chunks(4) {
            let repository = &test.repository;
            scope.spawn(move || {
                // Each thread with its own view of the folder, as another process would have.
                let own = Repository::open_repository_and_clean_incoming(&ground_root(repository)).unwrap();
                for (n, file) in chunk.iter().enumerate() {
                    let repository = if n % 2 == 0 { repository } else { &own };
                    repository
                        .publish_received_packages_in_channel(&name("dev"), std::slice::from_ref(file), NOON)
                        .unwrap();
                    repository.read_catalog().unwrap();
                }
            });
        }
    });
    let mut expected = files.clone();
    expected.sort();
    assert_eq!(visible(&test, "dev"), expected);
    assert_eq!(test.repository.sum_of_channel_generations().unwrap(), 2 + 24);
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

fn ground_root(repository: &Repository) -> std::path::PathBuf {
    repository.served_channels_folder().parent().unwrap().to_owned()
}

#[test]
fn processes_publishing_at_once_lose_nothing() {
    // This test starts itself: with the variable set it is one of the publishers.
    if let Some(order) = env::var_os(PUBLISH) {
        let order = order.into_string().unwrap();
        let (root, files) = order.split_once('|').unwrap();
        let repository = Repository::open_repository_and_clean_incoming(root.as_ref()).unwrap();
        for file in files.split(',') {
            repository.publish_received_packages_in_channel(&name("dev"), &[file.to_owned()], NOON).unwrap();
        }
        return;
    }
    let test = TestRepository::new();
    let files: Vec<String> = (0..16).map(|n| test.take(Rpm::new(&format!("tool{n}"), "1.0"))).collect();
    let publishers: Vec<_> = files
        .chunks(4)
        .map(|chunk| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "repository::concurrent::processes_publishing_at_once_lose_nothing"])
                .env(PUBLISH, format!("{}|{}", test.root().display(), chunk.join(",")))
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut publisher in publishers {
        assert!(publisher.wait().unwrap().success());
    }
    let mut expected = files.clone();
    expected.sort();
    assert_eq!(visible(&test, "dev"), expected);
    assert_eq!(test.repository.sum_of_channel_generations().unwrap(), 2 + 16);
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn check_during_publications_and_retentions_finds_nothing() {
    let test = TestRepository::new();
    let mut checks = 0;
    thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            for n in 0..60 {
                let file = test.take(Rpm::new("tool", &format!("1.{n}")));
                test.repository
                    .publish_received_packages_in_channel(&name("dev"), &[file], NOON + n * 4000)
                    .unwrap();
                if n % 10 == 9 {
                    test.repository
                        .remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 2, NOON + n * 4000)
                        .unwrap();
                }
            }
        });
        while !publisher.is_finished() {
            assert_eq!(test.repository.check_repository().unwrap(), []);
            checks += 1;
        }
    });
    assert!(checks > 1, "{checks}");
}

#[test]
fn package_received_concurrently_is_stored_once() {
    let test = TestRepository::new();
    let path = Rpm::new("tool", "1.0").build(&test.built(), Some(&test.packager));
    let received: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| test.receive(&path).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(received.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(super::tree(&test.root().join("pool")), ["tool/tool-1.0-1.noarch.rpm"]);
    assert_eq!(super::tree(&test.root().join("incoming")), Vec::<String>::new());
}
