//! Recovers a backup into an empty place, in a new epoch: every host follows what the recovered control plane says, and
//! none follows a node file from before it.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{
    BackupError, KEYS_FOLDER, POSTGRES_DUMP_FILE, REPOSITORY_FOLDER, SQLITE_FILE,
    backup_description::BackupDescription,
    checksums::{self, ChecksumsByPath},
    create_backup::refuse_path_inside_folder,
    durable_files::{copy_to_new_file, create_folder_with_mode, sync_folder, write_new_file},
};
use crate::{
    data_folder::{DataFolder, RECOVERY_MARK},
    store::{self, DatabaseLocation},
};

/// The modes of folders and of files.
type FolderAndFileModes = (u32, u32);

const PRIVATE: FolderAndFileModes = (0o700, 0o600);

const READABLE: FolderAndFileModes = (0o755, 0o644);

/// A backup that was found whole, and can be recovered where it was asked for.
pub(crate) struct PlannedRecovery {
    backup: PathBuf,
    sums: ChecksumsByPath,
    description: BackupDescription,
}

/// Reads the whole backup and checks that it is whole and can be recovered into these folders and this database, which
/// must be empty. Changes nothing.
pub(crate) async fn verify_backup_and_plan_recovery(
    backup: &Path,
    data: &DataFolder,
) -> Result<PlannedRecovery, BackupError> {
    for destination in [data.folder_path(), &data.repository_path()] {
        refuse_path_inside_folder(destination, "backup", backup)?;
        refuse_unless_empty(destination)?;
    }
    let sums = checksums::read_checksums(backup)?;
    let description = checksums::verify_backup_content(backup, &sums)?;
    let is_of_sqlite = sums.contains_key(SQLITE_FILE);
    match data.database_location() {
        DatabaseLocation::File(_) if !is_of_sqlite => {
            return Err(BackupError::Unsuitable(format!(
                "the backup {} is of a control plane on PostgreSQL: give the URL of an empty database with --database",
                backup.display()
            )));
        }
        DatabaseLocation::Url(_) if is_of_sqlite => {
            return Err(BackupError::Unsuitable(format!(
                "the backup {} is of a control plane with a file of SQLite: leave --database out",
                backup.display()
            )));
        }
        DatabaseLocation::File(_) => {}
        DatabaseLocation::Url(url) => store::check_postgres_database_can_be_filled(&url).await?,
    }
    Ok(PlannedRecovery { backup: backup.to_owned(), sums, description })
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

    /// Copies everything to where it shall be. Until [`PlannedRecovery::remove_recovery_mark`] no control plane starts
    /// there. When it fails, what was copied is removed again.
    pub(crate) async fn copy_to_empty_destinations(&self, data: &DataFolder) -> Result<(), BackupError> {
        let destinations = [data.repository_path(), data.folder_path().to_owned()];
        let were_there = destinations.each_ref().map(|destination| destination.exists());
        let copied = self.copy_all(data).await;
        if copied.is_err() {
            for (destination, was_there) in destinations.iter().zip(were_there) {
                // The cause is what failed first: a folder that cannot be removed is named by the next attempt.
                let _ = if was_there { remove_content(destination) } else { fs::remove_dir_all(destination) };
            }
        }
        copied
    }

    async fn copy_all(&self, data: &DataFolder) -> Result<(), BackupError> {
        let root = data.folder_path();
        create_folder_with_mode(root, PRIVATE.0)?;
        write_new_file(&root.join(RECOVERY_MARK), io::empty(), PRIVATE.1)?;
        sync_folder(root)?;
        self.copy_tree(KEYS_FOLDER, &root.join(KEYS_FOLDER), PRIVATE)?;
        // Others may serve the channels of a repository; only its own key is secret.
        self.copy_tree(REPOSITORY_FOLDER, &data.repository_path(), READABLE)?;
        match data.database_location() {
            DatabaseLocation::File(file) => {
                copy_to_new_file(&self.backup.join(SQLITE_FILE), &file, PRIVATE.1)?;
            }
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

    /// Copies a folder of the backup. Packages, and the files of the metadata they are listed in, have a name in several
    /// folders, and the check of the repository wants them to be one file: those of one name and content become one again.
    fn copy_tree(&self, folder: &str, to: &Path, modes: FolderAndFileModes) -> Result<(), BackupError> {
        let (folder_mode, file_mode) = modes;
        create_folder_with_mode(to, folder_mode)?;
        let below = format!("{folder}/");
        let destination = |path: &str| path.strip_prefix(&below).map(|rest| to.join(rest));
        let mut folders = vec![to.to_owned()];
        for path in self.description.folders.iter().filter_map(|path| destination(path)) {
            create_folder_with_mode(&path, folder_mode)?;
            folders.push(path);
        }
        let mut by_name_and_sum: HashMap<(Option<&OsStr>, &str), PathBuf> = HashMap::new();
        for (path, sum) in &self.sums {
            let Some(target) = destination(path) else { continue };
            let name_and_sum = (Path::new(path).file_name(), sum.as_str());
            let may_be_linked = path.ends_with(".rpm") || path.ends_with(".xml.gz");
            match by_name_and_sum.get(&name_and_sum) {
                Some(first) if may_be_linked => {
                    fs::hard_link(first, &target).map_err(BackupError::from_io_error("link", &target))?;
                }
                _ => {
                    let mode = if path.ends_with(".key") { PRIVATE.1 } else { file_mode };
                    copy_to_new_file(&self.backup.join(path), &target, mode)?;
                    by_name_and_sum.insert(name_and_sum, target);
                }
            }
        }
        for (path, leads_to) in &self.description.links {
            let Some(target) = destination(path) else { continue };
            symlink(leads_to, &target).map_err(BackupError::from_io_error("link", &target))?;
        }
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }
}

/// The root of a file system of its own may have it.
const LOST_AND_FOUND: &str = "lost+found";

/// Refuses a folder that has something in it.
fn refuse_unless_empty(folder: &Path) -> Result<(), BackupError> {
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(BackupError::from_io_error("list", folder))?,
    };
    for entry in entries {
        let name = entry.map_err(BackupError::from_io_error("list", folder))?.file_name();
        if name != LOST_AND_FOUND {
            return Err(BackupError::Occupied {
                what: format!("{} is not empty: `{}` is in it", folder.display(), name.display()),
            });
        }
    }
    Ok(())
}

/// Removes what was copied into a folder that was empty.
fn remove_content(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == LOST_AND_FOUND {
            continue;
        }
        let removed = match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
        removed?;
    }
    Ok(())
}
