//! No package that real `rpm` refuses is accepted, whatever was changed in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use packaging::openpgp::{SecretKey, TrustedPublicKeys};
use tempfile::TempDir;

use crate::{
    skip::has_tool,
    tools::{Rpm, key, run},
};

/// A signed package, and an `rpm` that knows only its key.
struct SignedPackage {
    folder: TempDir,
    key: SecretKey,
    bytes: Vec<u8>,
    /// Where the header starts.
    header: usize,
}

impl SignedPackage {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let key = key("packager");
        let path = Rpm::new("tool", "1.0").build(folder.path(), Some(&key));
        fs::write(folder.path().join("key.asc"), key.armored_public_key().unwrap()).unwrap();
        let package = Self { bytes: fs::read(path).unwrap(), header: 0, folder, key };
        run(package.rpm().arg("--import").arg(package.folder.path().join("key.asc")));
        let header = package.bytes.windows(4).rposition(|bytes| bytes == [0x8e, 0xad, 0xe8, 0x01]).unwrap();
        Self { header, ..package }
    }

    fn rpm(&self) -> Command {
        let mut command = Command::new("rpm");
        command.arg("--dbpath").arg(self.folder.path().join("db"));
        command
    }

    /// Whether we accept these bytes; the file, or the refusal.
    fn accepted(&self, bytes: &[u8], name: &str) -> Result<PathBuf, String> {
        let path = self.folder.path().join(format!("{name}.rpm"));
        fs::write(&path, bytes).unwrap();
        let keys = TrustedPublicKeys::from_armored_certificates(&self.key.armored_public_key().unwrap());
        match keys.unwrap().verify_rpm_file(&path) {
            Ok(_) => Ok(path),
            Err(error) => {
                fs::remove_file(path).unwrap();
                Err(error.to_string())
            }
        }
    }

    /// What `rpm` prints on a file that we accept.
    fn error_output_of_rpm(&self, path: &Path) -> String {
        let text = |argument: &str| {
            let output = self.rpm().arg(argument).arg(path).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
        };
        text("-Kv") + &text("-qp")
    }

    /// Whether `rpm` finds every digest and signature right and reads the header.
    fn rpm_accepts(&self, path: &Path) -> bool {
        let succeeds = |arguments: &[&str]| {
            let output = self.rpm().args(arguments).arg(path).output().unwrap();
            output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("NOKEY")
        };
        succeeds(&["-K"]) && succeeds(&["-qp"])
    }

    /// Where the data of the entry `tag` starts in the file, and the place of its entry.
    fn find_signature_entry(&self, tag: u32) -> Option<(usize, usize)> {
        let number = |at: usize| u32::from_be_bytes(self.bytes[at..at + 4].try_into().unwrap()) as usize;
        let (entries, index) = (number(96 + 8), 96 + 16);
        let entry = (0..entries).map(|n| index + 16 * n).find(|at| number(*at) == tag as usize)?;
        Some((index + 16 * entries + number(entry + 8), entry))
    }
}

#[test]
fn no_package_with_a_flipped_bit_is_accepted_that_rpm_refuses() {
    if !has_tool("rpm") {
        return;
    }
    let package = SignedPackage::new();
    assert!(package.rpm_accepts(&package.accepted(&package.bytes, "whole").unwrap()));
    let (mut accepted, mut refused) = (Vec::new(), 0);
    // All before the header, which the signature does not cover, and some of what it does. Of the space that is reserved
    // for signatures, thousands of zeros, and of the lead's name, a part is enough.
    let zeros = |at: usize| package.bytes[at.saturating_sub(16)..at + 16].iter().all(|byte| *byte == 0);
    let before = (0..package.header).filter(|at| at % 256 == 0 || !zeros(*at));
    let sample = (package.header..package.bytes.len()).step_by(37);
    for at in before.chain(sample) {
        for bit in [0x01, 0x80] {
            let mut bytes = package.bytes.clone();
            bytes[at] ^= bit;
            match package.accepted(&bytes, &format!("byte-{at}-{bit:02x}")) {
                Ok(path) => accepted.push(path),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 500 && !accepted.is_empty(), "{refused} {}", accepted.len());
    let refused_by_rpm: Vec<_> = accepted.iter().filter(|path| !package.rpm_accepts(path)).collect();
    let errors: Vec<_> = refused_by_rpm.iter().map(|path| package.error_output_of_rpm(path)).collect();
    assert!(errors.is_empty(), "{} of {}: {}", errors.len(), accepted.len(), errors.join("\n"));
}

#[test]
fn wrong_digest_of_the_header_is_refused_in_a_sentence_as_rpm_does() {
    if !has_tool("rpm") {
        return;
    }
    let package = SignedPackage::new();
    let mut found = 0;
    for (tag, digest) in [(273, "SHA-256 digest of the header"), (269, "SHA-1 digest of the header")] {
        let Some((data, _)) = package.find_signature_entry(tag) else { continue };
        found += 1;
        let mut bytes = package.bytes.clone();
        bytes[data] = if bytes[data] == b'0' { b'1' } else { b'0' };
        let message = package.accepted(&bytes, "wrong").unwrap_err();
        assert!(message.contains(digest) && message.contains("its signature header has"), "{message}");
        let path = package.folder.path().join("wrong.rpm");
        fs::write(&path, &bytes).unwrap();
        assert!(!package.rpm_accepts(&path), "tag {tag}");
        // Not of the form of a digest at all.
        bytes[data] = b'x';
        assert!(package.accepted(&bytes, "malformed").unwrap_err().contains("malformed"));
    }
    assert!(found > 0);
}

#[test]
fn wrong_or_missing_entries_of_the_signature_header_are_accepted_only_if_rpm_accepts_them() {
    if !has_tool("rpm") {
        return;
    }
    let package = SignedPackage::new();
    let (mut accepted, mut wrong) = (0, Vec::new());
    // Each entry in turn gets another tag, type or count.
    let number = |at: usize| u32::from_be_bytes(package.bytes[at..at + 4].try_into().unwrap());
    for entry in (0..number(104) as usize).map(|n| 112 + 16 * n) {
        for (field, values) in [
            (0, [0, 62, 99, 267, 268, 269, 273, 1000, 1002, 1004, 1005, 1007, 5092].as_slice()),
            (4, &[0, 1, 4, 5, 6, 7, 8, 9, 10]),
            (8, &[0, 1, 8, 16, 4096]),
            (12, &[0, 1, 2, 15, 16, 17, 64, 65]),
        ] {
            for value in values {
                let mut bytes = package.bytes.clone();
                bytes[entry + field..entry + field + 4].copy_from_slice(&u32::to_be_bytes(*value));
                if let Ok(path) = package.accepted(&bytes, "edited") {
                    accepted += 1;
                    if !package.rpm_accepts(&path) {
                        wrong.push(format!(
                            "{}, {field}: {value}: {}",
                            number(entry),
                            package.error_output_of_rpm(&path)
                        ));
                    }
                }
            }
        }
    }
    assert!(accepted > 0, "what is not changed is accepted");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
