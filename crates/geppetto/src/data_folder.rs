//! The data folder: where everything of a control plane lies, and who may read it.
//!
//! ```text
//! geppetto.db          the database, unless it is one of PostgreSQL
//! keys/node.key        signs node files
//! keys/store.key       seals the revisions and node files in the database, which hold secret values
//! keys/authority.pem   the control plane's own certificate authority, if its TLS certificate is not given
//! repository/          packages and channels, and the key that signs their metadata, unless it is a shared folder
//! geppetto.sock        while it serves: the socket of the local administrator
//! serve.url            while it serves: its URL
//! ```
//! The folder is 0700, files with secrets 0600. A copy of the database alone shows no secret; a backup needs both.
//! Control planes on one database have the same `keys`, each in a data folder of its own.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{
    command_error::GeppettoCommandError,
    store::{DatabaseLocation, DatabaseUrl},
};

/// Present in a data folder until a recovery into it has completed.
pub(crate) const RECOVERY_MARK: &str = "recovery-not-completed";

/// Present in a data folder while a control plane serves from it.
pub(crate) const URL_FILE: &str = "serve.url";

/// The folder of a control plane, and what of it lies elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder {
    root: PathBuf,
    database: Option<DatabaseUrl>,
    repository: Option<PathBuf>,
}

impl DataFolder {
    /// The folder as it is, or is not: nothing is made or looked at.
    pub(crate) fn new_without_creating(
        root: &Path,
        database: Option<DatabaseUrl>,
        repository: Option<PathBuf>,
    ) -> Self {
        Self { root: root.to_owned(), database, repository }
    }

    /// Refuses a folder in which no control plane was ever started, or whose database is elsewhere.
    pub(crate) fn require_used_before(&self) -> Result<(), GeppettoCommandError> {
        self.refuse_interrupted_recovery()?;
        if let Err(error) = fs::symlink_metadata(self.database_key_path()) {
            let why = match error.kind() {
                io::ErrorKind::NotFound if !self.root.exists() => "there is no such folder".to_owned(),
                io::ErrorKind::NotFound => "it has no `keys/store.key`".to_owned(),
                _ => format!("its `keys/store.key` cannot be looked at: {error}"),
            };
            return Err(GeppettoCommandError::invalid_input_error(format!(
                "there is no control plane in `{}`: {why}",
                self.root.display()
            ))
            .with_hint("name its data folder with --data DIR, and run this as the user who serves it"));
        }
        match self.database_location() {
            DatabaseLocation::File(file) if !file.exists() => {
                Err(GeppettoCommandError::invalid_input_error(format!(
                    "the control plane in `{}` has no database there: `{}` is missing",
                    self.root.display(),
                    file.display()
                ))
                .with_hint(
                    "if it is on PostgreSQL, give its URL by --database or GEPPETTO_DATABASE, as `geppetto serve` has it \
                     (the service has it in /etc/geppetto/geppetto.env)",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a folder into which a backup was recovered only in part.
    fn refuse_interrupted_recovery(&self) -> Result<(), GeppettoCommandError> {
        if !self.root.join(RECOVERY_MARK).exists() {
            return Ok(());
        }
        Err(GeppettoCommandError::invalid_input_error(format!(
            "the recovery of a backup into `{}` was interrupted: the data there is incomplete",
            self.root.display()
        ))
        .with_hint(
            "empty that folder (and the folder given by --repository, and the database given by --database), then run \
             `geppetto recover` again",
        ))
    }

    /// Makes what is missing of the folder. The database is a file in it, or at a URL; the repository is in it, or in a
    /// shared folder.
    pub(crate) fn create_missing_parts(&self) -> Result<(), GeppettoCommandError> {
        let (folder, root) = (self, &self.root);
        let failed = |path: &Path, error: io::Error| {
            let message = format!("the data folder `{}` could not be made: {error}", path.display());
            GeppettoCommandError::from_io_error(
                message,
                &error,
                "choose a folder you may write to with --data DIR",
            )
        };
        folder.refuse_interrupted_recovery()?;
        folder.refuse_folder_of_others()?;
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
        if let DatabaseLocation::File(database) = folder.database_location()
            && !database.exists()
        {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&database)
                .map_err(|error| failed(&database, error))?;
        }
        Ok(())
    }

    /// Refuses a folder in which something lies, but nothing of a control plane: it was probably meant for something else,
    /// and would be closed to everybody who uses it.
    fn refuse_folder_of_others(&self) -> Result<(), GeppettoCommandError> {
        // A folder that cannot be listed is reported when it is used.
        let Ok(entries) = fs::read_dir(&self.root) else { return Ok(()) };
        let names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        // Any of them can be a file system of its own, mounted before the first start.
        let is_ours = |name: &OsString| ["keys", "geppetto.db", "repository"].iter().any(|own| name == own);
        // The root of a file system of its own is as good as empty.
        match names.iter().find(|name| *name != "lost+found") {
            Some(other) if !names.iter().any(is_ours) => {
                Err(GeppettoCommandError::invalid_input_error(format!(
                    "`{}` is not the data folder of a control plane, and it is not empty: `{}` lies in it",
                    self.root.display(),
                    other.display()
                ))
                .with_hint("choose an empty folder, or one that does not exist yet, with --data DIR"))
            }
            _ => Ok(()),
        }
    }

    /// The folder itself.
    pub(crate) fn folder_path(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub(crate) fn database_location(&self) -> DatabaseLocation {
        match &self.database {
            Some(url) => DatabaseLocation::Url(url.clone()),
            None => DatabaseLocation::File(self.root.join("geppetto.db")),
        }
    }

    /// The file with the URL of the control plane that serves from here.
    pub(crate) fn url_file_path(&self) -> PathBuf {
        self.root.join(URL_FILE)
    }

    /// The socket of the local administrator.
    pub(crate) fn socket_path(&self) -> PathBuf {
        self.root.join("geppetto.sock")
    }

    fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The key that signs node files.
    pub(crate) fn node_key_path(&self) -> PathBuf {
        self.keys().join("node.key")
    }

    /// The key that seals what is secret in the database.
    pub(crate) fn database_key_path(&self) -> PathBuf {
        self.keys().join("store.key")
    }

    /// The key and certificate of the control plane's own certificate authority.
    pub(crate) fn own_authority_path(&self) -> PathBuf {
        self.keys().join("authority.pem")
    }

    /// The repository's folder.
    pub(crate) fn repository_path(&self) -> PathBuf {
        self.repository.clone().unwrap_or_else(|| self.root.join("repository"))
    }
}

/// Writes a file that only its owner may read: aside, synced, then put in place, never over an existing one.
///
/// `AlreadyExists` when there is one: of two programs that start on an empty folder, both must go on with the
/// same key.
pub(crate) fn create_secret_file(path: &Path, content: &[u8]) -> io::Result<()> {
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

    fn create(root: &Path) -> Result<DataFolder, GeppettoCommandError> {
        let folder = DataFolder::new_without_creating(root, None, None);
        folder.create_missing_parts().map(|()| folder)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn folder_of_something_else_is_refused_and_left_as_it_was() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("home");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.join("lost+found")).unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        let error = create(&folder).unwrap_err();
        assert!(error.to_string().contains("`notes.txt` lies in it"), "{error}");
        assert_eq!((mode(&folder), fs::read_dir(&folder).unwrap().count()), (0o755, 2));
        fs::remove_file(folder.join("notes.txt")).unwrap();
        create(&folder).unwrap();
        // What a first start that was killed has left is completed.
        fs::remove_file(folder.join("geppetto.db")).unwrap();
        create(&folder).unwrap();
    }

    #[test]
    fn files_with_secrets_are_readable_by_their_owner_only() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("data");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = create(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&root.join("geppetto.db")), 0o600);
        assert_eq!(mode(&root.join("keys")), 0o700);
        create_secret_file(&folder.node_key_path(), b"x").unwrap();
        assert_eq!(mode(&folder.node_key_path()), 0o600);
        let again = create_secret_file(&folder.node_key_path(), b"y").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(folder.node_key_path()).unwrap(), b"x");
    }
}
