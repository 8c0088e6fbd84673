//! Files already fetched, by their checksum: `cache/SHA256/NAME`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::command_error::io_error_text;

/// A folder of fetched files.
pub(crate) struct PackageCache(PathBuf);

impl PackageCache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where a file with this checksum is, or would be.
    pub(super) fn path(&self, sha256: &str, name: &str) -> PathBuf {
        self.0.join(sha256).join(name)
    }

    /// The file with this checksum, if it is there and whole. A damaged one is thrown away.
    pub(super) fn find_verified(&self, sha256: &str, name: &str) -> Option<PathBuf> {
        let path = self.path(sha256, name);
        match digest(&path) {
            Ok(found) if found == sha256 => Some(path),
            Ok(_) => {
                let _refetched = fs::remove_file(&path);
                None
            }
            Err(_) => None,
        }
    }

    /// Stores what `write` writes if it returns the right checksum; leaves nothing otherwise.
    pub(super) fn store<E>(
        &self,
        sha256: &str,
        name: &str,
        storing: impl Fn(String) -> E,
        write: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let path = self.path(sha256, name);
        let folder = self.0.join(sha256);
        let failed = |error: io::Error| {
            storing(format!("{} cannot be written: {}", folder.display(), io_error_text(&error)))
        };
        crate::host_paths::create_private_folder(&folder).map_err(|failure| storing(failure.message))?;
        let mut aside = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
        write(aside.as_file_mut())?;
        aside.as_file().sync_all().map_err(failed)?;
        aside.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }

    /// Forgets every file whose checksum is not in `keep`.
    pub(crate) fn retain(&self, keep: &BTreeSet<String>) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_none_or(|name| !keep.contains(name)) {
                // What cannot be removed now is tried again after the next run.
                let _later = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn digest(path: &Path) -> io::Result<String> {
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
    fn a_damaged_file_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PackageCache::new(folder.path().join("cache"));
        let stored = cache.store(EMPTY, "a.rpm", |why| why, |_| Ok(())).unwrap();
        assert_eq!(cache.find_verified(EMPTY, "a.rpm").as_deref(), Some(stored.as_path()));
        fs::write(&stored, "rot").unwrap();
        assert_eq!(cache.find_verified(EMPTY, "a.rpm"), None);
        assert!(!stored.exists());
    }

    #[test]
    fn a_transfer_that_fails_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PackageCache::new(folder.path().to_owned());
        assert!(cache.store(EMPTY, "a.rpm", |why| why, |_| Err("broke off".to_owned())).is_err());
        assert_eq!(fs::read_dir(folder.path().join(EMPTY)).unwrap().count(), 0);
    }

    #[test]
    fn only_what_is_still_needed_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PackageCache::new(folder.path().to_owned());
        cache.store(EMPTY, "a.rpm", |why| why, |_| Ok(())).unwrap();
        cache.store("0ld", "b.rpm", |why| why, |_| Ok(())).unwrap();
        cache.retain(&BTreeSet::from([EMPTY.to_owned()]));
        assert!(cache.find_verified(EMPTY, "a.rpm").is_some());
        assert!(!folder.path().join("0ld").exists());
    }
}
