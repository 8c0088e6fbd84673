//! Punch's own files on a host: where they are, and reading and writing them with errors for people.

use std::path::{Path, PathBuf};

use converge::HostRoot;

use crate::command_error::CommandError;

/// How punch reaches the back-office: address, server name and credential.
pub(crate) const MEMBERSHIP_PATH: &str = "/etc/geppetto/punch.yaml";
/// The key node files must be signed with, in base64.
pub(crate) const NODE_KEY_PATH: &str = "/etc/geppetto/trust/node.pub";
/// The keys packages must be signed with, armored.
pub(crate) const PACKAGE_KEYS_PATH: &str = "/etc/geppetto/trust/packages.asc";
/// Certificate authorities of one's own, in PEM; they replace the public ones.
pub(crate) const CA_CERTIFICATES_PATH: &str = "/etc/geppetto/trust/ca.pem";

/// The files of a host, below its root: `/`, or the folder given with `--root`. No link leads out of it.
#[derive(Debug, Clone)]
pub(crate) struct HostFileAccess {
    root: HostRoot,
}

impl HostFileAccess {
    /// The files below `path`, which need not be there yet; the folder above it must be.
    pub(crate) fn new(path: &Path) -> Result<Self, CommandError> {
        let above = path.parent().unwrap_or(path);
        if !path.is_dir() && !above.is_dir() {
            return Err(CommandError::invalid_input_error(format!(
                "--root {}: there is no folder {} to hold it",
                path.display(),
                above.display()
            ))
            .with_hint("check the path; punch makes the last folder of it and no other"));
        }
        Ok(Self { root: HostRoot::new(path) })
    }

    /// The root.
    pub(crate) fn host_root(&self) -> &HostRoot {
        &self.root
    }

    /// A file as people on this machine know it, for messages.
    pub(crate) fn display_path(&self, file: &str) -> PathBuf {
        self.root.display_path(file)
    }

    /// The text of a file; `None` when there is none.
    pub(crate) fn read_text_file_if_exists(&self, file: &str) -> Result<Option<String>, CommandError> {
        self.root
            .read_text_file_if_exists(file)
            .map_err(|error| CommandError::cannot_read_file_error(&self.display_path(file), &error))
    }

    /// Replaces a file whole; the folders above it are made where there are none.
    pub(crate) fn replace_file(&self, file: &str, content: &[u8], mode: u32) -> Result<(), CommandError> {
        let replaced = self.root.replace_file(file, content, mode);
        replaced.map_err(|error| CommandError::cannot_write_file_error(&self.display_path(file), &error))
    }

    /// Removes a file; it need not be there.
    pub(crate) fn remove_file_if_exists(&self, file: &str) -> Result<(), CommandError> {
        self.root
            .remove_file_if_exists(file)
            .map_err(|error| CommandError::cannot_write_file_error(&self.display_path(file), &error))
    }

    /// The file with certificate authorities of one's own, if there is one.
    pub(crate) fn find_custom_ca_certificates_file(&self) -> Result<Option<PathBuf>, CommandError> {
        match self.root.canonical_path_on_this_machine(CA_CERTIFICATES_PATH) {
            Ok(path) => Ok(Some(path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(CommandError::cannot_read_file_error(&self.display_path(CA_CERTIFICATES_PATH), &error))
            }
        }
    }
}
