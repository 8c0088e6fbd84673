//! Keys and signatures, judged by `gpg` and `rpm`.

use crate::skip::has_tool;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use packaging::openpgp::{SecretKey, TrustedPublicKeys};

use crate::tools::{NOON, Rpm, fails, key, run};

fn public(keys: &[&SecretKey]) -> TrustedPublicKeys {
    let text: String = keys.iter().map(|key| key.armored_public_key().unwrap()).collect();
    TrustedPublicKeys::from_armored_certificates(&text).unwrap()
}

fn refusal(keys: &TrustedPublicKeys, rpm: &Path) -> String {
    keys.verify_rpm_file(rpm).unwrap_err().to_string()
}

/// A copy of `rpm` with the last occurrence of `from` (which must be there) replaced by `to`.
fn edited(rpm: &Path, name: &str, from: &[u8], to: &[u8]) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(rpm).unwrap();
    let at = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    let path = rpm.with_file_name(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn gpg_accepts_a_detached_signature_and_refuses_it_for_other_data() {
    if !has_tool("gpg") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let key = key("signer");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(at("key.asc"), key.armored_public_key().unwrap()).unwrap();
    fs::write(at("data"), "repomd").unwrap();
    fs::write(at("data.asc"), key.sign_detached(b"repomd", NOON + 10).unwrap()).unwrap();
    let gpg = || {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(folder.path()).args(["--batch", "--no-autostart"]);
        gpg
    };
    run(gpg().arg("--import").arg(at("key.asc")));
    let message = run(gpg().arg("--verify").arg(at("data.asc")).arg(at("data")));
    assert!(message.contains("Good signature from \"signer <signer@example.org>\""), "{message}");
    assert!(message.contains(key.fingerprint().as_str()), "{message}");
    fs::write(at("data"), "repomD").unwrap();
    let message = fails(gpg().arg("--verify").arg(at("data.asc")).arg(at("data")));
    assert!(message.contains("BAD signature"), "{message}");
}

#[test]
fn detached_signature_verifies_only_its_data_and_key() {
    let (ours, theirs) = (key("ours"), key("theirs"));
    let signature = ours.sign_detached(b"data", NOON).unwrap();
    assert_eq!(
        public(&[&theirs, &ours]).verify_detached_signature(b"data", &signature).unwrap(),
        ours.fingerprint()
    );
    assert_eq!(
        public(&[&ours]).verify_detached_signature(b"Data", &signature).unwrap_err().to_string(),
        format!("its signature by key {} does not fit: it was changed after signing", ours.fingerprint())
    );
    assert_eq!(
        public(&[&theirs]).verify_detached_signature(b"data", &signature).unwrap_err().to_string(),
        format!(
            "it is signed by key {}, which is not trusted here (trusted: {})",
            ours.fingerprint(),
            theirs.fingerprint()
        )
    );
    let message =
        public(&[&ours]).verify_detached_signature(b"data", "no signature").unwrap_err().to_string();
    assert!(message.starts_with("the signature cannot be read: "), "{message}");
}

#[test]
fn rpm_accepts_a_package_we_signed_and_so_do_we() {
    if !has_tool("rpm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = key("packager");
    let rpm = Rpm::new("hello", "1.0").build(folder.path(), Some(&key));
    let public_file = folder.path().join("key.asc");
    fs::write(&public_file, key.armored_public_key().unwrap()).unwrap();
    let database = folder.path().join("db");
    let command = || {
        let mut command = Command::new("rpm");
        command.arg("--dbpath").arg(&database);
        command
    };
    run(command().arg("--initdb"));
    run(command().arg("--import").arg(&public_file));
    let message = run(command().arg("-Kv").arg(&rpm));
    assert!(message.contains("Header V4 EdDSA/SHA256 Signature") && message.contains("OK"), "{message}");
    assert!(!message.contains("NOKEY"), "{message}");
    assert_eq!(public(&[&key]).verify_rpm_file(&rpm).unwrap(), key.fingerprint());
}

#[test]
fn package_without_a_signature_by_a_trusted_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (key("ours"), key("theirs"));
    let unsigned = Rpm::new("unsigned", "1.0").build(folder.path(), None);
    assert_eq!(
        refusal(&public(&[&ours]), &unsigned),
        format!("{} is not signed: sign it while packaging (`punch package --key FILE`)", unsigned.display())
    );
    let foreign = Rpm::new("foreign", "1.0").build(folder.path(), Some(&theirs));
    assert_eq!(
        refusal(&public(&[&ours]), &foreign),
        format!(
            "{} is refused: it is signed by key {}, which is not trusted here (trusted: {})",
            foreign.display(),
            theirs.fingerprint(),
            ours.fingerprint()
        )
    );
}

#[test]
fn package_changed_or_cut_after_signing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("ours");
    let keys = public(&[&key]);
    let rpm = Rpm::new("hello", "1.0").build(folder.path(), Some(&key));
    let forged = edited(&rpm, "forged.rpm", b"A test: hello", b"A nest: hello");
    assert_eq!(
        refusal(&keys, &forged),
        format!(
            "{} is refused: its signature by key {} does not fit: it was changed after signing",
            forged.display(),
            key.fingerprint()
        )
    );
    let bytes = fs::read(&rpm).unwrap();
    let mut swapped = bytes.clone();
    *swapped.last_mut().unwrap() ^= 1;
    let path = folder.path().join("swapped.rpm");
    fs::write(&path, swapped).unwrap();
    let message = refusal(&keys, &path);
    assert!(
        message.contains("does not match its header: it was changed or cut off after packaging"),
        "{message}"
    );
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        fs::write(&path, &bytes[..length]).unwrap();
        let message = refusal(&keys, &path);
        let expected = ["it ends in the middle of its headers", "it was changed or cut off after packaging"];
        assert!(expected.iter().any(|part| message.contains(part)), "{length}: {message}");
    }
    fs::write(&path, "#!/bin/sh\n".repeat(20)).unwrap();
    assert_eq!(
        refusal(&keys, &path),
        format!("{} is not a whole RPM package: it does not start like one", path.display())
    );
}

#[test]
fn package_with_any_changed_header_byte_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("ours");
    let keys = public(&[&key]);
    let rpm = Rpm::new("hello", "1.0").build(folder.path(), Some(&key));
    let bytes = fs::read(&rpm).unwrap();
    let magic = [0x8e, 0xad, 0xe8, 1];
    let header = bytes.windows(4).rposition(|window| window == magic).unwrap();
    let path = folder.path().join("bent.rpm");
    for at in (96..400).chain(header..bytes.len()) {
        for value in [bytes[at] ^ 0x01, bytes[at] ^ 0x80, 0xff, 0x00] {
            let mut bent = bytes.clone();
            bent[at] = value;
            fs::write(&path, &bent).unwrap();
            let verdict = keys.verify_rpm_file(&path);
            // What stands before the header is not signed; every byte from there on is.
            assert!(at < header || value == bytes[at] || verdict.is_err(), "byte {at} = {value:#x}");
        }
    }
}

#[test]
fn secret_keys_are_kept_to_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signing.key");
    let key = key("ours");
    key.save_secret_key_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SecretKey::load_secret_key_file(&path).unwrap().fingerprint(), key.fingerprint());
    let message = key.save_secret_key_file(&path).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("cannot write the secret key {}: File exists", path.display())),
        "{message}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        SecretKey::load_secret_key_file(&path).unwrap_err().to_string(),
        format!(
            "the secret key {} can be read by other users (mode 0644): run `chmod 600` on it, and make a new key if others may have copied it",
            path.display()
        )
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, key.armored_public_key().unwrap()).unwrap();
    let message = SecretKey::load_secret_key_file(&path).unwrap_err().to_string();
    assert!(message.contains("holds no secret OpenPGP key that can sign"), "{message}");
}

#[test]
fn key_made_by_gpg_signs_and_a_locked_one_is_refused() {
    if !has_tool("gpg") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("gnupg");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| {
        run(Command::new("gpg")
            .arg("--homedir")
            .arg(&home)
            .args(["--batch", "--pinentry-mode", "loopback"])
            .args(arguments))
    };
    for (user, passphrase) in [("free", ""), ("locked", "secret")] {
        gpg(&["--passphrase", passphrase, "--quick-gen-key", user, "rsa3072", "sign", "never"]);
        let file = folder.path().join(user);
        let file = file.to_str().unwrap();
        gpg(&["--passphrase", passphrase, "--armor", "--output", file, "--export-secret-keys", user]);
    }
    run(Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]));
    let key = SecretKey::load_secret_key_file(&folder.path().join("free")).unwrap();
    let signature = key.sign_detached(b"data", NOON).unwrap();
    assert_eq!(public(&[&key]).verify_detached_signature(b"data", &signature).unwrap(), key.fingerprint());
    let message = SecretKey::load_secret_key_file(&folder.path().join("locked")).unwrap_err().to_string();
    assert!(message.contains("is locked by a passphrase, and signing happens unattended"), "{message}");
}
