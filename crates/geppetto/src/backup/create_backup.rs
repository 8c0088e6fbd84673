//! Makes a backup, while the control plane serves or while it does not.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use packaging::repository::Repository;

use super::{
    BackupError, KEYS_FOLDER, POSTGRES_DUMP_FILE, REPOSITORY_FOLDER, SQLITE_FILE,
    backup_description::{BackupDescription, DESCRIPTION_FILE},
    checksums::{self, CHECKSUM_FILE},
    durable_files::{copy_to_new_file, sync_folder, write_new_file},
};
use crate::{
    data_folder::DataFolder,
    interruption::OfflineCommandSignals,
    store::{DatabaseLocation, Store},
};

/// Makes a backup of a control plane in the new folder `out`; gives how many files and bytes it has.
///
/// Database and repository are of one moment: nothing is published while the database is copied. Until everything in it is
/// flushed to disk the folder has another name, `OUT.incomplete-` and some letters.
pub(crate) async fn create_backup(
    data: &DataFolder,
    store: &Store,
    now_us: i64,
    out: &Path,
    interruption: &OfflineCommandSignals,
) -> Result<(usize, u64), BackupError> {
    let exists = || BackupError::Occupied { what: format!("{} exists already", out.display()) };
    let (Some(name), false) = (out.file_name(), fs::symlink_metadata(out).is_ok()) else {
        return Err(exists());
    };
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    refuse_path_inside_folder(out, "repository", &data.repository_path())?;
    refuse_path_inside_folder(out, "data folder", data.folder_path())?;
    let real = fs::canonicalize(parent).map_err(BackupError::from_io_error("look at", parent))?;
    if let Some(backup) = real.ancestors().find(|folder| folder.join(CHECKSUM_FILE).exists()) {
        refuse_path_inside_folder(out, "backup", backup)?;
    }
    // It is removed again when anything fails.
    let aside = tempfile::Builder::new()
        .prefix(&format!("{}.incomplete-", name.display()))
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(BackupError::from_io_error("make a folder in", parent))?;
    interruption.remove_folder_if_interrupted(aside.path());
    let written = fill_backup(data, store, now_us, aside.path()).await?;
    let complete = format!("the backup {} is complete", out.display());
    interruption.take_last_step(|| fs::rename(aside.path(), out), complete).map_err(|why| {
        match why.kind() {
            ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory => exists(),
            _ => BackupError::from_io_error("put in place", out)(why),
        }
    })?;
    let _renamed = aside.keep();
    sync_folder(parent)?;
    Ok(written)
}

/// Refuses a path that is, or will be, inside `folder`, which must stay as it is.
pub(super) fn refuse_path_inside_folder(path: &Path, kind: &str, folder: &Path) -> Result<(), BackupError> {
    let path = std::path::absolute(path).map_err(BackupError::from_io_error("look at", path))?;
    // What is not there yet has no links.
    let real = path.ancestors().find_map(|above| fs::canonicalize(above).ok());
    let inside =
        fs::canonicalize(folder).is_ok_and(|folder| real.is_some_and(|real| real.starts_with(folder)));
    if !inside {
        return Ok(());
    }
    Err(BackupError::Unsuitable(format!(
        "{} is inside the {kind} {}, where it must not be; name a folder elsewhere",
        path.display(),
        folder.display()
    )))
}

async fn fill_backup(
    data: &DataFolder,
    store: &Store,
    now_us: i64,
    aside: &Path,
) -> Result<(usize, u64), BackupError> {
    let repository = Repository::open_repository_and_clean_incoming(&data.repository_path())?;
    let database = match data.database_location() {
        DatabaseLocation::File(_) => aside.join(SQLITE_FILE),
        DatabaseLocation::Url(_) => aside.join(POSTGRES_DUMP_FILE),
    };
    let (copied, snapshot_of) = (aside.join(REPOSITORY_FOLDER), store.clone());
    let runtime = tokio::runtime::Handle::current();
    let revision = tokio::task::spawn_blocking(move || {
        let mut revision = 0;
        repository.copy_repository_at_one_moment(&copied, || -> Result<(), BackupError> {
            revision = runtime.block_on(snapshot_of.write_database_snapshot(&database))?;
            Ok(())
        })?;
        Ok::<u64, BackupError>(revision)
    })
    .await??;
    copy_keys(data, &aside.join(KEYS_FOLDER))?;
    let mut description = BackupDescription::new(now_us, store.epoch(), revision);
    let aside = aside.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut content = checksums::list_and_checksum_folder(&aside)?;
        description.folders.clone_from(&content.folders);
        description.links = content.links;
        let description_file = aside.join(DESCRIPTION_FILE);
        let described = serde_json::to_vec_pretty(&description)
            .map_err(|error| BackupError::from_io_error("write", &description_file)(error.into()))?;
        write_new_file(&description_file, &*described, 0o600)?;
        let sum = checksums::compute_file_checksum(&description_file)?;
        content.sums.insert(DESCRIPTION_FILE.to_owned(), sum);
        let sums = checksums::checksums_to_text(&content.sums);
        write_new_file(&aside.join(CHECKSUM_FILE), sums.as_bytes(), 0o600)?;
        content.folders.iter().try_for_each(|folder| sync_folder(&aside.join(folder)))?;
        sync_folder(&aside)?;
        Ok((content.sums.len(), content.bytes + described.len() as u64))
    })
    .await?
}

fn copy_keys(data: &DataFolder, to: &Path) -> Result<(), BackupError> {
    // Not with the folders above: they are gone when the backup is interrupted.
    let made = fs::DirBuilder::new().mode(0o700).create(to);
    made.map_err(BackupError::from_io_error("make the folder", to))?;
    for (path, is_needed) in
        [(data.node_key_path(), true), (data.database_key_path(), true), (data.own_authority_path(), false)]
    {
        if is_needed || path.exists() {
            copy_to_new_file(&path, &to.join(path.file_name().unwrap_or_default()), 0o600)?;
        }
    }
    Ok(())
}
