//! The host's own files: where they are under a root, and how they are written.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::command_error::CommandError;

/// The root of a host: `/`, or the folder given with `--root`. No link leads out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPaths {
    path: PathBuf,
    membership: PathBuf,
    node_key: PathBuf,
    package_keys: PathBuf,
    authorities: PathBuf,
    state: PathBuf,
}

impl HostPaths {
    /// The root at `path`, which need not be there yet; the folder above it must be.
    pub(crate) fn new(path: &Path) -> Result<Self, CommandError> {
        let above = path.parent().unwrap_or(path);
        if !path.is_dir() && !above.is_dir() {
            return Err(CommandError::input(format!(
                "--root {}: there is no folder {} to hold it",
                path.display(),
                above.display()
            ))
            .with_hint("check the path; punch makes the last folder of it and no other"));
        }
        let at = |file: &str| {
            converge::path_in_root(path, file)
                .map_err(|error| CommandError::cannot_read(&path.join(file), &error))
        };
        Ok(Self {
            path: path.to_owned(),
            membership: at("etc/geppetto/punch.yaml")?,
            node_key: at("etc/geppetto/trust/node.pub")?,
            package_keys: at("etc/geppetto/trust/packages.asc")?,
            authorities: at("etc/geppetto/trust/ca.pem")?,
            state: at("var/lib/geppetto/punch")?,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How punch reaches the back-office: address, server name and credential.
    pub(crate) fn membership(&self) -> &Path {
        &self.membership
    }

    /// The key node files must be signed with, in base64.
    pub(crate) fn node_key(&self) -> &Path {
        &self.node_key
    }

    /// The keys packages must be signed with, armored.
    pub(crate) fn package_keys(&self) -> &Path {
        &self.package_keys
    }

    /// A certificate authority of one's own, in PEM; replaces the public ones.
    pub(crate) fn authorities(&self) -> &Path {
        &self.authorities
    }

    /// The last good node file.
    pub(crate) fn last_good(&self) -> PathBuf {
        self.state.join("node.yaml")
    }

    /// What the back-office called the last good node file (its ETag).
    pub(crate) fn last_good_tag(&self) -> PathBuf {
        self.state.join("node.etag")
    }

    /// The highest generation a run ever began, and its digest.
    pub(crate) fn begun_generation(&self) -> PathBuf {
        self.state.join("begun.json")
    }

    /// An empty file whose modification time is the last contact with the back-office.
    pub(crate) fn last_contact(&self) -> PathBuf {
        self.state.join("last-contact")
    }

    /// Reports the back-office has not got yet.
    pub(crate) fn unsent_reports(&self) -> PathBuf {
        self.state.join("outbox")
    }

    /// Packages and metadata already fetched.
    pub(crate) fn cache(&self) -> PathBuf {
        self.state.join("cache")
    }
}

/// Reads a text file; `None` when there is none.
pub(crate) fn read_optional(path: &Path) -> Result<Option<String>, CommandError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(CommandError::cannot_read(path, &error)),
    }
}

/// Creates a folder and its parents with mode 0755, whatever the umask.
pub(crate) fn create_host_folder(path: &Path) -> Result<(), CommandError> {
    converge::create_host_folder(path).map_err(|error| CommandError::cannot_write(path, &error))
}

/// Makes a folder only its owner can look into, with its parents.
pub(crate) fn create_private_folder(path: &Path) -> Result<(), CommandError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| CommandError::cannot_write(path, &error))
}

/// Replaces a file atomically with `mode`; its folder must exist.
pub(crate) fn replace_file(path: &Path, content: &[u8], mode: u32) -> Result<(), CommandError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    write_and_rename(&aside, path, content, mode).map_err(|error| {
        let _nothing_to_clean = fs::remove_file(&aside);
        CommandError::cannot_write(path, &error)
    })
}

fn write_and_rename(aside: &Path, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // A leftover of a killed run may have another mode: it is made anew.
    match fs::remove_file(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(aside, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file; it need not be there.
pub(crate) fn remove_optional(path: &Path) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CommandError::cannot_write(path, &error))
        }
        _ => Ok(()),
    }
}
