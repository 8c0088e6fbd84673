//! What may come in, and what is left when it may not.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use packaging::{openpgp::SecretKey, repository::Repository};

use super::{LIMIT, TestRepository, deployment, name, payload, tree};
use crate::{
    skip::has_tool,
    tools::{NOON, Rpm, key},
};

/// Receives `bytes` as `file`; it must be refused and leave nothing. Returns the refusal.
fn refused(test: &TestRepository, bytes: &[u8], file: &str) -> String {
    let before = tree(&test.root());
    let error = test.repository.receive_package(bytes, file, LIMIT).unwrap_err();
    assert_eq!(tree(&test.root()), before, "a refused upload left something behind");
    error.to_string()
}

fn build(test: &TestRepository, rpm: Rpm) -> (Vec<u8>, String) {
    let path = rpm.build(&test.built(), Some(&test.packager));
    (fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap().to_owned())
}

#[test]
fn package_received_again_with_the_same_bytes_is_accepted() {
    let test = TestRepository::new();
    let (bytes, file) = build(&test, Rpm::new("tool", "1.0"));
    let received = test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
    assert_eq!((received.file.as_str(), received.size), (file.as_str(), bytes.len() as u64));
    let files = tree(&test.root());
    assert_eq!(test.repository.receive_package(&*bytes, &file, LIMIT).unwrap(), received);
    assert_eq!(tree(&test.root()), files);
    assert_eq!(fs::read(test.root().join("pool/tool").join(&file)).unwrap(), bytes);
}

#[test]
fn same_version_with_other_bytes_is_refused_naming_both_digests() {
    let test = TestRepository::new();
    let (bytes, file) = build(&test, Rpm::new("tool", "1.0"));
    let there = test.repository.receive_package(&*bytes, &file, LIMIT).unwrap().sha256;
    let (other, _) = build(&test, Rpm::new("tool", "1.0").file("/usr/share/tool/more", b"more"));
    let message = refused(&test, &other, &file);
    let elsewhere = TestRepository::new();
    elsewhere.repository.trust_keys(&test.packager.armored_public_key().unwrap()).unwrap();
    let yours = elsewhere.repository.receive_package(&*other, &file, LIMIT).unwrap().sha256;
    assert_eq!(
        message,
        format!(
            "tool-1.0-1.noarch.rpm is in the repository already with other bytes (SHA-256 there {there}, yours {yours}): a published version never changes, so raise the version or the release"
        )
    );
}

#[test]
fn deployment_that_lint_calls_wrong_is_refused_and_leaves_nothing() {
    let test = TestRepository::new();
    let folder = "/usr/share/geppetto/components/shop";
    let with = |files: &[(&str, &str)]| {
        let mut rpm = deployment("shop", "1.0", &[]);
        for (path, text) in files {
            rpm = rpm.file(&format!("{folder}/{path}"), text.as_bytes());
        }
        build(&test, rpm)
    };
    let manifest = |resource: &str| format!("format: geppetto/manifest/1\nresources:\n  - {resource}\n");
    for (files, why) in [
        (vec![("manifest.yaml", "nothing of ours".to_owned())], "manifest.yaml"),
        (vec![("manifest.yaml", manifest("{template: /etc/shop, source: missing.j2}"))], "missing.j2"),
        (vec![("manifest.yaml", manifest("{file: /etc/shop, content: \"{{ unknown }}\"}"))], "`unknown`"),
        (
            vec![
                ("manifest.yaml", manifest("{template: /etc/shop, source: shop.j2}")),
                ("templates/shop.j2", "{% if %}".to_owned()),
            ],
            "shop.j2",
        ),
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let (bytes, file) = with(&files);
        let message = refused(&test, &bytes, &file);
        assert!(message.contains("cannot be deployed") && message.contains(why), "{message}");
    }
    let (bytes, file) = with(&[("manifest.yaml", &manifest("{file: /etc/shop, content: hello}"))]);
    test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
}

#[test]
fn component_named_like_a_deployment_package_is_refused() {
    let test = TestRepository::new();
    let claim = "geppetto-component(eq-deployment)";
    let (bytes, file) = build(&test, Rpm::new("eq-deployment", "1.0").provides(claim, "1.0-1"));
    let message = refused(&test, &bytes, &file);
    assert!(message.contains("a component cannot be called `eq-deployment`"), "{message}");
}

#[test]
fn another_spelling_of_a_version_that_is_there_is_refused() {
    let test = TestRepository::new();
    test.take(Rpm::new("tool", "1.0"));
    let (bytes, file) = build(&test, Rpm::new("tool", "1.00"));
    assert_eq!(
        refused(&test, &bytes, &file),
        "tool-1.00-1.noarch.rpm is the same version as tool-1.0-1.noarch.rpm, which is in the repository: rpm treats `1.00-1` and `1.0-1` as equal, so raise the version or the release"
    );
    test.take(Rpm::new("tool", "1.01"));
    test.take(Rpm::new("tool2", "1.00"));
}

#[test]
fn package_with_a_lost_index_entry_is_received_again() {
    let test = TestRepository::new();
    let (bytes, file) = build(&test, Rpm::new("tool", "1.0"));
    let received = test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
    test.publish("dev", std::slice::from_ref(&file));
    let indexed = test.root().join(format!("index/tool/{file}.jsonl"));
    let right = fs::read_to_string(&indexed).unwrap();
    let (other, _) = build(&test, Rpm::new("tool", "1.0").file("/usr/share/tool/more", b"more"));
    for lost in [None, Some("{"), right.lines().next()] {
        match lost {
            None => fs::remove_file(&indexed).unwrap(),
            Some(damaged) => fs::write(&indexed, damaged).unwrap(),
        }
        let message = test.repository.receive_package(&*other, &file, LIMIT).unwrap_err().to_string();
        assert!(message.contains("is in the repository already with other bytes"), "{message}");
        assert_eq!(test.repository.receive_package(&*bytes, &file, LIMIT).unwrap(), received);
        assert_eq!(fs::read_to_string(&indexed).unwrap(), right);
        assert_eq!(test.repository.check_repository().unwrap(), []);
    }
}

#[test]
fn unsigned_untrusted_and_forged_packages_are_refused() {
    let test = TestRepository::new();
    let stranger = key("stranger");
    let unsigned = fs::read(Rpm::new("tool", "1.0").build(&test.built(), None)).unwrap();
    assert_eq!(
        refused(&test, &unsigned, "tool-1.0-1.noarch.rpm"),
        "tool-1.0-1.noarch.rpm is not signed: sign it while packaging (`punch package --key FILE`)"
    );
    let foreign = fs::read(Rpm::new("tool", "1.0").build(&test.built(), Some(&stranger))).unwrap();
    let message = refused(&test, &foreign, "tool-1.0-1.noarch.rpm");
    let expected = format!(
        "tool-1.0-1.noarch.rpm is refused: it is signed by key {}, which is not trusted here",
        stranger.fingerprint()
    );
    assert!(message.starts_with(&expected), "{message}");

    let (bytes, file) = build(&test, Rpm::new("tool", "1.0"));
    let mut forged = bytes.clone();
    let at = forged.windows(12).rposition(|window| window == b"A test: tool").unwrap();
    forged[at..at + 12].copy_from_slice(b"A fest: tool");
    let message = refused(&test, &forged, &file);
    let expected = format!(
        "{file} is refused: its signature by key {} does not fit: it was changed after signing",
        test.packager.fingerprint()
    );
    assert_eq!(message, expected);
    let mut swapped = bytes.clone();
    *swapped.last_mut().unwrap() ^= 0x55;
    let message = refused(&test, &swapped, &file);
    assert!(
        message.starts_with(&format!(
            "the payload of {file} does not match its header: it was changed or cut off after packaging (SHA-256 "
        )),
        "{message}"
    );
    let message = refused(&test, &bytes[..bytes.len() - 3], &file);
    assert!(message.contains("it was changed or cut off after packaging"), "{message}");
    assert_eq!(
        refused(&test, &bytes[..300], &file),
        format!("{file} is not a whole RPM package: it ends in the middle of its headers")
    );
    assert_eq!(
        refused(&test, b"", &file),
        format!("{file} is not a whole RPM package: it ends in the middle of its headers")
    );
}

#[test]
fn names_that_are_no_package_file_names_are_refused() {
    let test = TestRepository::new();
    let (bytes, _) = build(&test, Rpm::new("tool", "1.0"));
    for file in [
        "../../etc/passwd",
        "a/tool-1.0-1.noarch.rpm",
        "tool.rpm",
        "-1.0-1.noarch.rpm",
        "",
        "tool-1.0-1.noarch.deb",
    ] {
        assert_eq!(
            refused(&test, &bytes, file),
            format!("`{file}` is not the name of a package file: it must be NAME-VERSION-RELEASE.ARCH.rpm")
        );
    }
    assert_eq!(
        refused(&test, &bytes, "tool-2.0-1.noarch.rpm"),
        "`tool-2.0-1.noarch.rpm` is not the name of a package file: the package in it is tool-1.0-1.noarch.rpm"
    );
}

#[test]
fn package_that_claims_to_be_another_component_is_refused() {
    let test = TestRepository::new();
    let (bytes, file) = build(&test, Rpm::new("tool", "1.0").provides("geppetto-component(shop)", "1.0-1"));
    assert_eq!(
        refused(&test, &bytes, &file),
        format!(
            "{file} is not a whole RPM package: it provides `geppetto-component(shop)` but is named `tool`"
        )
    );
    let (bytes, file) =
        build(&test, Rpm::new("shop-deployment", "1.0").provides("geppetto-deployment(shop)", "1.0-1"));
    assert_eq!(
        refused(&test, &bytes, &file),
        format!(
            "{file} is not a whole RPM package: it provides `geppetto-deployment(shop)` but holds no /usr/share/geppetto/components/shop/component.json"
        )
    );
    let lying = deployment("shop", "1.0", &[]).renamed("shop-deployment", "3.0");
    let (bytes, file) = build(&test, lying);
    assert_eq!(
        refused(&test, &bytes, &file),
        format!(
            "{file} is not a whole RPM package: the package is `shop-deployment` 3.0-1, but the component.json inside describes `shop` 1.0-1"
        )
    );
}

#[test]
fn interrupted_and_oversized_uploads_leave_no_files() {
    struct Breaks<'a>(&'a [u8]);
    impl Read for Breaks<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer"));
            }
            self.0.read(buffer)
        }
    }
    let test = TestRepository::new();
    let (bytes, file) = build(&test, payload("shop", "1.0"));
    let before = tree(&test.root());
    let error = test.repository.receive_package(Breaks(&bytes[..bytes.len() / 2]), &file, LIMIT).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{file} was not received whole: connection reset by peer; nothing of it was kept, upload it again"
        )
    );
    let error = test.repository.receive_package(&*bytes, &file, 1000).unwrap_err();
    assert_eq!(error.to_string(), format!("{file} is larger than the 1000 bytes an upload may have"));
    assert_eq!(tree(&test.root()), before);
}

#[test]
fn leftovers_of_a_killed_process_are_removed_and_running_uploads_kept() {
    let test = TestRepository::new();
    let incoming = test.root().join("incoming");
    fs::write(incoming.join("upload-dead"), "half").unwrap();
    let running = fs::File::create(incoming.join("upload-alive")).unwrap();
    running.lock().unwrap();
    fs::write(incoming.join("write-dead"), "half").unwrap();
    std::os::unix::fs::symlink("nowhere", incoming.join("link-dead")).unwrap();
    Repository::open_repository(&test.root()).unwrap();
    assert_eq!(tree(&incoming), ["upload-alive"]);
}

#[test]
fn folder_without_repository_is_an_error_naming_it() {
    let test = TestRepository::new();
    let error = Repository::open_repository(Path::new("/nowhere")).unwrap_err();
    assert_eq!(error.to_string(), "there is no repository in /nowhere: `geppetto init` makes one");
    let error = Repository::create_repository(&test.root(), key("again")).unwrap_err();
    assert_eq!(error.to_string(), format!("there is a repository in {} already", test.root().display()));
    let error = test.repository.trust_keys("not a key").unwrap_err();
    assert!(
        error.to_string().starts_with("the keys cannot be trusted: no public OpenPGP key could be read: ")
    );
}

#[test]
fn package_with_a_wrong_digest_in_its_signature_header_is_refused_and_leaves_nothing() {
    let test = TestRepository::new();
    let (mut bytes, file) = build(&test, Rpm::new("tool", "1.0"));
    let digest = bytes.windows(65).position(|text| {
        text[64] == 0 && text[..64].iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
    });
    let digest = digest.unwrap();
    bytes[digest] = if bytes[digest] == b'0' { b'1' } else { b'0' };
    let message = refused(&test, &bytes, &file);
    let start = format!(
        "{file} is refused, and rpm on a host would refuse it too: its SHA-256 digest of the header is "
    );
    assert!(message.starts_with(&start) && message.ends_with("build and sign it again"), "{message}");
}

#[test]
fn package_of_a_withdrawn_key_is_refused_until_the_key_is_trusted_again() {
    let test = TestRepository::new();
    let fingerprint = test.packager.fingerprint().to_string();
    let before = test.take(Rpm::new("tool", "1.0"));
    assert!(test.repository.withdraw_key(&fingerprint.to_lowercase(), NOON.into()).unwrap());
    assert!(!test.repository.withdraw_key(&fingerprint, NOON.into()).unwrap(), "it was withdrawn before");
    let (bytes, file) = build(&test, Rpm::new("tool", "2.0"));
    let message = refused(&test, &bytes, &file);
    assert!(message.contains(&fingerprint) && message.contains("was withdrawn"), "{message}");
    // What was received before is still trusted: it can be published, and nothing calls it damaged.
    test.repository.create_channel(&name("dev"), None, NOON).unwrap();
    test.repository.publish_received_packages_in_channel(&name("dev"), &[before], NOON).unwrap();
    let keys = test.repository.list_trusted_keys().unwrap();
    let withdrawn = keys.iter().find(|key| key.fingerprint.as_str() == fingerprint).unwrap().withdrawn;
    assert_eq!(withdrawn, Some(NOON.into()));
    test.repository.trust_keys(&test.packager.armored_public_key().unwrap()).unwrap();
    test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
    assert_eq!(test.repository.list_trusted_keys().unwrap().len(), keys.len(), "no key is there twice");
    let own = keys.iter().find(|key| key.fingerprint.as_str() != fingerprint).unwrap();
    let error = test.repository.withdraw_key(own.fingerprint.as_str(), NOON.into()).unwrap_err().to_string();
    assert!(error.contains("signs its metadata"), "{error}");
    let error = test.repository.withdraw_key("0123", NOON.into()).unwrap_err().to_string();
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
