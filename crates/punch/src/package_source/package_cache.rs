//! Files already fetched, by their checksum: `cache/SHA256/NAME`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use converge::{HostRoot, PUNCH_STATE_FOLDER};
use sha2::{Digest, Sha256};

use crate::command_error::io_error_reason_text;

/// Where the cache is on a host.
fn folder() -> String {
    format!("{PUNCH_STATE_FOLDER}/cache")
}

/// A folder of fetched files.
pub(crate) struct VerifiedFileCache {
    root: HostRoot,
}

impl VerifiedFileCache {
    /// The cache of the host with this root.
    pub(crate) fn new(root: &HostRoot) -> Self {
        Self { root: root.clone() }
    }

    /// The file with this checksum, if it is there and whole. A damaged one is thrown away.
    pub(super) fn find_file_or_remove_damaged(&self, sha256: &str, name: &str) -> Option<PathBuf> {
        let path = self.root.canonical_path_on_this_machine(&path(sha256, name)).ok()?;
        match sha256_of_file(&path) {
            Ok(found) if found == sha256 => Some(path),
            Ok(_) => {
                let _refetched = fs::remove_file(&path);
                None
            }
            Err(_) => None,
        }
    }

    /// Stores what `write` writes if it returns the right checksum; leaves nothing otherwise.
    pub(super) fn store_file_if_checksum_matches<E>(
        &self,
        sha256: &str,
        name: &str,
        storing: impl Fn(String) -> E,
        write: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let path = path(sha256, name);
        let failed = |error: io::Error| {
            let shown = self.root.display_path(&path);
            storing(format!("{} cannot be written: {}", shown.display(), io_error_reason_text(&error)))
        };
        for folder in [PUNCH_STATE_FOLDER, &folder(), &format!("{}/{sha256}", folder())] {
            self.root.create_private_folder(folder).map_err(failed)?;
        }
        self.root.replace_file_by_writer(&path, 0o600, write, failed)?;
        self.root.canonical_path_on_this_machine(&path).map_err(failed)
    }

    /// Forgets every file whose checksum is not in `keep`.
    pub(crate) fn remove_all_files_except(&self, keep: &BTreeSet<String>) {
        let Ok(entries) = self.root.canonical_path_on_this_machine(&folder()).and_then(fs::read_dir) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_none_or(|name| !keep.contains(name)) {
                // What cannot be removed now is tried again after the next run.
                let _later = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Where the file with this checksum is, or would be.
fn path(sha256: &str, name: &str) -> String {
    format!("{}/{sha256}/{name}", folder())
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn damaged_cache_file_is_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let cache = VerifiedFileCache::new(&HostRoot::new(folder.path()));
        let stored = cache.store_file_if_checksum_matches(EMPTY, "a.rpm", |why| why, |_| Ok(())).unwrap();
        assert_eq!(cache.find_file_or_remove_damaged(EMPTY, "a.rpm").as_deref(), Some(stored.as_path()));
        fs::write(&stored, "rot").unwrap();
        assert_eq!(cache.find_file_or_remove_damaged(EMPTY, "a.rpm"), None);
        assert!(!stored.exists());
    }

    #[test]
    fn transfer_that_fails_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = VerifiedFileCache::new(&HostRoot::new(folder.path()));
        assert!(
            cache
                .store_file_if_checksum_matches(EMPTY, "a.rpm", |why| why, |_| Err("broke off".to_owned()))
                .is_err()
        );
        assert_eq!(
            cache.root.list_folder_or_empty(&format!("{}/{EMPTY}", super::folder())).unwrap().len(),
            0
        );
    }

    #[test]
    fn cache_keeps_only_needed_files() {
        let folder = tempfile::tempdir().unwrap();
        let cache = VerifiedFileCache::new(&HostRoot::new(folder.path()));
        cache.store_file_if_checksum_matches(EMPTY, "a.rpm", |why| why, |_| Ok(())).unwrap();
        cache.store_file_if_checksum_matches("0ld", "b.rpm", |why| why, |_| Ok(())).unwrap();
        cache.remove_all_files_except(&BTreeSet::from([EMPTY.to_owned()]));
        assert!(cache.find_file_or_remove_damaged(EMPTY, "a.rpm").is_some());
        assert!(cache.root.list_folder_or_empty(&super::folder()).unwrap() == [EMPTY]);
    }
}
