//! What punch writes down on a host, in `var/lib/geppetto/punch`: so that the next run knows what this
//! one made, and people know what happened.

mod before_image_state;
mod content_store;
mod kept_state;
mod report_history;
mod run_journal_file;
mod stored_deployments;

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use model::observe::ManagedState;
use nix::fcntl::OFlag;

pub(crate) use self::{
    before_image_state::{BeforeImage, BeforeImageContent, UserBeforeImage},
    content_store::copy_and_digest,
    kept_state::MOST_KEPT_ASIDE_BYTES,
    run_journal_file::{ManagedStateChange, RunJournalWriter},
    stored_deployments::StoredDeploymentPackage,
};
use crate::{
    host::{HostError, file_system_error_reason_with_advice, require_protected_folder_below_root},
    host_root::HostRoot,
};

/// Where punch keeps what it knows about a host: a folder that only its owner can look into, because
/// reports describe the host.
pub const PUNCH_STATE_FOLDER: &str = "/var/lib/geppetto/punch";

/// The folder on a host where punch keeps its run lock and journal, its reports, and what it made there.
#[derive(Debug, Clone)]
pub struct PunchStateFolder {
    root: HostRoot,
}

/// Why something could not be written down or read again.
#[derive(Debug, thiserror::Error)]
pub enum PunchStateFolderError {
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
    /// Somebody other than root can change the folder, or the way to it.
    #[error(
        "the state folder of punch is not used, because somebody but root can change it, or the way to it; look at what is in it, then `chown root:root` and `chmod go-w` what is named here: {0}"
    )]
    Unprotected(HostError),
    /// A file operation failed.
    #[error("cannot {what} {}: {}", path.display(), file_system_error_reason_with_advice(source))]
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
    pub fn running_programs_lock_path(&self) -> &Path {
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

impl PunchStateFolder {
    /// The state of the host under `root`. Touches nothing.
    pub fn from_root_path(root: &Path) -> Self {
        Self::state_folder_of_root(HostRoot::new(root))
    }

    /// The state of the host with this root. Touches nothing.
    pub fn state_folder_of_root(root: HostRoot) -> Self {
        Self { root }
    }

    /// Takes the lock, or fails naming the process that holds it.
    pub fn acquire_run_lock(&self) -> Result<RunLock, PunchStateFolderError> {
        self.require_protected_folder()?;
        self.make_folder(PUNCH_STATE_FOLDER)?;
        let path = path("lock");
        let wrong = |source| self.file_error("write", &path, source);
        let mut file = self.root.open_own_file_for_writing(&path, OFlag::O_CREAT).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The process id is only for the message.
                let _ = file.take(20).read_to_string(&mut pid);
                let pid = pid.trim();
                let known = !pid.is_empty() && pid.chars().all(|c| c.is_ascii_digit());
                return Err(PunchStateFolderError::Locked {
                    pid: if known { pid } else { "unknown" }.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(wrong)?;
        let path = self::path("programs");
        let wrong = |source| self.file_error("write", &path, source);
        let open = self.root.open_own_file_for_writing(&path, OFlag::O_CREAT).map_err(wrong)?;
        let programs = self.root.canonical_path_on_this_machine(&path).map_err(wrong)?;
        match open.try_lock() {
            Ok(()) => open.unlock().map_err(wrong)?,
            Err(TryLockError::WouldBlock) => {
                return Err(PunchStateFolderError::StillAtWork { who: lock_holders(&programs) });
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        Ok(RunLock { file, programs })
    }

    /// What punch made and installed in earlier runs, one that was killed among them.
    pub fn load_managed_state(&self) -> Result<ManagedState, PunchStateFolderError> {
        self.require_protected_folder()?;
        let mut managed = match self.read("managed.json")? {
            None => ManagedState::default(),
            Some(text) => serde_json::from_str(&text).map_err(|error| PunchStateFolderError::Content {
                path: self.root.display_path(&path("managed.json")),
                because: error.to_string(),
            })?,
        };
        for mark in self.read_journaled_managed_state_changes()? {
            mark.apply_to_managed_state(&mut managed);
        }
        Ok(managed)
    }

    pub(crate) fn save_managed_state(&self, managed: &ManagedState) -> Result<(), PunchStateFolderError> {
        self.write_json("managed.json", managed)
    }

    /// Fails when somebody but root can change the state folder. One that cannot be looked at is reported by the next access.
    fn require_protected_folder(&self) -> Result<(), PunchStateFolderError> {
        match require_protected_folder_below_root(&self.root, PUNCH_STATE_FOLDER) {
            Err(error @ HostError::UnsafePath { .. }) => Err(PunchStateFolderError::Unprotected(error)),
            _ => Ok(()),
        }
    }

    fn read(&self, name: &str) -> Result<Option<String>, PunchStateFolderError> {
        let path = path(name);
        self.root.read_text_file_if_exists(&path).map_err(|source| self.file_error("read", &path, source))
    }

    fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), PunchStateFolderError> {
        let text = serde_json::to_vec_pretty(value).map_err(|error| PunchStateFolderError::Content {
            path: self.root.display_path(&path(name)),
            because: error.to_string(),
        })?;
        self.write(name, &text)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), PunchStateFolderError> {
        let path = path(name);
        self.make_folder(PUNCH_STATE_FOLDER)?;
        if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| *folder != PUNCH_STATE_FOLDER) {
            self.make_folder(folder)?;
        }
        let written = self.root.replace_file(&path, bytes, 0o600);
        written.map_err(|source| self.file_error("write", &path, source))
    }

    fn remove(&self, name: &str) -> Result<(), PunchStateFolderError> {
        let path = path(name);
        self.root.remove_file_if_exists(&path).map_err(|source| self.file_error("remove", &path, source))
    }

    fn make_folder(&self, path: &str) -> Result<(), PunchStateFolderError> {
        self.root.create_private_folder(path).map_err(|source| self.file_error("write", path, source))
    }

    pub(crate) fn file_error(
        &self,
        what: &'static str,
        path: &str,
        source: io::Error,
    ) -> PunchStateFolderError {
        PunchStateFolderError::File { what, path: self.root.display_path(path), source }
    }
}

/// The path of a file of the state.
fn path(name: &str) -> String {
    format!("{PUNCH_STATE_FOLDER}/{name}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_lock_is_free_while_a_file_copy_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(folder.path());
        let lock = state.acquire_run_lock().unwrap();
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        state.acquire_run_lock().unwrap();
        drop(copy);
    }
}
