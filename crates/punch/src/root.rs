//! The host's own files: where they are under a root, and how they are written.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// The root of a host: `/`, or the folder given with `--root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// How punch reaches the back-office: address, server name and credential.
    pub(crate) fn membership(&self) -> PathBuf {
        self.0.join("etc/geppetto/punch.yaml")
    }

    /// The key node files must be signed with, in base64.
    pub(crate) fn node_key(&self) -> PathBuf {
        self.0.join("etc/geppetto/trust/node.pub")
    }

    /// The keys packages must be signed with, armored.
    pub(crate) fn package_keys(&self) -> PathBuf {
        self.0.join("etc/geppetto/trust/packages.asc")
    }

    /// A certificate authority of one's own, in PEM; replaces the public ones.
    pub(crate) fn authorities(&self) -> PathBuf {
        self.0.join("etc/geppetto/trust/ca.pem")
    }

    /// Where punch keeps what it must remember.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("var/lib/geppetto/punch")
    }

    /// The last good node file.
    pub(crate) fn last_good(&self) -> PathBuf {
        self.state().join("node.yaml")
    }

    /// What the back-office called the last good node file (its ETag).
    pub(crate) fn last_good_tag(&self) -> PathBuf {
        self.state().join("node.etag")
    }

    /// Reports the back-office has not got yet.
    pub(crate) fn outbox(&self) -> PathBuf {
        self.state().join("outbox")
    }

    /// Packages and metadata already fetched.
    pub(crate) fn cache(&self) -> PathBuf {
        self.state().join("cache")
    }
}

/// Reads a text file; `None` when there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Failure::reading(path, &error)),
    }
}

/// Makes a folder only its owner can look into, with its parents.
pub(crate) fn private_folder(path: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Failure::writing(path, &error))
}

/// Replaces a file whole or not at all, readable as `mode` says; its folder must exist.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    write_and_rename(&aside, path, content, mode).map_err(|error| {
        let _nothing_to_clean = fs::remove_file(&aside);
        Failure::writing(path, &error)
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
pub(crate) fn remove_if_there(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::writing(path, &error)),
        _ => Ok(()),
    }
}
