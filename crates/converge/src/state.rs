//! What punch writes down on a host, in `var/lib/geppetto/punch`: so that the next run knows what this
//! one made, and people know what happened.

mod history;
mod running;

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use model::observe::Managed;

pub(crate) use self::running::{Mark, Running};
use crate::host::because;

/// The folder, relative to the host's root.
const FOLDER: &str = "var/lib/geppetto/punch";

/// The folder in which punch keeps what it knows about a host.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

/// Why something could not be written down or read again.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another run holds the lock.
    #[error("another punch is at work on this host (process {pid}); wait for it to end, then run again")]
    Locked {
        /// Its process id, or `unknown`.
        pid: String,
    },
    /// The file system said no.
    #[error("cannot {what} {}: {}", path.display(), because(source))]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what punch wrote.
    #[error("{}: not what punch writes: {because}; move the file away to go on without it", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why.
        because: String,
    },
}

/// Held while a run lasts: two runs never work on one host at once.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A program that is just being started still has a copy of the file: closing ours does not end the
        // lock before it runs. Nothing is left to be done where even this fails.
        let _ = self.file.unlock();
    }
}

impl State {
    /// The state of the host under `root`. Touches nothing.
    pub fn at(root: &Path) -> Self {
        Self { folder: root.join(FOLDER) }
    }

    /// Takes the lock, or says which process has it.
    pub fn lock(&self) -> Result<Lock, StateError> {
        self.make_folder(&self.folder)?;
        let path = self.folder.join("lock");
        let wrong = |source| StateError::File { what: "write", path: path.clone(), source };
        let open =
            File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only to tell it: without the number the sentence is still true.
                let _ = file.take(20).read_to_string(&mut pid);
                let pid = pid.trim();
                let known = !pid.is_empty() && pid.chars().all(|c| c.is_ascii_digit());
                return Err(StateError::Locked { pid: if known { pid } else { "unknown" }.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(wrong)?;
        Ok(Lock { file })
    }

    /// Where downloaded packages are kept.
    pub fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// The text of the last node file that was applied without failure.
    pub fn last_good(&self) -> Result<Option<String>, StateError> {
        self.read("node.yaml")
    }

    /// Keeps the text of a node file that was applied without failure.
    pub fn save_last_good(&self, text: &str) -> Result<(), StateError> {
        self.write("node.yaml", text.as_bytes())
    }

    /// What punch made and installed in earlier runs, one that was killed among them.
    pub fn managed(&self) -> Result<Managed, StateError> {
        let mut managed = match self.read("managed.json")? {
            None => Managed::default(),
            Some(text) => serde_json::from_str(&text).map_err(|error| StateError::Content {
                path: self.folder.join("managed.json"),
                because: error.to_string(),
            })?,
        };
        for mark in self.marks()? {
            mark.apply(&mut managed);
        }
        Ok(managed)
    }

    pub(crate) fn save_managed(&self, managed: &Managed) -> Result<(), StateError> {
        self.write_json("managed.json", managed)
    }

    fn read(&self, name: &str) -> Result<Option<String>, StateError> {
        let path = self.folder.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::File { what: "read", path, source }),
        }
    }

    fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), StateError> {
        let text = serde_json::to_vec_pretty(value).map_err(|error| StateError::Content {
            path: self.folder.join(name),
            because: error.to_string(),
        })?;
        self.write(name, &text)
    }

    /// Replaces a file whole: a reader, and a machine that loses power, see the old or the new one.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        self.make_folder(folder)?;
        let write = || -> io::Result<()> {
            let mut aside = tempfile::Builder::new().prefix(".punch-").tempfile_in(folder)?;
            aside.write_all(bytes)?;
            aside.as_file().sync_all()?;
            aside.persist(&path).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|source| StateError::File { what: "write", path: path.clone(), source })
    }

    fn make_folder(&self, folder: &Path) -> Result<(), StateError> {
        if folder.is_dir() {
            return Ok(());
        }
        let above = folder.parent().map_or(Ok(()), fs::create_dir_all);
        // Reports name what is on the host: not everybody's business.
        let made = above.and_then(|()| fs::DirBuilder::new().recursive(true).mode(0o700).create(folder));
        made.map_err(|source| StateError::File { what: "write", path: folder.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_run_whoever_still_has_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(folder.path());
        let lock = state.lock().unwrap();
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        state.lock().unwrap();
        drop(copy);
    }
}
