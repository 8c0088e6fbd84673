//! Keys that sign packages.

use crate::world::{World, mode};

#[test]
fn new_key_has_mode_0600_and_is_never_overwritten() {
    let world = World::new();
    let made = world.ok(&["key", "new", "--name", "Alice <alice@example.org>", "--out", "alice.key"]);
    assert!(made.stdout.starts_with("fingerprint "), "{}", made.stdout);
    assert_eq!(mode(&world.path("alice.key")), 0o600);
    let before = world.read("alice.key");
    world
        .punch(&["key", "new", "--name", "Alice <alice@example.org>", "--out", "alice.key"])
        .fails(1, &["alice.key is there already", "--out FILE"]);
    assert_eq!(world.read("alice.key"), before);
}

#[test]
fn key_public_prints_the_public_key() {
    let world = World::new();
    let made = world.ok(&["key", "new", "--name", "A <a@x>", "--out", "a.key", "--json"]).json();
    let public = world.ok(&["key", "public", "a.key"]).stdout;
    assert!(public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{public}");
    assert_eq!(made["public"].as_str().unwrap().trim(), public.trim());
    assert!(!public.contains("PRIVATE"));
}

#[test]
fn unusable_key_is_refused_with_the_reason() {
    let world = World::new();
    world.punch(&["key", "public", "nope.key"]).fails(1, &["cannot read nope.key", "no such file"]);
    world.write("open.key", "x");
    world.punch(&["key", "public", "open.key"]).fails(1, &["can be read by other users", "chmod 600"]);
    world.punch(&["key", "new", "--name", " ", "--out", "b.key"]).fails(1, &["owner is empty"]);
    world
        .punch(&["key", "new", "--name", "A", "--out", "no/such/folder/b.key"])
        .fails(3, &["cannot write no/such/folder/b.key"]);
}
