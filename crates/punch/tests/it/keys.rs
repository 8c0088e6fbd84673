//! Keys that sign packages.

use crate::{
    canned::{Canned, json},
    components::packaged,
    control_plane::ControlPlane,
    test_folder::{TestFolder, mode},
};

#[test]
fn new_key_has_mode_0600_and_is_never_overwritten() {
    let test = TestFolder::new();
    let made = test.ok(&["key", "new", "--name", "Alice <alice@example.org>", "--out", "alice.key"]);
    assert!(made.stdout.starts_with("fingerprint "), "{}", made.stdout);
    assert_eq!(mode(&test.path("alice.key")), 0o600);
    let before = test.read("alice.key");
    test.punch(&["key", "new", "--name", "Alice <alice@example.org>", "--out", "alice.key"])
        .fails(1, &["alice.key is there already", "--out FILE"]);
    assert_eq!(test.read("alice.key"), before);
}

#[test]
fn key_public_prints_the_public_key() {
    let test = TestFolder::new();
    let made = test.ok(&["key", "new", "--name", "A <a@x>", "--out", "a.key", "--json"]).json();
    let public = test.ok(&["key", "public", "a.key"]).stdout;
    assert!(public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{public}");
    assert_eq!(made["public"].as_str().unwrap().trim(), public.trim());
    assert!(!public.contains("PRIVATE"));
}

#[test]
fn unusable_key_is_refused_with_the_reason() {
    let test = TestFolder::new();
    test.punch(&["key", "public", "nope.key"]).fails(1, &["cannot read nope.key", "no such file"]);
    test.write("open.key", "x");
    test.punch(&["key", "public", "open.key"]).fails(1, &["can be read by other users", "chmod 600"]);
    test.punch(&["key", "new", "--name", " ", "--out", "b.key"]).fails(1, &["owner is empty"]);
    test.punch(&["key", "new", "--name", "A", "--out", "no/such/folder/b.key"])
        .fails(3, &["cannot write no/such/folder/b.key"]);
}

#[test]
fn secret_key_is_not_sent_to_be_trusted() {
    let test = TestFolder::new();
    test.ok(&["key", "new", "--name", "A <a@x>", "--out", "a.key"]);
    let canned = Canned::new(vec![json("200 OK", "{}")]);
    test.punch(&["key", "trust", "a.key", "--url", &canned.url])
        .fails(1, &["a.key is a secret key", "punch key public a.key"]);
    assert!(canned.requests().is_empty());
}

#[test]
fn package_of_an_untrusted_key_is_refused_with_the_command_that_trusts_it() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    test.ok(&["key", "new", "--name", "Bob <b@x>", "--out", "bob.key"]);
    packaged(&test, "1.1.0", Some("bob.key"));
    let files = ["dist/shop-1.1.0-1.noarch.rpm", "dist/shop-deployment-1.1.0-1.noarch.rpm"];
    test.punch(&["publish", files[0], files[1], "--channel", "dev"])
        .fails(1, &["which is not trusted here", "`punch key trust FILE`"]);
}

#[test]
fn withdrawn_key_is_listed_as_such_and_publishes_nothing() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    let keys = test.ok(&["key", "list", "--json"]).json();
    let fingerprint = keys[1]["fingerprint"].as_str().unwrap().to_owned();
    let shown = test.ok(&["key", "withdraw", &fingerprint, "--dry-run"]).stdout;
    assert!(shown.contains("Alice <a@x>: no new package that it signed would be accepted"), "{shown}");
    let listed = test.ok(&["key", "list"]).stdout;
    assert!(!listed.contains("withdrawn"), "{listed}");
    test.punch(&["key", "withdraw", "0123", "--dry-run"]).fails(1, &["there is no key `0123`"]);
    test.ok(&["key", "withdraw", &fingerprint]);
    let list = test.ok(&["key", "list"]).stdout;
    assert!(list.contains(&format!("{fingerprint}  Alice <a@x>  withdrawn 20")), "{list}");
    assert!(list.contains("  Geppetto repository  signs the repository's metadata\n"), "{list}");
    packaged(&test, "1.1.0", Some("alice.key"));
    let files = ["dist/shop-1.1.0-1.noarch.rpm", "dist/shop-deployment-1.1.0-1.noarch.rpm"];
    test.punch(&["publish", files[0], files[1], "--channel", "dev"])
        .fails(1, &["was withdrawn", "punch key trust"]);
    test.punch(&["key", "withdraw", "0123"]).fails(1, &["no package is trusted by a key `0123`"]);
    test.ok(&["key", "trust", "alice.asc"]);
    test.ok(&["publish", files[0], files[1], "--channel", "dev"]);
}

#[test]
fn withdrawal_of_the_repositorys_own_key_is_refused_with_and_without_dry_run() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    let keys = test.ok(&["key", "list", "--json"]).json();
    let own = keys.as_array().unwrap().iter().find(|key| key["signs_metadata"] == true).unwrap();
    let fingerprint = own["fingerprint"].as_str().unwrap();
    for options in [&[][..], &["--dry-run"]] {
        let output = test.punch(&[&["key", "withdraw", fingerprint], options].concat());
        output.fails(
            1,
            &[&format!(
                "{fingerprint} is the key that the repository signs its metadata with; it cannot be withdrawn"
            )],
        );
    }
}
