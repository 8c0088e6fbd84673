//! A copy of the whole repository as it is at one moment, for a backup, while it is used.
//!
//! Almost all files of a repository never change once they are written, so most of the copying needs no lock: a first
//! pass copies what it finds, a second one, which holds the write lock, only what has changed since.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{Repository, RepositoryError, Result, durable_writes};

/// What belongs to running processes and not to the repository.
const NOT_COPIED: [&str; 2] = ["incoming", "lock"];

/// One pass over the repository.
struct CopyPass {
    /// The first name each file got in the copy, by device and inode: packages have one name in the pool and one in each
    /// channel.
    first_names: HashMap<(u64, u64), PathBuf>,
    /// Whether others may write meanwhile, so that files can be gone a moment after they were listed.
    is_unlocked: bool,
}

impl Repository {
    /// Copies the repository to `to`, which is made, as it is at one moment; `at_that_moment` runs while nobody can write
    /// to the repository. Hard links stay hard links, and only the owner can read the copy.
    pub fn copy_repository_at_one_moment<E: From<RepositoryError>>(
        &self,
        to: &Path,
        at_that_moment: impl FnOnce() -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        CopyPass::new(true).copy_folder(&self.root, to, true)?;
        let lock = self.lock()?;
        at_that_moment()?;
        CopyPass::new(false).copy_folder(&self.root, to, true)?;
        drop(lock);
        let incoming = super::repository_layout::RepositoryLayout(to).incoming_folder_path();
        create_private_folder(&incoming).map_err(E::from)
    }
}

impl CopyPass {
    fn new(is_unlocked: bool) -> CopyPass {
        CopyPass { first_names: HashMap::new(), is_unlocked }
    }

    /// Makes `to` equal to the folder `from`.
    fn copy_folder(&mut self, from: &Path, to: &Path, is_top: bool) -> Result<()> {
        create_private_folder(to)?;
        let mut names = BTreeSet::new();
        let Some(entries) = self.unless_gone("list", from, fs::read_dir(from))? else { return Ok(()) };
        for entry in entries {
            let entry = entry.map_err(|why| RepositoryError::from_io_error("list", from, why))?;
            let name = entry.file_name();
            if is_top && NOT_COPIED.iter().any(|not| name == *not) {
                continue;
            }
            let (source, target) = (entry.path(), to.join(&name));
            names.insert(name);
            let Some(found) = self.unless_gone("look at", &source, fs::symlink_metadata(&source))? else {
                continue;
            };
            if found.is_dir() {
                self.copy_folder(&source, &target, false)?;
            } else if found.is_symlink() {
                self.copy_link(&source, &target)?;
            } else {
                self.copy_file(&source, &target, &found)?;
            }
        }
        // What has left the repository since the first pass.
        for entry in fs::read_dir(to).map_err(|why| RepositoryError::from_io_error("list", to, why))? {
            let entry = entry.map_err(|why| RepositoryError::from_io_error("list", to, why))?;
            let is_incoming = is_top && entry.file_name() == NOT_COPIED[0];
            if !names.contains(&entry.file_name()) && !is_incoming {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn copy_link(&self, source: &Path, target: &Path) -> Result<()> {
        let Some(leads_to) = self.unless_gone("read the link", source, fs::read_link(source))? else {
            return Ok(());
        };
        if fs::read_link(target).is_ok_and(|there| there == leads_to) {
            return Ok(());
        }
        remove(target)?;
        symlink(&leads_to, target).map_err(|why| RepositoryError::from_io_error("link", target, why))
    }

    fn copy_file(&mut self, source: &Path, target: &Path, found: &fs::Metadata) -> Result<()> {
        let key = (found.dev(), found.ino());
        if let Some(first) = self.first_names.get(&key) {
            if durable_writes::is_same_file(first, target) {
                return Ok(());
            }
            remove(target)?;
            return fs::hard_link(first, target)
                .map_err(|why| RepositoryError::from_io_error("link", target, why));
        }
        // The copy has the time of the original, so that the second pass knows what the first one has copied.
        let is_copied = fs::symlink_metadata(target).is_ok_and(|there| {
            there.is_file()
                && (there.len(), there.mtime(), there.mtime_nsec())
                    == (found.len(), found.mtime(), found.mtime_nsec())
        });
        if !is_copied {
            remove(target)?;
            let copied = copy_with_time(source, target, found);
            if self.unless_gone("copy", source, copied)?.is_none() {
                return remove(target);
            }
        }
        self.first_names.insert(key, target.to_owned());
        Ok(())
    }

    /// `None` for what is gone while others may write.
    fn unless_gone<T>(&self, doing: &'static str, path: &Path, result: io::Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(why) if self.is_unlocked && why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(RepositoryError::from_io_error(doing, path, why)),
        }
    }
}

fn copy_with_time(source: &Path, target: &Path, found: &fs::Metadata) -> io::Result<()> {
    let mut from = fs::File::open(source)?;
    let mut to = fs::File::options().write(true).create_new(true).open(target)?;
    to.set_permissions(fs::Permissions::from_mode(found.permissions().mode() & 0o600))?;
    io::copy(&mut from, &mut to)?;
    to.set_modified(found.modified()?)?;
    to.sync_all()
}

fn create_private_folder(path: &Path) -> Result<()> {
    // Not with the folders above: when the copy is removed meanwhile, it ends.
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => {
            Err(RepositoryError::from_io_error("make the folder", path, why))
        }
        _ => Ok(()),
    }
}

/// Removes a file, a link or a folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    match path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        true => durable_writes::remove_folder_if_present_unsynced(path),
        false => durable_writes::remove_file_if_present(path),
    }
}
