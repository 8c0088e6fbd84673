//! The keys of a control plane, made once and kept in the data folder: one signs node files, one the
//! repository's metadata.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use packaging::{
    openpgp::SecretKey,
    repository::{Repository, RepositoryError},
};
use rand::{CryptoRng, RngCore};

use crate::{daemon_error::DaemonError, data_folder::write_secret};

/// A kind of 32-byte key and its error messages.
struct SealingKey {
    name: &'static str,
    /// What its holder can do.
    power: &'static str,
    /// What to do when others may have it.
    lost: &'static str,
    /// What to do when it is damaged.
    damaged: &'static str,
}

const NODE: SealingKey = SealingKey {
    name: "node key",
    power: "its holder can command every server",
    lost: "replace it and let every server join again",
    damaged: "restore it from a backup; a new key would be refused by every server until it joins again",
};

const STORE: SealingKey = SealingKey {
    name: "store key",
    power: "its holder can read every secret in the database",
    lost: "change the secrets in the estate",
    damaged: "restore it from a backup; without it nothing in the database can be read",
};

/// The key that signs node files; it is made if there is none.
pub fn node_key(path: &Path, chance: &mut (impl RngCore + CryptoRng)) -> Result<SigningKey, DaemonError> {
    Ok(SigningKey::from_bytes(&key(path, &NODE, chance)?))
}

/// The key that seals what is secret in `database`; it is made if there is neither.
pub fn store_key(
    path: &Path,
    database: &Path,
    chance: &mut (impl RngCore + CryptoRng),
) -> Result<[u8; 32], DaemonError> {
    // A new key would open nothing, and stand where the old one is to be put back. An empty file is a database
    // that was never written to.
    let written = fs::metadata(database).is_ok_and(|database| database.len() > 0);
    if written && !path.exists() {
        return Err(DaemonError::input(format!("the {} `{}` is not there", STORE.name, path.display()))
            .with_hint(STORE.damaged));
    }
    key(path, &STORE, chance)
}

/// Reads a key, or makes one if there is none.
fn key(
    path: &Path,
    sort: &SealingKey,
    chance: &mut (impl RngCore + CryptoRng),
) -> Result<[u8; 32], DaemonError> {
    if !path.exists() {
        let mut seed = [0; 32];
        chance.fill_bytes(&mut seed);
        match write_secret(path, format!("{}\n", STANDARD.encode(seed)).as_bytes()) {
            Ok(()) => {}
            // Another process created the key at the same moment: its key is used.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(DaemonError::failed(format!(
                    "`{}` could not be written: {error}",
                    path.display()
                )));
            }
        }
    }
    read(path, sort)
}

fn read(path: &Path, sort: &SealingKey) -> Result<[u8; 32], DaemonError> {
    let SealingKey { name, power, lost, damaged } = sort;
    let shown = path.display();
    let unreadable =
        |error: io::Error| DaemonError::input(format!("the key `{shown}` could not be read: {error}"));
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(DaemonError::input(format!(
            "others than its owner may read the key `{shown}` (mode {:04o}); {power}",
            mode & 0o7777
        ))
        .with_hint(format!("if nobody read it, run `chmod 600 {shown}`; else {lost}")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let seed: Option<[u8; 32]> = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    seed.ok_or_else(|| {
        DaemonError::input(format!("`{shown}` is not a {name} (32 bytes in base64)")).with_hint(*damaged)
    })
}

/// Opens the repository, or makes one with a key of its own if there is none.
pub fn repository(root: &Path, now_us: i64) -> Result<Repository, DaemonError> {
    let failed =
        |error: &dyn std::fmt::Display| DaemonError::input(format!("the repository cannot be used: {error}"));
    if !Repository::exists(root) {
        let created = u32::try_from(now_us / 1_000_000).unwrap_or(u32::MAX);
        let key = SecretKey::generate("Geppetto repository", created).map_err(|error| failed(&error))?;
        match Repository::create(root, key) {
            Ok(repository) => return Ok(repository),
            // Another process created the repository at the same moment: it is used.
            Err(RepositoryError::Exists { .. }) => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Repository::open(root).map_err(|error| failed(&error))
}

/// The public half, as servers keep it: base64.
pub fn public_text(key: &SigningKey) -> String {
    STANDARD.encode(key.verifying_key().as_bytes())
}

#[cfg(test)]
mod tests {
    use rand::rngs::OsRng;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        let made = node_key(&path, &mut OsRng).unwrap();
        assert_eq!(node_key(&path, &mut OsRng).unwrap().to_bytes(), made.to_bytes());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_others_can_read_or_that_is_none_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        node_key(&path, &mut OsRng).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = node_key(&path, &mut OsRng).unwrap_err().to_string();
        assert!(error.contains("mode 0644") && error.contains("chmod 600"), "{error}");
        assert!(!error.contains(text.trim()));
        fs::write(&path, "c2hvcnQ=").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = node_key(&path, &mut OsRng).unwrap_err().to_string();
        assert!(error.contains("is not a node key"), "{error}");
    }
}
