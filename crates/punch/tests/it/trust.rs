//! Whom a host believes: node files and packages that are unsigned, forged, older, or somebody else's.

use crate::skip::has_tool;
use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::SigningKey;
use model::format::node as format;

use crate::{
    components::packaged,
    test_folder::{CommandOutput, TestFolder},
};

/// A root that joined: it believes the back-office's key 1 and Alice's packages.
fn joined() -> (TestFolder, SigningKey) {
    let test = TestFolder::new();
    let key = SigningKey::from_bytes(&[1; 32]);
    test.write("root/etc/geppetto/trust/node.pub", &BASE64.encode(key.verifying_key().as_bytes()));
    test.write(
        "root/etc/geppetto/punch.yaml",
        "url: http://127.0.0.1:1\nserver: web-01\ncredential: \"c\"\n",
    );
    test.ok(&["key", "new", "--name", "Alice <a@x>", "--out", "alice.key"]);
    let public = test.ok(&["key", "public", "alice.key"]).stdout;
    test.write("root/etc/geppetto/trust/packages.asc", &public);
    fs::create_dir(test.path("dist")).unwrap();
    (test, key)
}

fn text(server: &str, generation: u64, greeting: &str) -> String {
    format!(
        "format: geppetto/node/1\nserver: {server}\nenvironment: prod\nchannel: prod\ngeneration: {generation}\n\
         components:\n  shop:\n    version: 1.0.0\n    values: {{greeting: {greeting}}}\n"
    )
}

fn apply(test: &TestFolder, node: &str, more: &[&str]) -> CommandOutput {
    test.write("node.yaml", node);
    test.punch(&[&["apply", "node.yaml", "--repository", "dist", "--root", "root"], more].concat())
}

#[test]
fn unsigned_node_file_is_refused_on_a_joined_host() {
    let (test, _) = joined();
    apply(&test, &text("web-01", 1, "a"), &[]).fails(1, &["node.yaml: it is not signed", "--allow-unsigned"]);
    assert!(!test.path("root/usr").exists());
}

#[test]
fn node_file_signed_by_another_key_is_refused() {
    let (test, _) = joined();
    let other = SigningKey::from_bytes(&[2; 32]);
    let forged = format::sign_node_yaml(&text("web-01", 1, "a"), &other);
    apply(&test, &forged, &[]).fails(1, &["it is signed by key", "this host only trusts key"]);
}

#[test]
fn node_file_changed_after_signing_is_refused() {
    let (test, key) = joined();
    let changed = format::sign_node_yaml(&text("web-01", 1, "a"), &key).replace("greeting: a", "greeting: b");
    apply(&test, &changed, &[]).fails(1, &["changed or cut off after signing"]);
}

#[test]
fn node_file_of_another_server_is_refused() {
    let (test, key) = joined();
    apply(&test, &format::sign_node_yaml(&text("web-02", 1, "a"), &key), &[])
        .fails(1, &["is for server web-02, but this host is web-01"]);
}

#[test]
fn older_generation_and_same_generation_with_other_content_are_refused() {
    if !has_tool("rpm") {
        return;
    }
    let (test, key) = joined();
    packaged(&test, "1.0.0", Some("alice.key"));
    let signed = |generation, greeting| format::sign_node_yaml(&text("web-01", generation, greeting), &key);
    let applied = apply(&test, &signed(7, "seven"), &[]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    apply(&test, &signed(6, "six"), &[]).fails(1, &["generation 6 is older than generation 7"]);
    apply(&test, &signed(7, "other"), &[]).fails(1, &["generation 7 has other content"]);
    assert!(test.read("root/etc/shop/shop.conf").contains("greeting=seven"));
    assert_eq!(apply(&test, &signed(7, "seven"), &[]).code, 0);
    assert_eq!(apply(&test, &signed(8, "eight"), &[]).code, 0);
    assert!(test.read("root/etc/shop/shop.conf").contains("greeting=eight"));
}

#[test]
fn package_without_trusted_signature_is_refused() {
    let (test, key) = joined();
    let node = format::sign_node_yaml(&text("web-01", 1, "a"), &key);
    packaged(&test, "1.0.0", None);
    apply(&test, &node, &[]).fails(3, &["shop-deployment-1.0.0-1.noarch.rpm is not signed"]);

    test.ok(&["key", "new", "--name", "Mallory <m@x>", "--out", "mallory.key"]);
    packaged(&test, "1.0.0", Some("mallory.key"));
    apply(&test, &node, &[]).fails(3, &["it is signed by key", "which is not trusted here"]);
    assert!(!test.path("root/usr").exists());
}

#[test]
fn package_changed_after_signing_is_refused() {
    let (test, key) = joined();
    packaged(&test, "1.0.0", Some("alice.key"));
    let path = test.path("dist/shop-deployment-1.0.0-1.noarch.rpm");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    apply(&test, &format::sign_node_yaml(&text("web-01", 1, "a"), &key), &[])
        .fails(3, &["shop-deployment-1.0.0-1.noarch.rpm", "does not match its header"]);
}

#[test]
fn allow_unsigned_accepts_unsigned_input_with_a_warning() {
    if !has_tool("rpm") {
        return;
    }
    let (test, _) = joined();
    packaged(&test, "1.0.0", None);
    let output = apply(&test, &text("web-01", 0, "a"), &["--allow-unsigned"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("warning: --allow-unsigned"), "{}", output.stderr);
}

#[test]
fn damaged_trusted_key_blocks_every_run() {
    let (test, key) = joined();
    test.write("root/etc/geppetto/trust/packages.asc", "rot");
    apply(&test, &format::sign_node_yaml(&text("web-01", 1, "a"), &key), &[])
        .fails(3, &["packages.asc cannot be used", "join again"]);
}

#[test]
fn unsigned_node_file_from_the_back_office_is_refused() {
    let (test, _) = joined();
    let node = text("web-01", 1, "a");
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{node}", node.len());
    let office = crate::canned::Canned::new(vec![answer]);
    test.write(
        "root/etc/geppetto/punch.yaml",
        &format!("url: {}\nserver: web-01\ncredential: \"c\"\n", office.url),
    );
    test.punch(&["restore", "--root", "root"])
        .fails(3, &["the node file of web-01 from", "it is not signed"]);
    let requests = office.requests();
    assert_eq!(requests.len(), 2, "nothing is asked of it, and it is told what was refused: {requests:?}");
    assert!(requests[1].starts_with("POST /api/v1/servers/web-01/reports"), "{}", requests[1]);
    assert!(requests[1].contains("it is not signed"), "{}", requests[1]);
    assert!(!test.path("root/usr").exists());
    let history = test.ok(&["history", "--root", "root", "--json"]).json();
    assert_eq!(history[0]["outcome"], "blocked");
}

#[test]
fn joined_host_with_a_missing_key_accepts_nothing() {
    for lost in ["node.pub", "packages.asc"] {
        let (test, key) = joined();
        fs::remove_file(test.path(&format!("root/etc/geppetto/trust/{lost}"))).unwrap();
        let node = format::sign_node_yaml(&text("web-01", 1, "a"), &key);
        apply(&test, &node, &[]).fails(3, &[lost, "it is missing", "join again"]);
        test.punch(&["restore", "--root", "root"]).fails(3, &[lost, "it is missing"]);
        assert!(!test.path("root/usr").exists());
    }
}

#[test]
fn node_file_without_trusted_signature_is_not_parsed() {
    let (test, _) = joined();
    apply(&test, "format: [", &[]).fails(1, &["it is not signed"]);
}

#[test]
fn generation_older_than_a_begun_one_is_refused_even_if_that_failed() {
    if !has_tool("rpm") {
        return;
    }
    let (test, key) = joined();
    packaged(&test, "1.0.0", Some("alice.key"));
    let signed = |generation, greeting| format::sign_node_yaml(&text("web-01", generation, greeting), &key);
    assert_eq!(apply(&test, &signed(7, "seven"), &[]).code, 0);
    // Nine fails half-way: there is no rpm.
    packaged(&test, "1.1.0", Some("alice.key"));
    let nine = format::sign_node_yaml(&text("web-01", 9, "nine").replace("1.0.0", "1.1.0"), &key);
    test.write("node.yaml", &nine);
    fs::create_dir(test.path("nothing")).unwrap();
    let arguments = ["apply", "node.yaml", "--repository", "dist", "--root", "root"];
    crate::test_folder::run(test.command(&arguments).env("PATH", test.path("nothing"))).fails(5, &["rpm"]);
    apply(&test, &signed(8, "eight"), &[]).fails(1, &["generation 8 is older than generation 9"]);
    // A file written by hand has no number, and leaves no mark.
    assert_eq!(apply(&test, &format::sign_node_yaml(&text("web-01", 0, "hand"), &key), &[]).code, 0);
    apply(&test, &signed(3, "three"), &[]).fails(1, &["generation 3 is older than generation 9"]);
    assert_eq!(apply(&test, &nine, &[]).code, 0);
}

#[test]
fn server_error_and_invalid_response_count_as_unreachable() {
    let (test, _) = joined();
    let page = "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\nConnection: close\r\n\r\noops!";
    for answer in [page.to_owned(), "SSH-2.0-OpenSSH_9.6\r\n".to_owned()] {
        let office = crate::canned::Canned::new(vec![answer]);
        test.write(
            "root/etc/geppetto/punch.yaml",
            &format!("url: {}\nserver: web-01\ncredential: \"c\"\n", office.url),
        );
        test.punch(&["restore", "--root", "root"]).fails(6, &["this host has no last good generation yet"]);
    }
}

#[test]
fn symlinked_key_and_state_paths_stay_inside_the_root() {
    let (test, key) = joined();
    fs::create_dir_all(test.path("outside/trust")).unwrap();
    fs::create_dir_all(test.path("root/var")).unwrap();
    std::os::unix::fs::symlink(test.path("outside"), test.path("root/var/lib")).unwrap();
    fs::remove_dir_all(test.path("root/etc/geppetto")).unwrap();
    std::os::unix::fs::symlink(test.path("outside"), test.path("root/etc/geppetto")).unwrap();
    // Below the root the link to the state leads here.
    let inside = format!("root{}", test.path("outside").display());
    fs::create_dir_all(test.path(&inside)).unwrap();
    // Somebody else's key lies outside.
    test.write("outside/trust/node.pub", &BASE64.encode(key.verifying_key().as_bytes()));
    let node = "format: geppetto/node/1\ncomponents: {}\n";
    assert_eq!(apply(&test, node, &[]).code, 0, "the key outside is not the root's");
    let names: Vec<_> =
        fs::read_dir(test.path("outside")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["trust"], "nothing was written outside");
    assert!(test.path(&inside).join("geppetto/punch/history").is_dir());
}
