//! Files and folders that are on the disk when the function that makes them returns.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::BackupError;

/// Writes a new file from what `content` reads, and flushes it.
pub(super) fn write_new_file(path: &Path, mut content: impl io::Read, mode: u32) -> Result<(), BackupError> {
    let mut write = || {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
        io::copy(&mut content, &mut file)?;
        file.sync_all()
    };
    write().map_err(BackupError::from_io_error("write", path))
}

/// Copies a file to a new one, and flushes it.
pub(super) fn copy_to_new_file(from: &Path, to: &Path, mode: u32) -> Result<(), BackupError> {
    write_new_file(to, File::open(from).map_err(BackupError::from_io_error("read", from))?, mode)
}

/// Makes a folder and those above it, unless they are there, and flushes their names.
pub(super) fn create_folder_with_mode(path: &Path, mode: u32) -> Result<(), BackupError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder_with_mode(parent, mode)?;
    }
    DirBuilder::new().mode(mode).create(path).map_err(BackupError::from_io_error("make the folder", path))?;
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Flushes the names in a folder.
pub(super) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(BackupError::from_io_error("flush", path))
}
