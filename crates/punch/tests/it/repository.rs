//! Packages out of a YUM repository, signed as ours is.

use crate::skip::has_tool;
use std::{fs, path::Path};

use packaging::{openpgp::SecretKey, repository::Repository};

use crate::{
    components::{node, packaged},
    test_folder::{CommandOutput, TestFolder},
};

const NOON: u32 = 1_700_000_000;

/// A repository in `repo` whose channel `dev` holds shop 1.0.0, and a root that trusts its keys.
fn published() -> TestFolder {
    let test = TestFolder::new();
    test.ok(&["key", "new", "--name", "Alice <a@x>", "--out", "alice.key"]);
    packaged(&test, "1.0.0", Some("alice.key"));
    let repository = Repository::create_repository(
        &test.path("repo"),
        SecretKey::generate_secret_key("R <r@x>", NOON).unwrap(),
    )
    .unwrap();
    repository.trust_keys(&test.ok(&["key", "public", "alice.key"]).stdout).unwrap();
    let files = ["shop-1.0.0-1.noarch.rpm", "shop-deployment-1.0.0-1.noarch.rpm"].map(str::to_owned);
    for file in &files {
        let bytes = fs::File::open(test.path("dist").join(file)).unwrap();
        repository.receive_package(bytes, file, 1 << 30).unwrap();
    }
    repository.create_channel_if_absent(&"dev".parse().unwrap(), None, NOON).unwrap();
    repository.publish_received_packages_in_channel(&"dev".parse().unwrap(), &files, NOON).unwrap();
    test.write(
        "root/etc/geppetto/trust/packages.asc",
        &repository.read_armored_trusted_and_withdrawn_keys().unwrap(),
    );
    let channel = repository.served_channels_folder().join("dev");
    std::os::unix::fs::symlink(channel, test.path("channel")).unwrap();
    node(&test, "node.yaml", "1.0.0", "hello");
    test
}

fn apply(test: &TestFolder) -> CommandOutput {
    test.punch(&["apply", "node.yaml", "--repository", "channel", "--root", "root"])
}

/// A copy of the channel that may be spoilt.
fn spoil(test: &TestFolder, spoil: impl Fn(&Path)) {
    let from = fs::canonicalize(test.path("channel")).unwrap();
    fs::remove_file(test.path("channel")).unwrap();
    copy(&from, &test.path("channel"));
    spoil(&test.path("channel"));
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

#[test]
fn packages_are_found_through_repository_metadata() {
    if !has_tool("rpm") {
        return;
    }
    let test = published();
    let output = apply(&test);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(test.path("root/usr/bin/shop").exists());
    node(&test, "node.yaml", "9.0.0", "hello");
    apply(&test).fails(1, &["no shop-deployment 9.0.0 in channel: it has shop-deployment 1.0.0-1"]);
}

#[test]
fn metadata_changed_after_signing_is_refused() {
    let test = published();
    spoil(&test, |channel| {
        let path = channel.join("repodata/repomd.xml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n")).unwrap();
    });
    apply(&test).fails(3, &["the metadata of channel is refused", "changed after signing"]);
}

#[test]
fn publication_between_repomd_and_its_signature_is_retried() {
    let test = published();
    let read = |file: &str| fs::read_to_string(test.path("channel/repodata").join(file)).unwrap();
    let text = |body: &str| crate::canned::json("200 OK", body);
    let (old, old_signature) = (read("repomd.xml"), read("repomd.xml.asc"));
    let repository = Repository::open_repository_and_clean_incoming(&test.path("repo")).unwrap();
    repository.rewrite_channel_metadata_and_links(&"dev".parse().unwrap(), NOON + 1).unwrap();
    let (new, new_signature) = (read("repomd.xml"), read("repomd.xml.asc"));
    let no_mirrorlist = crate::canned::problem(404, "nothing here");
    let answers = [&old, &new_signature, &old, &new_signature, &new, &new_signature].map(|body| text(body));
    let gone = crate::canned::problem(404, "nothing here");
    let canned = crate::canned::Canned::new(
        [no_mirrorlist.clone()].into_iter().chain(answers).chain([gone]).collect(),
    );
    let output = test.punch(&["apply", "node.yaml", "--repository", &canned.url, "--root", "root"]);
    // The third pair was accepted; the file that it names was asked for next.
    let primary = new.split("repodata/").find(|rest| rest.contains("-primary.xml.gz")).unwrap();
    output.fails(3, &[&format!("has no repodata/{}", primary.split('"').next().unwrap())]);
    // Where they never belong together, one of them was changed.
    let pairs = [[&old, &new_signature]; 4].concat().into_iter().map(|body| text(body));
    let canned = crate::canned::Canned::new([no_mirrorlist].into_iter().chain(pairs).collect());
    let output = test.punch(&["apply", "node.yaml", "--repository", &canned.url, "--root", "root"]);
    output.fails(3, &["is refused", "changed after signing"]);
    assert_eq!(canned.requests().len(), 1 + 8);
    assert_ne!(old_signature, new_signature);
}

#[test]
fn metadata_is_read_in_the_generation_that_the_mirrorlist_names() {
    let test = published();
    let read = |file: &str| fs::read_to_string(test.path("channel/repodata").join(file)).unwrap();
    let answers = [read("repomd.xml") + " ", read("repomd.xml.asc")];
    let generation =
        crate::canned::Canned::new(answers.map(|body| crate::canned::json("200 OK", &body)).into());
    let list = format!("{}/generations/7/\n", generation.url);
    let canned = crate::canned::Canned::new(vec![crate::canned::json("200 OK", &list)]);
    let output = test.punch(&["apply", "node.yaml", "--repository", &canned.url, "--root", "root"]);
    // Nothing in a generation changes, so one signature that does not fit is final.
    output.fails(3, &["is refused", "changed after signing"]);
    assert_eq!(canned.requests().len(), 1);
    let requests = generation.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].starts_with("GET /generations/7/repodata/repomd.xml "), "{requests:?}");
}

#[test]
fn unsigned_metadata_is_refused() {
    let test = published();
    spoil(&test, |channel| fs::remove_file(channel.join("repodata/repomd.xml.asc")).unwrap());
    apply(&test).fails(3, &["the metadata of channel is not signed"]);
}

#[test]
fn package_list_with_wrong_checksum_is_refused() {
    let test = published();
    spoil(&test, |channel| {
        for entry in fs::read_dir(channel.join("repodata")).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains("primary") {
                let mut bytes = fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&path, bytes).unwrap();
            }
        }
    });
    apply(&test).fails(3, &["other bytes than announced"]);
}

#[test]
fn package_with_wrong_checksum_is_refused_and_not_cached() {
    let test = published();
    spoil(&test, |channel| {
        for entry in fs::read_dir(channel.join("packages")).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let last = bytes.len() - 20;
            bytes[last] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    });
    apply(&test).fails(3, &["shop-deployment-1.0.0-1.noarch.rpm", "other bytes than announced"]);
    let kept = fs::read_dir(test.path("root/var/lib/geppetto/punch/cache")).unwrap().flatten();
    let rpms = kept.flat_map(|entry| fs::read_dir(entry.path()).unwrap().flatten());
    assert!(rpms.into_iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(".rpm")));
}

#[test]
fn unreachable_repository_exits_6_and_missing_metadata_is_named() {
    let test = published();
    let down = |url: &str| test.punch(&["apply", "node.yaml", "--repository", url, "--root", "root"]);
    down("http://127.0.0.1:1/repository/dev")
        .fails(6, &["the repository http://127.0.0.1:1/repository/dev could not be reached"]);
    let missing = crate::canned::problem(404, "nothing here");
    let canned = crate::canned::Canned::new(vec![missing]);
    down(&canned.url).fails(1, &["is not a YUM repository: it has no repodata/repomd.xml"]);
}
