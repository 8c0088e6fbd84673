//! What punch writes down on a host, in `var/lib/geppetto/punch`: so that the next run knows what this
//! one made, and people know what happened.

mod history;
mod run_file;

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use model::observe::ManagedState;

pub(crate) use self::run_file::{RunFile, RunMark};
use crate::host::{explain_io_error, path_in_root};

/// The folder, relative to the host's root.
const FOLDER: &str = "var/lib/geppetto/punch";

/// The folder in which punch keeps what it knows about a host.
#[derive(Debug, Clone)]
pub struct HostState {
    root: PathBuf,
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
    /// A run was killed, and what it began goes on.
    #[error(
        "an earlier run was killed, and what it began is still at work ({who}); wait for it to end, then run again"
    )]
    StillAtWork {
        /// Which processes.
        who: String,
    },
    /// A file operation failed.
    #[error("cannot {what} {}: {}", path.display(), explain_io_error(source))]
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
pub struct RunLock {
    file: File,
    programs: PathBuf,
}

impl RunLock {
    /// An empty file that the programs a run starts hold locked, each while it works: they outlive a run
    /// that is killed.
    pub fn programs_lock_path(&self) -> &Path {
        &self.programs
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // A program that is just being started still has a copy of the file: closing ours does not end the
        // lock before it runs. Nothing is left to be done where even this fails.
        let _ = self.file.unlock();
    }
}

impl HostState {
    /// The state of the host under `root`. Touches nothing.
    pub fn open(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Takes the lock, or fails naming the process that holds it.
    pub fn lock(&self) -> Result<RunLock, StateError> {
        let folder = self.folder()?;
        make_folder(&folder)?;
        let path = folder.join("lock");
        let wrong = |source| StateError::File { what: "write", path: path.clone(), source };
        let open =
            File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The process id is only for the message.
                let _ = file.take(20).read_to_string(&mut pid);
                let pid = pid.trim();
                let known = !pid.is_empty() && pid.chars().all(|c| c.is_ascii_digit());
                return Err(StateError::Locked { pid: if known { pid } else { "unknown" }.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(wrong)?;
        let programs = folder.join("programs");
        let wrong = |source| StateError::File { what: "write", path: programs.clone(), source };
        let open = File::options().read(true).append(true).create(true).mode(0o600).open(&programs);
        let open = open.map_err(wrong)?;
        match open.try_lock() {
            Ok(()) => open.unlock().map_err(wrong)?,
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::StillAtWork { who: lock_holders(&programs) });
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        Ok(RunLock { file, programs })
    }

    /// What punch made and installed in earlier runs, one that was killed among them.
    pub fn load_managed(&self) -> Result<ManagedState, StateError> {
        let mut managed = match self.read("managed.json")? {
            None => ManagedState::default(),
            Some(text) => serde_json::from_str(&text).map_err(|error| StateError::Content {
                path: self.root.join(FOLDER).join("managed.json"),
                because: error.to_string(),
            })?,
        };
        for mark in self.journal_marks()? {
            mark.apply(&mut managed);
        }
        Ok(managed)
    }

    pub(crate) fn save_managed(&self, managed: &ManagedState) -> Result<(), StateError> {
        self.write_json("managed.json", managed)
    }

    fn read(&self, name: &str) -> Result<Option<String>, StateError> {
        let path = self.path(name)?;
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::File { what: "read", path, source }),
        }
    }

    fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), StateError> {
        let text = serde_json::to_vec_pretty(value).map_err(|error| StateError::Content {
            path: self.root.join(FOLDER).join(name),
            because: error.to_string(),
        })?;
        self.write(name, &text)
    }

    /// Replaces a file whole: a reader, and a machine that loses power, see the old or the new one.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path(name)?;
        let folder = path.parent().unwrap_or(&self.root);
        make_folder(folder)?;
        let write = || -> io::Result<()> {
            let mut aside = tempfile::Builder::new().prefix(".punch-").tempfile_in(folder)?;
            aside.write_all(bytes)?;
            aside.as_file().sync_all()?;
            aside.persist(&path).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|source| StateError::File { what: "write", path: path.clone(), source })
    }

    fn folder(&self) -> Result<PathBuf, StateError> {
        path_in_root(&self.root, FOLDER).map_err(|source| StateError::File {
            what: "open",
            path: self.root.join(FOLDER),
            source,
        })
    }

    /// Where a file of the state is, when no link may lead out of the root.
    fn path(&self, name: &str) -> Result<PathBuf, StateError> {
        let file = format!("{FOLDER}/{name}");
        path_in_root(&self.root, &file).map_err(|source| StateError::File {
            what: "open",
            path: self.root.join(file),
            source,
        })
    }
}

/// The processes whose standard input is `file`, with their names, as far as they are known.
fn lock_holders(file: &Path) -> String {
    let mut who = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if fs::read_link(process.path().join("fd/0")).is_ok_and(|input| input == file) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            who.push(format!("process {} {}", process.file_name().to_string_lossy(), name.trim()));
        }
    }
    if who.is_empty() { "its process is not known".to_owned() } else { who.join(", ") }
}

/// Creates a folder with mode 0700; its parents get mode 0755.
fn make_folder(folder: &Path) -> Result<(), StateError> {
    let wrong = |source| StateError::File { what: "write", path: folder.to_owned(), source };
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        create_host_folder(above).map_err(wrong)?;
    }
    // Reports describe the host: readable by their owner only.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)
}

/// Creates a folder and its parents with mode 0755, whatever the umask.
pub fn create_host_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        create_host_folder(above)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(folder, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match folder.is_dir() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotADirectory.into()),
        },
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_run_whoever_still_has_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = HostState::open(folder.path());
        let lock = state.lock().unwrap();
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        state.lock().unwrap();
        drop(copy);
    }
}
