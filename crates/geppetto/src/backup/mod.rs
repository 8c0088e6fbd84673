//! Backups: everything a control plane needs, in a folder whose every byte is covered by a checksum, and its recovery
//! into an empty place.
//!
//! ```text
//! SHA256SUMS           of every file below, as `sha256sum -c` reads it
//! backup.json          when it was made, by which version, of which epoch; folders and symbolic links
//! geppetto.db          the database: a file of SQLite,
//! geppetto.pgdump      or what `pg_dump --format=custom` writes
//! keys/                the keys of the control plane: who has the backup can read every secret and command every server
//! repository/          packages, channels, and the key that signs their metadata
//! ```

mod backup_description;
mod checksums;
mod create_backup;
mod durable_files;
mod recover_backup;

use std::path::{Path, PathBuf};

use crate::command_error::GeppettoCommandError;

pub(crate) use create_backup::create_backup;
pub(crate) use recover_backup::{PlannedRecovery, verify_backup_and_plan_recovery};

/// The database of a control plane that has it in a file.
const SQLITE_FILE: &str = "geppetto.db";

/// The database of a control plane that has it in PostgreSQL.
const POSTGRES_DUMP_FILE: &str = "geppetto.pgdump";

const KEYS_FOLDER: &str = "keys";

const REPOSITORY_FOLDER: &str = "repository";

/// Why a backup was not made, or not recovered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// A file operation failed.
    #[error("cannot {doing} {}: {why}", .path.display())]
    Io {
        /// `read`, `write`, ...
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// The cause.
        why: std::io::Error,
    },
    /// The backup is not what was written.
    #[error("the backup {} is damaged: {why}", .folder.display())]
    Damaged {
        /// The backup.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is something where the backup or the recovered data shall be.
    #[error("{what}")]
    Occupied {
        /// What is where.
        what: String,
    },
    /// The backup cannot become what was asked for.
    #[error("{0}")]
    Unsuitable(String),
    /// The repository.
    #[error(transparent)]
    Repository(#[from] packaging::repository::RepositoryError),
    /// The database.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A part of it was stopped by a panic.
    #[error("a part of the work ended early: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

impl From<BackupError> for GeppettoCommandError {
    fn from(error: BackupError) -> Self {
        let message = error.to_string();
        match error {
            BackupError::Store(error) => error.into(),
            BackupError::Repository(_) | BackupError::Broken(_) => {
                GeppettoCommandError::operation_failed_error(message)
            }
            BackupError::Io { why, .. } if why.kind() == std::io::ErrorKind::StorageFull => {
                GeppettoCommandError::operation_failed_error(message)
                    .with_hint("make room on that disk, and run it again")
            }
            BackupError::Io { .. } => GeppettoCommandError::invalid_input_error(message).with_hint(
                "run it as the user who serves the control plane, and name folders that this user may use",
            ),
            BackupError::Damaged { .. } => GeppettoCommandError::invalid_input_error(message)
                .with_hint("use another backup; nothing was recovered from this one"),
            BackupError::Occupied { .. } => GeppettoCommandError::invalid_input_error(message).with_hint(
                "name a folder that does not exist yet, or an empty one to recover into; nothing was changed",
            ),
            BackupError::Unsuitable(_) => GeppettoCommandError::invalid_input_error(message),
        }
    }
}

impl BackupError {
    fn from_io_error(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
        let path = path.to_owned();
        move |why| BackupError::Io { doing, path, why }
    }

    fn damaged(folder: &Path, why: impl Into<String>) -> BackupError {
        BackupError::Damaged { folder: folder.to_owned(), why: why.into() }
    }
}
