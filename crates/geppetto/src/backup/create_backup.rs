//! Makes a backup, while the control plane serves or while it does not.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use packaging::repository::Repository;

use super::{
    BackupError, KEYS_FOLDER, POSTGRES_DUMP_FILE, REPOSITORY_FOLDER, SQLITE_FILE,
    backup_description::{BackupDescription, DESCRIPTION_FILE},
    checksums::{self, CHECKSUM_FILE},
};
use crate::{
    data_folder::DataFolder,
    store::{DatabaseLocation, Store},
};

/// Makes a backup of a control plane in the new folder `out`; gives how many files and bytes its checksums cover.
///
/// Database and repository are of one moment: nothing is published while the database is copied. The folder gets its name
/// when everything in it has been flushed to disk.
pub(crate) async fn create_backup(
    data: &DataFolder,
    store: &Store,
    now_us: i64,
    out: &Path,
) -> Result<(usize, u64), BackupError> {
    if fs::symlink_metadata(out).is_ok() {
        return Err(BackupError::Occupied { what: format!("{} exists already", out.display()) });
    }
    let mut aside: OsString = out.as_os_str().to_owned();
    aside.push(".incomplete");
    let aside = PathBuf::from(aside);
    // What a killed backup has left.
    if fs::symlink_metadata(&aside).is_ok_and(|found| found.is_dir()) {
        fs::remove_dir_all(&aside).map_err(BackupError::from_io_error("remove", &aside))?;
    }
    DirBuilder::new()
        .mode(0o700)
        .create(&aside)
        .map_err(BackupError::from_io_error("make the folder", &aside))?;
    let written = fill_backup(data, store, now_us, &aside).await;
    if written.is_err() {
        // The first error is the one to be told.
        let _ = fs::remove_dir_all(&aside);
    }
    let written = written?;
    fs::rename(&aside, out).map_err(BackupError::from_io_error("put in place", out))?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(parent)?;
    Ok(written)
}

async fn fill_backup(
    data: &DataFolder,
    store: &Store,
    now_us: i64,
    aside: &Path,
) -> Result<(usize, u64), BackupError> {
    let repository = Repository::open_repository(&data.repository_path())?;
    let database = match data.database_location() {
        DatabaseLocation::File(_) => aside.join(SQLITE_FILE),
        DatabaseLocation::Url(_) => aside.join(POSTGRES_DUMP_FILE),
    };
    let (copied, snapshot_of) = (aside.join(REPOSITORY_FOLDER), store.clone());
    let runtime = tokio::runtime::Handle::current();
    let location = data.database_location();
    let revision = tokio::task::spawn_blocking(move || {
        let mut revision = 0;
        repository.copy_repository_at_one_moment(&copied, || -> Result<(), BackupError> {
            revision = runtime.block_on(snapshot_of.write_database_snapshot(&location, &database))?;
            Ok(())
        })?;
        Ok::<u64, BackupError>(revision)
    })
    .await??;
    copy_keys(data, &aside.join(KEYS_FOLDER))?;
    let mut description = BackupDescription::new(now_us, store.epoch(), revision);
    let aside = aside.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut sums = checksums::compute_checksums_and_list_links(&aside, &mut description)?;
        let described = serde_json::to_vec_pretty(&description).unwrap_or_default();
        let description_file = aside.join(DESCRIPTION_FILE);
        write_private_file(&description_file, &described)?;
        sums.insert(DESCRIPTION_FILE.to_owned(), checksums::compute_file_checksum(&description_file)?);
        write_private_file(&aside.join(CHECKSUM_FILE), checksums::checksums_to_text(&sums).as_bytes())?;
        for folder in &description.folders {
            sync_folder(&aside.join(folder))?;
        }
        sync_folder(&aside)?;
        let mut bytes = 0;
        for path in sums.keys() {
            let path = aside.join(path);
            bytes += fs::metadata(&path).map_err(BackupError::from_io_error("look at", &path))?.len();
        }
        Ok((sums.len(), bytes))
    })
    .await?
}

fn copy_keys(data: &DataFolder, to: &Path) -> Result<(), BackupError> {
    DirBuilder::new().mode(0o700).create(to).map_err(BackupError::from_io_error("make the folder", to))?;
    for (path, is_needed) in
        [(data.node_key_path(), true), (data.database_key_path(), true), (data.authority_path(), false)]
    {
        let content = match fs::read(&path) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound && !is_needed => continue,
            read => read.map_err(BackupError::from_io_error("read", &path))?,
        };
        write_private_file(&to.join(path.file_name().unwrap_or_default()), &content)?;
    }
    Ok(())
}

/// Writes a new file that only its owner can read, and flushes it.
pub(super) fn write_private_file(path: &Path, content: &[u8]) -> Result<(), BackupError> {
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(BackupError::from_io_error("write", path))
}

/// Flushes the names in a folder.
pub(super) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(BackupError::from_io_error("flush", path))
}
