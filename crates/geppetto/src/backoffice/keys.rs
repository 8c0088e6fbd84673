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

use crate::{
    command_error::{DISK_FULL_HINT, GeppettoCommandError},
    data_folder::create_secret_file,
};

/// A kind of 32-byte key, and the words of its errors.
struct KeyKind {
    name: &'static str,
    /// What its holder can do.
    power: &'static str,
    /// What to do when others may have it.
    lost: &'static str,
    /// What to do when it is damaged.
    damaged: &'static str,
}

const NODE: KeyKind = KeyKind {
    name: "node key",
    power: "its holder can command every server",
    lost: "replace it and let every server join again",
    damaged: "restore it from a backup, or copy it from another control plane on this database; a new key would be refused by every server until it joins again",
};

const STORE: KeyKind = KeyKind {
    name: "store key",
    power: "its holder can read every secret in the database",
    lost: "change the secrets in the estate",
    damaged: "restore it from a backup, or copy it from another control plane on this database; without it nothing in the database can be read",
};

/// The key that signs node files. It is made if there is none, unless the database was `used` with one before.
pub(super) fn load_or_create_node_key(
    path: &Path,
    used: bool,
    random: &mut (impl RngCore + CryptoRng),
) -> Result<SigningKey, GeppettoCommandError> {
    Ok(SigningKey::from_bytes(&key(path, &NODE, used, random)?))
}

/// The key that seals what is secret in the database. It is made if there is none, unless the database was `used`
/// with one before.
pub(super) fn load_or_create_database_key(
    path: &Path,
    used: bool,
    random: &mut (impl RngCore + CryptoRng),
) -> Result<[u8; 32], GeppettoCommandError> {
    key(path, &STORE, used, random)
}

/// Reads a key, or makes one if there is none and never was.
fn key(
    path: &Path,
    kind: &KeyKind,
    used: bool,
    random: &mut (impl RngCore + CryptoRng),
) -> Result<[u8; 32], GeppettoCommandError> {
    // A new key would open and sign nothing, and stand where the right one is to be put.
    if used && !path.exists() {
        let message =
            format!("the {} `{}` is missing, and the database was used with one", kind.name, path.display());
        return Err(GeppettoCommandError::invalid_input_error(message).with_hint(kind.damaged));
    }
    if !path.exists() {
        let mut seed = [0; 32];
        random.fill_bytes(&mut seed);
        match create_secret_file(path, format!("{}\n", STANDARD.encode(seed)).as_bytes()) {
            Ok(()) => {}
            // Another process created the key at the same moment: its key is used.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                let message = format!("`{}` could not be written: {error}", path.display());
                let hint = "run it as the user whose data folder it is";
                return Err(GeppettoCommandError::from_io_error(message, &error, hint));
            }
        }
    }
    read(path, kind)
}

fn read(path: &Path, kind: &KeyKind) -> Result<[u8; 32], GeppettoCommandError> {
    let KeyKind { name, power, lost, damaged } = kind;
    let shown = path.display();
    let unreadable = |error: io::Error| {
        GeppettoCommandError::invalid_input_error(format!("the key `{shown}` could not be read: {error}"))
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(GeppettoCommandError::invalid_input_error(format!(
            "others than its owner may read the key `{shown}` (mode {:04o}); {power}",
            mode & 0o7777
        ))
        .with_hint(format!("if nobody read it, run `chmod 600 {shown}`; else {lost}")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let seed: Option<[u8; 32]> = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    seed.ok_or_else(|| {
        GeppettoCommandError::invalid_input_error(format!("`{shown}` is not a {name} (32 bytes in base64)"))
            .with_hint(*damaged)
    })
}

/// Opens the repository, or makes one with a key of its own if there is none.
pub(super) fn open_or_create_repository(
    root: &Path,
    now_us: i64,
) -> Result<Repository, GeppettoCommandError> {
    let unusable = |error: &dyn std::fmt::Display| {
        GeppettoCommandError::invalid_input_error(format!("the repository cannot be used: {error}"))
    };
    let failed = |error: RepositoryError| match error.is_disk_full() {
        true => {
            GeppettoCommandError::operation_failed_error(format!("the repository cannot be used: {error}"))
                .with_hint(DISK_FULL_HINT)
        }
        false => unusable(&error),
    };
    if !Repository::is_repository(root) {
        let created = u32::try_from(now_us / 1_000_000).unwrap_or(u32::MAX);
        let key = SecretKey::generate_secret_key("Geppetto repository", created)
            .map_err(|error| unusable(&error))?;
        match Repository::create_repository(root, key) {
            Ok(repository) => return Ok(repository),
            // Another process created the repository at the same moment: it is used.
            Err(RepositoryError::Exists { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Repository::open_repository_and_clean_incoming(root).map_err(failed)
}

/// The public half, as servers keep it: base64.
pub(super) fn public_key_base64(key: &SigningKey) -> String {
    STANDARD.encode(key.verifying_key().as_bytes())
}

#[cfg(test)]
mod tests {
    use rand::rngs::OsRng;

    use super::*;

    #[test]
    fn key_is_made_once_and_read_back_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        let made = load_or_create_node_key(&path, false, &mut OsRng).unwrap();
        assert_eq!(load_or_create_node_key(&path, false, &mut OsRng).unwrap().to_bytes(), made.to_bytes());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn missing_key_of_a_used_database_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        let error = load_or_create_database_key(&path, true, &mut OsRng).unwrap_err().to_string();
        assert!(error.contains("the store key") && error.contains("backup"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn key_that_others_can_read_or_that_is_malformed_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        load_or_create_node_key(&path, false, &mut OsRng).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load_or_create_node_key(&path, false, &mut OsRng).unwrap_err().to_string();
        assert!(error.contains("mode 0644") && error.contains("chmod 600"), "{error}");
        assert!(!error.contains(text.trim()));
        fs::write(&path, "c2hvcnQ=").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = load_or_create_node_key(&path, false, &mut OsRng).unwrap_err().to_string();
        assert!(error.contains("is not a node key"), "{error}");
    }
}
