//! The data folder: where everything of a control plane lies, and who may read it.
//!
//! ```text
//! geppetto.db          revisions, node files, hashes of tokens, reports, the audit log
//! keys/node.key        signs node files
//! keys/store.key       seals the revisions and node files in the database, which hold secret values
//! repository/          packages and channels, and the key that signs their metadata
//! admin.token          the first token, readable by whoever can read this folder
//! ```
//! The folder is 0700, files with secrets 0600. A copy of the database alone shows no secret; a backup needs both.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::daemon_error::DaemonError;

/// The folder of a control plane.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Opens the folder of a control plane that exists.
    pub fn open(root: &Path) -> Result<Self, DaemonError> {
        let folder = Self { root: root.to_owned() };
        if !folder.database().is_file() {
            return Err(DaemonError::input(format!("there is no control plane in `{}`", root.display())).with_hint(
                "name its folder by --data DIR or GEPPETTO_DATA, or make a new one with `geppetto init --data DIR`",
            ));
        }
        Ok(folder)
    }

    /// Opens the folder and makes what is missing of it.
    pub fn create(root: &Path) -> Result<Self, DaemonError> {
        let folder = Self { root: root.to_owned() };
        let failed = |path: &Path, error: io::Error| {
            DaemonError::input(format!("the data folder `{}` could not be made: {error}", path.display()))
                .with_hint("choose a folder you may write to with --data DIR")
        };
        for path in [folder.root.clone(), folder.keys()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|error| failed(&path, error))?;
        }
        // The folder may have been there before, made with the usual mode.
        let mode = fs::metadata(&folder.root).map_err(|error| failed(root, error))?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(&folder.root, fs::Permissions::from_mode(0o700))
                .map_err(|error| failed(root, error))?;
        }
        // SQLite gives its write-ahead log the mode of the database file.
        let database = folder.database();
        if !database.exists() {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&database)
                .map_err(|error| failed(&database, error))?;
        }
        Ok(folder)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.root.join("geppetto.db")
    }

    fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The key that signs node files.
    pub fn node_key(&self) -> PathBuf {
        self.keys().join("node.key")
    }

    /// The key that seals what is secret in the database.
    pub fn store_key(&self) -> PathBuf {
        self.keys().join("store.key")
    }

    /// The repository's folder.
    pub fn repository(&self) -> PathBuf {
        self.root.join("repository")
    }

    /// The first token.
    pub fn admin_token(&self) -> PathBuf {
        self.root.join("admin.token")
    }
}

/// Writes a file that only its owner may read: aside, synced, then put in place, never over an existing one.
///
/// `AlreadyExists` when there is one: of two programs that start on an empty folder, both must go on with the
/// same key.
pub fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // A temporary file is 0600 from its first moment.
    let mut aside = tempfile::NamedTempFile::new_in(folder)?;
    aside.write_all(content)?;
    aside.as_file().sync_all()?;
    aside.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_holds_secrets_is_readable_by_its_owner_only() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("data");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = DataFolder::create(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&folder.database()), 0o600);
        assert_eq!(mode(&root.join("keys")), 0o700);
        write_secret(&folder.node_key(), b"x").unwrap();
        assert_eq!(mode(&folder.node_key()), 0o600);
        let again = write_secret(&folder.node_key(), b"y").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(folder.node_key()).unwrap(), b"x");
    }

    #[test]
    fn a_folder_without_a_control_plane_is_named_with_what_to_do() {
        let temporary = tempfile::tempdir().unwrap();
        let error = DataFolder::open(temporary.path()).unwrap_err().to_string();
        assert!(error.contains("there is no control plane in"), "{error}");
        assert!(error.contains("geppetto init"), "{error}");
    }
}
