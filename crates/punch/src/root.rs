//! The host's own files: where they are under a root, and how they are written.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::failure::CommandError;

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
            .hint("check the path; punch makes the last folder of it and no other"));
        }
        let at = |file: &str| {
            converge::rooted(path, file).map_err(|error| CommandError::reading(&path.join(file), &error))
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
    pub(crate) fn begun(&self) -> PathBuf {
        self.state.join("begun.json")
    }

    /// An empty file as old as the back-office's last word.
    pub(crate) fn heard(&self) -> PathBuf {
        self.state.join("heard")
    }

    /// Reports the back-office has not got yet.
    pub(crate) fn outbox(&self) -> PathBuf {
        self.state.join("outbox")
    }

    /// Packages and metadata already fetched.
    pub(crate) fn cache(&self) -> PathBuf {
        self.state.join("cache")
    }
}

/// Reads a text file; `None` when there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, CommandError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(CommandError::reading(path, &error)),
    }
}

/// Makes a folder of the host, with those above it: everybody may look into them, whatever the umask.
pub(crate) fn host_folder(path: &Path) -> Result<(), CommandError> {
    converge::host_folder(path).map_err(|error| CommandError::writing(path, &error))
}

/// Makes a folder only its owner can look into, with its parents.
pub(crate) fn private_folder(path: &Path) -> Result<(), CommandError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| CommandError::writing(path, &error))
}

/// Replaces a file whole or not at all, readable as `mode` says; its folder must exist.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), CommandError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    write_and_rename(&aside, path, content, mode).map_err(|error| {
        let _nothing_to_clean = fs::remove_file(&aside);
        CommandError::writing(path, &error)
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
pub(crate) fn remove_if_there(path: &Path) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CommandError::writing(path, &error)),
        _ => Ok(()),
    }
}
