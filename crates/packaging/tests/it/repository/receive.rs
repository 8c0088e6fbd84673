//! What may come in, and what is left when it may not.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use packaging::repository::Repository;
use serde_json::json;

use super::{LIMIT, TestRepository, deployment, deployment_with, payload, tree};
use crate::tools::{Rpm, key};

/// Receives `bytes` as `file`; it must be refused and leave nothing. Returns the refusal.
pub(super) fn refused(test: &TestRepository, bytes: &[u8], file: &str) -> String {
    let before = tree(&test.root());
    let error = test.repository.receive_package(bytes, file, LIMIT).unwrap_err();
    assert_eq!(tree(&test.root()), before, "a refused upload left something behind");
    error.to_string()
}

pub(super) fn build(test: &TestRepository, rpm: Rpm) -> (Vec<u8>, String) {
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
fn description_that_lint_calls_wrong_is_refused_and_leaves_nothing() {
    let test = TestRepository::new();
    let port = |more: serde_json::Value| {
        let mut port = json!({"type": "port", "description": "where it listens"});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"parameters": {"port": port}})
    };
    for (description, why) in [
        (port(json!({"type": "prot"})), "prot"),
        (port(json!({"defualt": 80})), "defualt"),
        (port(json!({"default": "many"})), "its default must be"),
        (port(json!({"default": 80, "required": true})), "`required` and has a `default`"),
        (port(json!({"description": " "})), "`description` is empty"),
        (port(json!({"merge": "append"})), "`merge: append`"),
        (json!({"summary": ""}), "`summary`"),
        (json!({"summary": "two\nlines"}), "`summary`"),
        (json!({"requires": {"shop": "*"}}), "`requires` names `shop` itself"),
        (json!({"requires": {"db": ">"}}), "component.json"),
        (json!({"os_packages": {"rpm": ["a; b"]}}), "`os_packages` holds `a; b`"),
        (json!({"replaces": ["/usr"]}), "covers too much of a host"),
        (json!({"setuid": ["bin/x"]}), "`setuid` names `bin/x`"),
    ] {
        let (bytes, file) = build(&test, deployment_with("shop", "1.0", &[], &description));
        let message = refused(&test, &bytes, &file);
        assert!(message.contains(why), "{description}: {message}");
    }
    let (bytes, file) = build(&test, deployment_with("shop", "1.0", &[], &port(json!({"default": 80}))));
    test.repository.receive_package(&*bytes, &file, LIMIT).unwrap();
}

#[test]
fn payload_with_paths_or_modes_that_lint_calls_wrong_is_refused_and_leaves_nothing() {
    let test = TestRepository::new();
    let with = |path: &str, mode: u16| payload("shop", "1.0").file(path, b"x").mode(path, mode);
    for (path, mode, why) in [
        (
            "/usr/bin/shop",
            0o777,
            "`/usr/bin/shop` has mode 0777, so every account of the host could change it",
        ),
        ("/run/shop/x", 0o644, "`/run/shop/x`, which does not survive a reboot"),
    ] {
        let (bytes, file) = build(&test, with(path, mode));
        let message = refused(&test, &bytes, &file);
        assert!(message.contains("cannot be deployed") && message.contains(why), "{message}");
    }
    let (bytes, file) = build(&test, with("/usr/bin/shop", 0o755));
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
    Repository::open_repository_and_clean_incoming(&test.root()).unwrap();
    assert_eq!(tree(&incoming), ["upload-alive"]);
}

#[test]
fn folder_without_repository_is_an_error_naming_it() {
    let test = TestRepository::new();
    let error = Repository::open_repository_and_clean_incoming(Path::new("/nowhere")).unwrap_err();
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
