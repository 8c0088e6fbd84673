//! `backup.json`: what a backup says about itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path},
};

use serde::{Deserialize, Serialize};

use super::BackupError;

/// Its name in the backup.
pub(super) const DESCRIPTION_FILE: &str = "backup.json";

const FORMAT: &str = "geppetto/backup/1";

/// The head of a backup, and what of it no checksum covers: folders and symbolic links.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupDescription {
    format: String,
    /// When it was made, in microseconds since 1970-01-01 UTC.
    pub(super) created_us: i64,
    /// The version of the program that made it.
    pub(super) geppetto: String,
    /// The epoch of the control plane.
    pub(super) epoch: u64,
    /// The newest revision.
    pub(super) revision: u64,
    /// All folders, by their path in the backup.
    pub(super) folders: BTreeSet<String>,
    /// All symbolic links, by their path in the backup, and where they lead.
    pub(super) links: BTreeMap<String, String>,
}

impl BackupDescription {
    pub(super) fn new(created_us: i64, epoch: u64, revision: u64) -> BackupDescription {
        BackupDescription {
            format: FORMAT.to_owned(),
            created_us,
            geppetto: env!("CARGO_PKG_VERSION").to_owned(),
            epoch,
            revision,
            folders: BTreeSet::new(),
            links: BTreeMap::new(),
        }
    }

    /// Reads it from a backup whose checksums are right.
    pub(super) fn read_from_backup(folder: &Path) -> Result<BackupDescription, BackupError> {
        let path = folder.join(DESCRIPTION_FILE);
        let text = fs::read(&path).map_err(BackupError::from_io_error("read", &path))?;
        let described: BackupDescription = serde_json::from_slice(&text)
            .map_err(|error| BackupError::damaged(folder, format!("{DESCRIPTION_FILE}: {error}")))?;
        if described.format != FORMAT {
            let made_by = &described.geppetto;
            return Err(BackupError::Unsuitable(format!(
                "the backup {} has the format {}, made by geppetto {made_by}; this program reads {FORMAT}",
                folder.display(),
                described.format
            )));
        }
        match described
            .folders
            .iter()
            .chain(described.links.keys())
            .find(|path| !is_relative_path_without_parents(path))
        {
            Some(path) => {
                Err(BackupError::damaged(folder, format!("{DESCRIPTION_FILE} names the path {path}")))
            }
            None => Ok(described),
        }
    }
}

/// Whether a path can only lead to something inside the folder it is relative to.
pub(super) fn is_relative_path_without_parents(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}
