//! Whom a host believes: node files and packages that are unsigned, forged, older, or somebody else's.

use crate::skip::has_tool;
use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::SigningKey;
use model::format::node as format;

use crate::{
    components::packaged,
    world::{Ran, World},
};

/// A root that joined: it believes the back-office's key 1 and Alice's packages.
fn joined() -> (World, SigningKey) {
    let world = World::new();
    let key = SigningKey::from_bytes(&[1; 32]);
    world.write("root/etc/geppetto/trust/node.pub", &BASE64.encode(key.verifying_key().as_bytes()));
    world.write(
        "root/etc/geppetto/punch.yaml",
        "url: http://127.0.0.1:1\nserver: web-01\ncredential: \"c\"\n",
    );
    world.ok(&["key", "new", "--name", "Alice <a@x>", "--out", "alice.key"]);
    let public = world.ok(&["key", "public", "alice.key"]).stdout;
    world.write("root/etc/geppetto/trust/packages.asc", &public);
    fs::create_dir(world.path("dist")).unwrap();
    (world, key)
}

fn text(server: &str, generation: u64, greeting: &str) -> String {
    format!(
        "format: geppetto/node/1\nserver: {server}\nenvironment: prod\nchannel: prod\ngeneration: {generation}\n\
         components:\n  shop:\n    version: 1.0.0\n    values: {{greeting: {greeting}}}\n"
    )
}

fn apply(world: &World, node: &str, more: &[&str]) -> Ran {
    world.write("node.yaml", node);
    world.punch(&[&["apply", "node.yaml", "--repository", "dist", "--root", "root"], more].concat())
}

#[test]
fn unsigned_node_file_is_refused_on_a_joined_host() {
    let (world, _) = joined();
    apply(&world, &text("web-01", 1, "a"), &[])
        .fails(1, &["node.yaml: it is not signed", "--allow-unsigned"]);
    assert!(!world.path("root/usr").exists());
}

#[test]
fn node_file_signed_by_another_key_is_refused() {
    let (world, _) = joined();
    let other = SigningKey::from_bytes(&[2; 32]);
    let forged = format::sign(&text("web-01", 1, "a"), &other);
    apply(&world, &forged, &[]).fails(1, &["it is signed by key", "this host only trusts key"]);
}

#[test]
fn node_file_changed_after_signing_is_refused() {
    let (world, key) = joined();
    let changed = format::sign(&text("web-01", 1, "a"), &key).replace("greeting: a", "greeting: b");
    apply(&world, &changed, &[]).fails(1, &["changed or cut off after signing"]);
}

#[test]
fn node_file_of_another_server_is_refused() {
    let (world, key) = joined();
    apply(&world, &format::sign(&text("web-02", 1, "a"), &key), &[])
        .fails(1, &["is for server web-02, but this host is web-01"]);
}

#[test]
fn older_generation_and_same_generation_with_other_content_are_refused() {
    if !has_tool("rpm") {
        return;
    }
    let (world, key) = joined();
    packaged(&world, "1.0.0", Some("alice.key"));
    let signed = |generation, greeting| format::sign(&text("web-01", generation, greeting), &key);
    let applied = apply(&world, &signed(7, "seven"), &[]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    apply(&world, &signed(6, "six"), &[]).fails(1, &["generation 6 is older than generation 7"]);
    apply(&world, &signed(7, "other"), &[]).fails(1, &["generation 7 has other content"]);
    assert!(world.read("root/etc/shop/shop.conf").contains("greeting=seven"));
    assert_eq!(apply(&world, &signed(7, "seven"), &[]).code, 0);
    assert_eq!(apply(&world, &signed(8, "eight"), &[]).code, 0);
    assert!(world.read("root/etc/shop/shop.conf").contains("greeting=eight"));
}

#[test]
fn package_without_trusted_signature_is_refused() {
    let (world, key) = joined();
    let node = format::sign(&text("web-01", 1, "a"), &key);
    packaged(&world, "1.0.0", None);
    apply(&world, &node, &[]).fails(3, &["shop-deployment-1.0.0-1.noarch.rpm is not signed"]);

    world.ok(&["key", "new", "--name", "Mallory <m@x>", "--out", "mallory.key"]);
    packaged(&world, "1.0.0", Some("mallory.key"));
    apply(&world, &node, &[]).fails(3, &["it is signed by key", "which is not trusted here"]);
    assert!(!world.path("root/usr").exists());
}

#[test]
fn package_changed_after_signing_is_refused() {
    let (world, key) = joined();
    packaged(&world, "1.0.0", Some("alice.key"));
    let path = world.path("dist/shop-deployment-1.0.0-1.noarch.rpm");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    apply(&world, &format::sign(&text("web-01", 1, "a"), &key), &[])
        .fails(3, &["shop-deployment-1.0.0-1.noarch.rpm", "does not match its header"]);
}

#[test]
fn allow_unsigned_accepts_unsigned_input_with_a_warning() {
    if !has_tool("rpm") {
        return;
    }
    let (world, _) = joined();
    packaged(&world, "1.0.0", None);
    let ran = apply(&world, &text("web-01", 0, "a"), &["--allow-unsigned"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: --allow-unsigned"), "{}", ran.stderr);
}

#[test]
fn damaged_trusted_key_blocks_every_run() {
    let (world, key) = joined();
    world.write("root/etc/geppetto/trust/packages.asc", "rot");
    apply(&world, &format::sign(&text("web-01", 1, "a"), &key), &[])
        .fails(3, &["packages.asc cannot be used", "join again"]);
}

#[test]
fn unsigned_node_file_from_the_back_office_is_refused() {
    let (world, _) = joined();
    let node = text("web-01", 1, "a");
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{node}", node.len());
    let office = crate::canned::Canned::new(vec![answer]);
    world.write(
        "root/etc/geppetto/punch.yaml",
        &format!("url: {}\nserver: web-01\ncredential: \"c\"\n", office.url),
    );
    world
        .punch(&["restore", "--root", "root"])
        .fails(3, &["the node file of web-01 from", "it is not signed"]);
    let requests = office.requests();
    assert_eq!(requests.len(), 2, "nothing is asked of it, and it is told what was refused: {requests:?}");
    assert!(requests[1].starts_with("POST /api/v1/servers/web-01/reports"), "{}", requests[1]);
    assert!(requests[1].contains("it is not signed"), "{}", requests[1]);
    assert!(!world.path("root/usr").exists());
    let history = world.ok(&["history", "--root", "root", "--json"]).json();
    assert_eq!(history[0]["outcome"], "blocked");
}

#[test]
fn joined_host_with_a_missing_key_accepts_nothing() {
    for lost in ["node.pub", "packages.asc"] {
        let (world, key) = joined();
        fs::remove_file(world.path(&format!("root/etc/geppetto/trust/{lost}"))).unwrap();
        let node = format::sign(&text("web-01", 1, "a"), &key);
        apply(&world, &node, &[]).fails(3, &[lost, "it is missing", "join again"]);
        world.punch(&["restore", "--root", "root"]).fails(3, &[lost, "it is missing"]);
        assert!(!world.path("root/usr").exists());
    }
}

#[test]
fn node_file_without_trusted_signature_is_not_parsed() {
    let (world, _) = joined();
    apply(&world, "format: [", &[]).fails(1, &["it is not signed"]);
}

#[test]
fn generation_older_than_a_begun_one_is_refused_even_if_that_failed() {
    if !has_tool("rpm") {
        return;
    }
    let (world, key) = joined();
    packaged(&world, "1.0.0", Some("alice.key"));
    let signed = |generation, greeting| format::sign(&text("web-01", generation, greeting), &key);
    assert_eq!(apply(&world, &signed(7, "seven"), &[]).code, 0);
    // Nine fails half-way: there is no rpm.
    packaged(&world, "1.1.0", Some("alice.key"));
    let nine = format::sign(&text("web-01", 9, "nine").replace("1.0.0", "1.1.0"), &key);
    world.write("node.yaml", &nine);
    fs::create_dir(world.path("nothing")).unwrap();
    let arguments = ["apply", "node.yaml", "--repository", "dist", "--root", "root"];
    crate::world::run(world.command(&arguments).env("PATH", world.path("nothing"))).fails(5, &["rpm"]);
    apply(&world, &signed(8, "eight"), &[]).fails(1, &["generation 8 is older than generation 9"]);
    // A file written by hand has no number, and leaves no mark.
    assert_eq!(apply(&world, &format::sign(&text("web-01", 0, "hand"), &key), &[]).code, 0);
    apply(&world, &signed(3, "three"), &[]).fails(1, &["generation 3 is older than generation 9"]);
    assert_eq!(apply(&world, &nine, &[]).code, 0);
}

#[test]
fn server_error_and_invalid_response_count_as_unreachable() {
    let (world, _) = joined();
    let page = "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\nConnection: close\r\n\r\noops!";
    for answer in [page.to_owned(), "SSH-2.0-OpenSSH_9.6\r\n".to_owned()] {
        let office = crate::canned::Canned::new(vec![answer]);
        world.write(
            "root/etc/geppetto/punch.yaml",
            &format!("url: {}\nserver: web-01\ncredential: \"c\"\n", office.url),
        );
        world.punch(&["restore", "--root", "root"]).fails(6, &["this host has no last good generation yet"]);
    }
}

#[test]
fn symlinked_key_and_state_paths_stay_inside_the_root() {
    let (world, key) = joined();
    fs::create_dir_all(world.path("outside/trust")).unwrap();
    fs::create_dir_all(world.path("root/var")).unwrap();
    std::os::unix::fs::symlink(world.path("outside"), world.path("root/var/lib")).unwrap();
    fs::remove_dir_all(world.path("root/etc/geppetto")).unwrap();
    std::os::unix::fs::symlink(world.path("outside"), world.path("root/etc/geppetto")).unwrap();
    // Below the root the link to the state leads here.
    let inside = format!("root{}", world.path("outside").display());
    fs::create_dir_all(world.path(&inside)).unwrap();
    // Somebody else's key lies outside.
    world.write("outside/trust/node.pub", &BASE64.encode(key.verifying_key().as_bytes()));
    let node = "format: geppetto/node/1\ncomponents: {}\n";
    assert_eq!(apply(&world, node, &[]).code, 0, "the key outside is not the root's");
    let names: Vec<_> =
        fs::read_dir(world.path("outside")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["trust"], "nothing was written outside");
    assert!(world.path(&inside).join("geppetto/punch/history").is_dir());
}
