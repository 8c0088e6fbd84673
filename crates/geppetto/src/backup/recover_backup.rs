//! Recovers a backup into an empty place, in a new epoch: every host follows what the recovered control plane says, and
//! none follows a node file from before it.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

use super::{
    BackupError, KEYS_FOLDER, POSTGRES_DUMP_FILE, REPOSITORY_FOLDER, SQLITE_FILE,
    backup_description::BackupDescription,
    checksums::{self, ChecksumsByPath},
    create_backup::sync_folder,
};
use crate::{
    data_folder::{DataFolder, RECOVERY_MARK},
    store::{self, DatabaseLocation},
};

/// The modes of folders and of files.
type FolderAndFileModes = (u32, u32);

const PRIVATE: FolderAndFileModes = (0o700, 0o600);

const READABLE: FolderAndFileModes = (0o755, 0o644);

/// A backup that was found whole, and where it shall be recovered.
pub(crate) struct PlannedRecovery {
    backup: PathBuf,
    sums: ChecksumsByPath,
    description: BackupDescription,
}

/// Reads the whole backup and checks that it is whole and can be recovered into these places, which must be empty.
/// Changes nothing.
pub(crate) fn verify_backup_and_plan_recovery(
    backup: &Path,
    data_root: &Path,
    database: &DatabaseLocation,
    repository: &Path,
) -> Result<PlannedRecovery, BackupError> {
    for place in [data_root, repository] {
        refuse_unless_empty(place)?;
    }
    let sums = checksums::read_checksums(backup)?;
    checksums::verify_checksums(backup, &sums)?;
    let description = BackupDescription::read_from_backup(backup)?;
    let is_of_sqlite = sums.contains_key(SQLITE_FILE);
    match database {
        DatabaseLocation::File(_) if !is_of_sqlite => Err(BackupError::Unsuitable(format!(
            "the backup {} is of a control plane on PostgreSQL: give the URL of an empty database with --database",
            backup.display()
        ))),
        DatabaseLocation::Url(_) if is_of_sqlite => Err(BackupError::Unsuitable(format!(
            "the backup {} is of a control plane with a file of SQLite: leave --database out",
            backup.display()
        ))),
        _ => Ok(PlannedRecovery { backup: backup.to_owned(), sums, description }),
    }
}

impl PlannedRecovery {
    /// When the backup was made, in microseconds since 1970-01-01 UTC: what happened later is gone.
    pub(crate) fn backup_created_us(&self) -> i64 {
        self.description.created_us
    }

    /// The newest revision in it.
    pub(crate) fn revision(&self) -> u64 {
        self.description.revision
    }

    /// How many files it has.
    pub(crate) fn file_count(&self) -> usize {
        self.sums.len()
    }

    /// The epoch to begin. A backup may be recovered twice, and hosts have then followed the epoch after it already: the
    /// time is higher than any epoch before.
    pub(crate) fn epoch_to_begin(&self, now_us: i64) -> u64 {
        u64::try_from(now_us / 1_000_000).unwrap_or_default().max(self.description.epoch + 1)
    }

    /// Copies everything to its place. Until [`PlannedRecovery::remove_recovery_mark`] no control plane starts there.
    pub(crate) async fn copy_into_empty_places(&self, data: &DataFolder) -> Result<(), BackupError> {
        let root = data.folder_path();
        create_folder(root, PRIVATE.0)?;
        let mark = root.join(RECOVERY_MARK);
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&mark)
            .map_err(BackupError::from_io_error("write", &mark))?;
        sync_folder(root)?;
        self.copy_tree(KEYS_FOLDER, &root.join(KEYS_FOLDER), PRIVATE)?;
        // Others may serve the channels of a repository; only its own key is secret.
        self.copy_tree(REPOSITORY_FOLDER, &data.repository_path(), READABLE)?;
        match data.database_location() {
            DatabaseLocation::File(file) => copy_file(&self.backup.join(SQLITE_FILE), &file, 0o600)?,
            DatabaseLocation::Url(url) => {
                let dump = self.backup.join(POSTGRES_DUMP_FILE);
                store::restore_postgres_dump_into_empty_database(&url, &dump).await?;
            }
        }
        sync_folder(root)
    }

    /// Lets control planes start from the recovered data folder.
    pub(crate) fn remove_recovery_mark(data: &DataFolder) -> Result<(), BackupError> {
        let mark = data.folder_path().join(RECOVERY_MARK);
        fs::remove_file(&mark).map_err(BackupError::from_io_error("remove", &mark))?;
        sync_folder(data.folder_path())
    }

    /// Copies a folder of the backup. Files of one name and content become one file again: packages, and files of the
    /// metadata, have a name in several folders, and the check of the repository wants them so.
    fn copy_tree(&self, folder: &str, to: &Path, modes: FolderAndFileModes) -> Result<(), BackupError> {
        let (folder_mode, file_mode) = modes;
        create_folder(to, folder_mode)?;
        let below = format!("{folder}/");
        let target = |path: &str| path.strip_prefix(&below).map(|rest| to.join(rest));
        let mut folders = vec![to.to_owned()];
        for path in self.description.folders.iter().filter_map(|path| target(path)) {
            create_folder(&path, folder_mode)?;
            folders.push(path);
        }
        let mut by_name_and_sum: HashMap<(Option<&OsStr>, &str), PathBuf> = HashMap::new();
        for (path, sum) in &self.sums {
            let Some(at) = target(path) else { continue };
            let name_and_sum = (Path::new(path).file_name(), sum.as_str());
            match by_name_and_sum.get(&name_and_sum) {
                Some(first) => {
                    fs::hard_link(first, &at).map_err(BackupError::from_io_error("link", &at))?;
                }
                None => {
                    let is_key = path.ends_with(".key");
                    copy_file(&self.backup.join(path), &at, if is_key { 0o600 } else { file_mode })?;
                    by_name_and_sum.insert(name_and_sum, at);
                }
            }
        }
        for (path, leads_to) in &self.description.links {
            let Some(at) = target(path) else { continue };
            symlink(leads_to, &at).map_err(BackupError::from_io_error("link", &at))?;
        }
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }
}

/// Refuses a folder in which something lies; the root of a file system of its own may have `lost+found`.
fn refuse_unless_empty(folder: &Path) -> Result<(), BackupError> {
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(BackupError::from_io_error("list", folder))?,
    };
    for entry in entries {
        let name = entry.map_err(BackupError::from_io_error("list", folder))?.file_name();
        if name != "lost+found" {
            return Err(BackupError::Occupied {
                what: format!("{} is not empty: `{}` lies in it", folder.display(), name.display()),
            });
        }
    }
    Ok(())
}

fn create_folder(path: &Path, mode: u32) -> Result<(), BackupError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(BackupError::from_io_error("make the folder", path))
}

fn copy_file(from: &Path, to: &Path, mode: u32) -> Result<(), BackupError> {
    let copy = || {
        let mut source = File::open(from)?;
        let mut target = File::options().write(true).create_new(true).mode(mode).open(to)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()
    };
    copy().map_err(BackupError::from_io_error("copy", to))
}
