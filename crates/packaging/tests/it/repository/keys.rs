//! Keys that are withdrawn, expired or revoked.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use packaging::openpgp::SecretKey;

use super::{
    LIMIT, TestRepository, name,
    receive::{build, refused},
};
use crate::{
    skip::has_tool,
    tools::{NOON, Rpm},
};

#[test]
fn package_of_a_withdrawn_key_is_refused_until_the_key_is_trusted_again() {
    let test = TestRepository::new();
    let fingerprint = test.packager.fingerprint().to_string();
    let before = test.take(Rpm::new("tool", "1.0"));
    assert!(test.repository.withdraw_key_unless_withdrawn(&fingerprint.to_lowercase(), NOON.into()).unwrap());
    assert!(
        !test.repository.withdraw_key_unless_withdrawn(&fingerprint, NOON.into()).unwrap(),
        "it was withdrawn before"
    );
    let (bytes, file) = build(&test, Rpm::new("tool", "2.0"));
    let message = refused(&test, &bytes, &file);
    assert!(message.contains(&fingerprint) && message.contains("was withdrawn"), "{message}");
    // What was received before is still trusted: it can be published, and nothing calls it damaged.
    test.repository.create_channel_if_absent(&name("dev"), None, NOON).unwrap();
    test.repository.publish_received_packages_in_channel(&name("dev"), &[before], NOON).unwrap();
    let keys = test.repository.list_trusted_and_withdrawn_keys().unwrap();
    let withdrawn = keys.iter().find(|key| key.fingerprint.as_str() == fingerprint).unwrap().withdrawn;
    assert_eq!(withdrawn, Some(NOON.into()));
    test.repository.trust_keys(&test.packager.armored_public_key().unwrap()).unwrap();
    test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
    assert_eq!(
        test.repository.list_trusted_and_withdrawn_keys().unwrap().len(),
        keys.len(),
        "no key is there twice"
    );
    let own = keys.iter().find(|key| key.fingerprint.as_str() != fingerprint).unwrap();
    let error = test
        .repository
        .withdraw_key_unless_withdrawn(own.fingerprint.as_str(), NOON.into())
        .unwrap_err()
        .to_string();
    assert!(error.contains("signs its metadata"), "{error}");
    let error = test.repository.withdraw_key_unless_withdrawn("0123", NOON.into()).unwrap_err().to_string();
    assert!(error.contains("`0123`") && error.contains(&fingerprint), "{error}");
}

#[test]
fn package_of_an_expired_key_is_refused_until_the_key_is_renewed() {
    if !has_tool("gpg") {
        return;
    }
    let test = TestRepository::new();
    let home = Gpg::new();
    let gpg = |arguments: &[&str]| home.run(arguments);
    // It has expired by now, whatever date within its life the signature claims.
    gpg(&[
        "--faked-system-time",
        "20231101T000000",
        "--quick-gen-key",
        "old@example.org",
        "ed25519",
        "sign",
        "30d",
    ]);
    let exported = || gpg(&["--armor", "--export", "old@example.org"]);
    let key = home.secret_key("old@example.org");
    test.repository.trust_keys(&exported()).unwrap();
    let path = Rpm::new("tool", "1.0").build(&test.built(), Some(&key));
    let (bytes, file) = (fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap().to_owned());
    let message = refused(&test, &bytes, &file);
    assert!(message.contains("has expired"), "{message}");
    let fingerprint = key.fingerprint().to_string();
    gpg(&["--faked-system-time", "20231110T000000", "--quick-set-expire", &fingerprint, "0"]);
    test.repository.trust_keys(&exported()).unwrap();
    test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
}

#[test]
fn package_of_an_expired_or_revoked_subkey_is_refused_until_the_subkey_is_renewed() {
    if !has_tool("gpg") {
        return;
    }
    let test = TestRepository::new();
    let home = Gpg::new();
    let at = |time: &str, arguments: &[&str]| home.run(&[&["--faked-system-time", time], arguments].concat());
    // The primary key never expires; the subkey that signs has expired by now, whatever date within its life the
    // signature claims.
    at("20231101T000000", &["--quick-gen-key", "sub@example.org", "ed25519", "cert", "never"]);
    let listed = home.run(&["--with-colons", "--list-keys", "sub@example.org"]);
    let primary =
        listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_matches(':');
    at("20231101T000000", &["--quick-add-key", primary, "ed25519", "sign", "30d"]);
    let exported = || home.run(&["--armor", "--export", "sub@example.org"]);
    let key = home.secret_key("sub@example.org");
    test.repository.trust_keys(&exported()).unwrap();
    let path = Rpm::new("tool", "1.0").build(&test.built(), Some(&key));
    let (bytes, file) = (fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap().to_owned());
    let message = refused(&test, &bytes, &file);
    assert!(message.contains("a subkey of") && message.contains("has expired"), "{message}");
    assert!(message.contains(primary), "{message}");
    let listed = home.run(&["--with-colons", "--list-keys", "sub@example.org"]);
    let subkey = listed.lines().filter_map(|line| line.strip_prefix("fpr:::::::::")).nth(1).unwrap();
    let subkey = subkey.trim_matches(':');
    at("20231110T000000", &["--quick-set-expire", primary, "0", subkey]);
    test.repository.trust_keys(&exported()).unwrap();
    test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
    // A subkey that is revoked later stays good for what was received before.
    test.publish("dev", std::slice::from_ref(&file));
    home.edit_key(primary, "key 1\nrevkey\ny\n0\n\ny\nsave\n");
    test.repository.trust_keys(&exported()).unwrap();
    let path = Rpm::new("tool", "2.0").build(&test.built(), Some(&key));
    let (bytes, file) = (fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap().to_owned());
    let message = refused(&test, &bytes, &file);
    assert!(message.contains("was revoked"), "{message}");
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn revoked_certificate_is_refused_with_what_to_do_and_changes_nothing() {
    if !has_tool("gpg") {
        return;
    }
    let test = TestRepository::new();
    let home = Gpg::new();
    home.run(&["--quick-gen-key", "lost@example.org", "ed25519", "sign", "never"]);
    let exported = || home.run(&["--armor", "--export", "lost@example.org"]);
    let key = home.secret_key("lost@example.org");
    let fingerprint = key.fingerprint().to_string();
    test.repository.trust_keys(&exported()).unwrap();
    let before = test.repository.list_trusted_and_withdrawn_keys().unwrap();
    // gpg makes a revocation beside every key; the colon keeps people from importing it by mistake.
    let revocation = home.home.path().join(format!("openpgp-revocs.d/{fingerprint}.rev"));
    let text = fs::read_to_string(&revocation).unwrap();
    fs::write(&revocation, text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
    home.run(&["--import", revocation.to_str().unwrap()]);
    let error = test.repository.trust_keys(&exported()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("key {fingerprint} has been revoked by its holder"))
            && error.contains(&format!("`punch key withdraw {fingerprint}`")),
        "{error}"
    );
    let error =
        test.repository.trust_keys(&fs::read_to_string(&revocation).unwrap()).unwrap_err().to_string();
    assert!(error.contains("punch key withdraw"), "a revocation alone: {error}");
    assert_eq!(test.repository.list_trusted_and_withdrawn_keys().unwrap(), before);
}

/// Real `gpg` with keys of its own.
struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.args(["--quiet", "--no-tty", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"]);
        command.arg("--homedir").arg(self.home.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command().arg("--batch").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types `answers` into the editor of a key.
    fn edit_key(&self, key: &str, answers: &str) {
        let mut command = self.command();
        command.args(["--command-fd", "0", "--edit-key", key]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// The secret key of this user, as our own programs read it.
    fn secret_key(&self, user: &str) -> SecretKey {
        let file = self.home.path().join("secret.key");
        self.run(&["--armor", "--output", file.to_str().unwrap(), "--export-secret-keys", user]);
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        SecretKey::load_secret_key_file(&file).unwrap()
    }
}
