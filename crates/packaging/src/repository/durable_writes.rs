//! Writing so that a reader, or a machine that lost its power, finds the old or the new, never a half.
//!
//! A single file is written aside, in `incoming/`, and renamed. A change of a channel makes many new
//! files that no reader opens before the one rename that switches to them ([`replace_symlink_atomically_and_sync()`]): in
//! which order they reach the disk does not matter, only that all have when the switch does. So they are
//! written first and flushed in one pass ([`UnflushedWrites`]), each file and each folder once, then the
//! switch is made and its folder flushed. An acknowledged change survives a power loss.
//! What is no longer needed is removed after that, unflushed: what comes back is removed again.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{RepositoryError, Result};

/// What was written or linked and is not flushed yet. No reader may need it before
/// [`UnflushedWrites::flush_to_disk`] is done: until then a machine that loses its power may lose any part of it.
#[derive(Debug, Default)]
pub(super) struct UnflushedWrites {
    files: Vec<(PathBuf, File)>,
    folders: BTreeSet<PathBuf>,
}

impl UnflushedWrites {
    /// So many files are held open at most.
    const OPEN: usize = 64;

    /// Writes a file that no reader opens yet.
    pub(super) fn write_unflushed_file(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        let write = || {
            let mut file = File::create(path)?;
            file.write_all(bytes)?;
            Ok(file)
        };
        let file = write().map_err(|why| RepositoryError::from_io_error("write", path, why))?;
        self.add_file_to_flush(path, file)
    }

    /// Takes `file`, which was written to and lies at `path`.
    pub(super) fn add_file_to_flush(&mut self, path: &Path, file: File) -> Result<()> {
        self.entry(path);
        self.files.push((path.to_owned(), file));
        if self.files.len() < Self::OPEN { Ok(()) } else { self.flush_files() }
    }

    /// Makes a folder and those above it.
    pub(super) fn create_folder_tree(&mut self, path: &Path) -> Result<()> {
        let mut missing = path;
        while !missing.is_dir() {
            self.entry(missing);
            let Some(parent) = missing.parent() else { break };
            missing = parent;
        }
        fs::create_dir_all(path).map_err(|why| RepositoryError::from_io_error("make the folder", path, why))
    }

    /// Makes `link` another name of the file `target`, instead of what had that name before.
    pub(super) fn replace_with_hard_link_unflushed(
        &mut self,
        incoming: &Path,
        target: &Path,
        link: &Path,
    ) -> Result<()> {
        let make = || match fs::hard_link(target, link) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
                let (there, wanted) = (fs::symlink_metadata(link)?, fs::symlink_metadata(target)?);
                if (there.dev(), there.ino()) != (wanted.dev(), wanted.ino()) {
                    let aside = temporary_name(incoming, link);
                    ignore_absent(fs::remove_file(&aside))?;
                    fs::hard_link(target, &aside)?;
                    fs::rename(&aside, link)?;
                }
                Ok(())
            }
            other => other,
        };
        make().map_err(|why| RepositoryError::from_io_error("link", link, why))?;
        self.entry(link);
        Ok(())
    }

    /// Makes the symbolic link `link`, which must be new, point to `target`.
    pub(super) fn create_symlink(&mut self, target: &Path, link: &Path) -> Result<()> {
        self.entry(link);
        symlink(target, link).map_err(|why| RepositoryError::from_io_error("link", link, why))
    }

    /// Notes that the folder which `path` lies in has a new name in it.
    fn entry(&mut self, path: &Path) {
        self.folders.insert(path.parent().unwrap_or(Path::new(".")).to_owned());
    }

    /// Waits until all of it is on the disk: each file once, each folder once.
    pub(super) fn flush_to_disk(mut self) -> Result<()> {
        self.flush_files()?;
        self.folders.iter().try_for_each(|folder| sync_folder(folder))
    }

    fn flush_files(&mut self) -> Result<()> {
        self.files.drain(..).try_for_each(|(path, file)| {
            file.sync_all().map_err(|why| RepositoryError::from_io_error("write", &path, why))
        })
    }
}

/// Writes `bytes` to a file in `incoming`, flushes it and renames it to `path`.
pub(super) fn write_file_atomically(incoming: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    write_file_without_folder_sync(incoming, path, bytes)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Like [`write_file_atomically()`] for a file that only its owner may read, from its first moment on.
pub(super) fn write_secret_file_atomically(incoming: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    write_file_with_mode(incoming, path, bytes, 0o600)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Like [`write_file_atomically()`], but leaves it to the caller to flush the folder.
pub(super) fn write_file_without_folder_sync(incoming: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    write_file_with_mode(incoming, path, bytes, 0o644)
}

fn write_file_with_mode(incoming: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix("write-")
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(incoming)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|why| RepositoryError::from_io_error("write", path, why))
}

/// Makes a folder and those above it.
pub(super) fn create_folder_and_parents(path: &Path) -> Result<()> {
    let mut made = UnflushedWrites::default();
    made.create_folder_tree(path)?;
    made.flush_to_disk()
}

/// Removes a folder with everything in it, if it is there.
pub(super) fn remove_folder_if_present_unsynced(path: &Path) -> Result<()> {
    ignore_absent(fs::remove_dir_all(path)).map_err(|why| RepositoryError::from_io_error("remove", path, why))
}

/// Removes a file, if it is there.
pub(super) fn remove_file_if_present(path: &Path) -> Result<()> {
    ignore_absent(fs::remove_file(path)).map_err(|why| RepositoryError::from_io_error("remove", path, why))
}

fn ignore_absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether two paths are names of one file.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Flushes a folder's list of names to the disk.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|why| RepositoryError::from_io_error("write", path, why))
}

/// Points the symbolic link `link` at `target`, in one step.
pub(super) fn replace_symlink_atomically_and_sync(incoming: &Path, link: &Path, target: &Path) -> Result<()> {
    let aside = temporary_name(incoming, link);
    let swap = || {
        ignore_absent(fs::remove_file(&aside))?;
        symlink(target, &aside)?;
        fs::rename(&aside, link)
    };
    swap().map_err(|why| RepositoryError::from_io_error("switch", link, why))?;
    sync_folder(link.parent().unwrap_or(Path::new(".")))
}

fn temporary_name(incoming: &Path, path: &Path) -> PathBuf {
    incoming.join(format!("link-{}", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// The names in a folder, sorted. No folder has no names.
pub(super) fn list_folder_or_empty(folder: &Path) -> Result<Vec<String>> {
    let read = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    };
    match read() {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|why| RepositoryError::from_io_error("read", folder, why)),
    }
}

/// Reads a JSON file of the repository's own.
pub(super) fn read_json_file<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(|why| RepositoryError::from_io_error("read", path, why))?;
    serde_json::from_slice(&bytes).map_err(|why| RepositoryError::new_damaged_file_error(path, why))
}

/// The bytes of a JSON file of the repository's own.
pub(super) fn to_json_bytes<T: serde::Serialize>(path: &Path, value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|why| RepositoryError::new_damaged_file_error(path, why))
}
