//! Writing so that a reader, or a machine that lost its power, finds the old or the new, never a half.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{RepositoryError, Result};

/// Writes `bytes` aside, flushes them to the disk and renames them to `path`.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Like [`write()`], but leaves it to the caller to flush the folder.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|why| RepositoryError::io("write", path, why))
}

/// Writes a new file that nobody looks at yet: flushed, not renamed.
pub(super) fn write_unseen(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|why| RepositoryError::io("write", path, why))
}

/// Makes a folder and those above it.
pub(super) fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|why| RepositoryError::io("make the folder", path, why))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes an empty folder; what a process that died left there goes.
pub(super) fn fresh_folder(path: &Path) -> Result<()> {
    remove_folder(path)?;
    create_folder(path)
}

/// Removes a folder with everything in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    ignore_absent(fs::remove_dir_all(path)).map_err(|why| RepositoryError::io("remove", path, why))
}

/// Removes a file, if it is there.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    ignore_absent(fs::remove_file(path)).map_err(|why| RepositoryError::io("remove", path, why))
}

fn ignore_absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Flushes a folder's list of names to the disk.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|why| RepositoryError::io("write", path, why))
}

/// Makes `link` another name of the file `target`.
pub(super) fn link(target: &Path, link: &Path) -> Result<()> {
    let make = || match fs::hard_link(target, link) {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
            let (there, wanted) = (fs::symlink_metadata(link)?, fs::symlink_metadata(target)?);
            if (there.dev(), there.ino()) != (wanted.dev(), wanted.ino()) {
                let aside = aside(link);
                ignore_absent(fs::remove_file(&aside))?;
                fs::hard_link(target, &aside)?;
                fs::rename(&aside, link)?;
            }
            Ok(())
        }
        other => other,
    };
    make().map_err(|why| RepositoryError::io("link", link, why))
}

/// Points the symbolic link `link` at `target`, in one step.
pub(super) fn switch(link: &Path, target: &Path) -> Result<()> {
    let aside = aside(link);
    let swap = || {
        ignore_absent(fs::remove_file(&aside))?;
        symlink(target, &aside)?;
        fs::rename(&aside, link)
    };
    swap().map_err(|why| RepositoryError::io("switch", link, why))?;
    sync_folder(link.parent().unwrap_or(Path::new(".")))
}

fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".new-{name}"))
}

/// The names in a folder, sorted; those of writes in progress left out. No folder has no names.
pub(super) fn list(folder: &Path) -> Result<Vec<String>> {
    let read = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    };
    let mut names = match read() {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|why| RepositoryError::io("read", folder, why))?,
    };
    names.retain(|name| !name.starts_with(".new-"));
    names.sort();
    Ok(names)
}

/// Reads a JSON file of the repository's own.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(|why| RepositoryError::io("read", path, why))?;
    serde_json::from_slice(&bytes).map_err(|why| RepositoryError::damaged(path, why))
}

/// The bytes of a JSON file of the repository's own.
pub(super) fn json<T: serde::Serialize>(path: &Path, value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|why| RepositoryError::damaged(path, why))
}
