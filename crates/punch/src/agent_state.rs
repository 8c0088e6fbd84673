//! What punch remembers between runs: the last good node file, reports, reports not sent yet, the lock.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use converge::{RunLock, StateError};
use model::{exit::Exit, format::node, node::Node, report::Report};
use nix::sys::stat::{Mode, umask};
use serde::{Deserialize, Serialize};

use crate::{
    command_error::CommandError,
    host_paths::{self, HostPaths},
    output::TerminalOutput,
    time_text::Micros,
};

/// Reports kept for a back-office that does not answer.
const KEPT_UNSENT: usize = 100;

/// What punch remembers on one host.
pub(crate) struct AgentState {
    root: HostPaths,
}

/// The node file that was applied last without failure.
pub(crate) struct LastGood {
    /// Its text, signature included.
    pub(crate) text: String,
    /// Its overrides.
    pub(crate) node: Node,
    /// What the back-office called it.
    pub(crate) tag: Option<String>,
    /// When the host was last made, or found to be, like it.
    pub(crate) at: Micros,
}

/// The highest generation a run ever began on this host, whatever came of it: nothing older is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BegunGeneration {
    pub(crate) generation: u64,
    /// The digest of its content.
    pub(crate) digest: String,
}

impl AgentState {
    pub(crate) fn new(root: &HostPaths) -> Self {
        Self { root: root.clone() }
    }

    /// What every run on a host writes down, punch's or not.
    pub(crate) fn host_state(&self) -> converge::HostState {
        converge::HostState::open(self.root.path())
    }

    /// Takes the lock of runs that change the host, without waiting.
    pub(crate) fn lock(&self) -> Result<RunLock, CommandError> {
        // The lock's holder changes the host: use the standard umask for the files it creates.
        umask(Mode::from_bits_truncate(0o022));
        self.host_state().lock().map_err(|error| match error {
            StateError::File { path, source, .. } => CommandError::cannot_write(&path, &source),
            locked => {
                CommandError::blocked(locked.to_string()).with_hint("`punch history` shows what it did")
            }
        })
    }

    /// The last good node file, if there ever was one.
    pub(crate) fn last_good(&self) -> Result<Option<LastGood>, CommandError> {
        let path = self.root.last_good();
        let Some(text) = host_paths::read_optional(&path)? else { return Ok(None) };
        let node = node::read(&path.display().to_string(), &text).map_err(|error| {
            CommandError::blocked(format!("the last good node file cannot be read: {error}"))
                .with_hint(format!("it was damaged; move {} away, then run `punch restore`", path.display()))
        })?;
        Ok(Some(LastGood {
            text,
            node,
            tag: host_paths::read_optional(&self.root.last_good_tag())?.map(|tag| tag.trim().to_owned()),
            at: modified(&path)?.unwrap_or_default(),
        }))
    }

    /// Remembers `text`, which took the place of `last`, as the last good node file, as of `now`.
    pub(crate) fn set_last_good(
        &self,
        text: &str,
        tag: Option<&str>,
        last: Option<&LastGood>,
        now: Micros,
    ) -> Result<(), CommandError> {
        let same = last.is_some_and(|last| last.text == text);
        if !same || last.and_then(|last| last.tag.as_deref()) != tag {
            // While file and tag do not belong together there is no tag: it would answer for the wrong file.
            host_paths::remove_optional(&self.root.last_good_tag())?;
            if !same {
                host_paths::replace_file(&self.root.last_good(), text.as_bytes(), 0o600)?;
            }
            if let Some(tag) = tag {
                host_paths::replace_file(&self.root.last_good_tag(), tag.as_bytes(), 0o600)?;
            }
        }
        touch(&self.root.last_good(), now)
    }

    /// The highest generation a run ever began.
    pub(crate) fn begun_generation(&self) -> Result<Option<BegunGeneration>, CommandError> {
        let path = self.root.begun_generation();
        let Some(text) = host_paths::read_optional(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            CommandError::blocked(format!("{}: not what punch writes: {error}", path.display()))
                .with_hint("it holds back older node files; join again with a new token to begin anew")
        })
    }

    /// Remembers that a run begins `node`. A file written by hand has no number, and leaves no mark.
    pub(crate) fn record_begun_generation(
        &self,
        node: &Node,
        begun: Option<&BegunGeneration>,
    ) -> Result<(), CommandError> {
        if node.generation <= begun.map_or(0, |begun| begun.generation) {
            return Ok(());
        }
        let begun = BegunGeneration { generation: node.generation, digest: node::content_digest(node) };
        let text = serde_json::to_vec(&begun).map_err(|error| {
            CommandError::new(Exit::Bug, format!("a generation cannot be written: {error}"))
        })?;
        host_paths::replace_file(&self.root.begun_generation(), &text, 0o600)
    }

    /// When the back-office last answered for this host.
    pub(crate) fn last_contact(&self) -> Result<Option<Micros>, CommandError> {
        modified(&self.root.last_contact())
    }

    /// Records that the back-office answered at `now`.
    pub(crate) fn record_contact(&self, now: Micros) -> Result<(), CommandError> {
        touch(&self.root.last_contact(), now)
    }

    /// Forgets the state of an earlier back-office: its generation numbers do not apply to the next.
    pub(crate) fn forget_back_office(&self) -> Result<(), CommandError> {
        for path in [self.root.begun_generation(), self.root.last_contact(), self.root.last_good_tag()] {
            host_paths::remove_optional(&path)?;
        }
        Ok(())
    }

    /// Reports of earlier runs, newest first, at most `most`.
    pub(crate) fn history(&self, most: usize) -> Result<Vec<(u64, Report)>, CommandError> {
        self.host_state().latest_reports(most).map_err(unreadable)
    }

    /// The report of one earlier run, if it is still kept.
    pub(crate) fn report(&self, number: u64) -> Result<Option<Report>, CommandError> {
        self.host_state().report(number).map_err(unreadable)
    }

    /// Queues a report for the back-office.
    pub(crate) fn queue_report(&self, report: &Report) -> Result<(), CommandError> {
        let folder = self.root.unsent_reports();
        host_paths::create_private_folder(&folder)?;
        let text = serde_json::to_vec_pretty(report)
            .map_err(|error| CommandError::new(Exit::Bug, format!("a report cannot be written: {error}")))?;
        host_paths::replace_file(&unsent_file(&folder, report), &text, 0o600)?;
        let files = unsent_files(&folder)?;
        for file in files.iter().rev().skip(KEPT_UNSENT) {
            host_paths::remove_optional(file)?;
        }
        Ok(())
    }

    /// Reports the back-office has not got, oldest first. One that cannot be read is set aside with a
    /// warning: it must not hold up all others for ever.
    pub(crate) fn unsent_reports(&self, output: &TerminalOutput) -> Result<Vec<Report>, CommandError> {
        let mut reports = Vec::new();
        for file in unsent_files(&self.root.unsent_reports())? {
            match read_report(&file) {
                Ok(report) => reports.push(report),
                Err(failure) => {
                    let aside = file.with_extension("damaged");
                    fs::rename(&file, &aside).map_err(|error| CommandError::cannot_write(&aside, &error))?;
                    output.warn(format!("{}; it is kept as {}", failure.message, aside.display()));
                }
            }
        }
        Ok(reports)
    }

    /// How many reports the back-office has not got.
    pub(crate) fn count_unsent_reports(&self) -> Result<usize, CommandError> {
        Ok(unsent_files(&self.root.unsent_reports())?.len())
    }

    /// The back-office has got it.
    pub(crate) fn remove_sent_report(&self, report: &Report) -> Result<(), CommandError> {
        host_paths::remove_optional(&unsent_file(&self.root.unsent_reports(), report))
    }
}

/// When a file was last touched; `None` when there is none.
fn modified(path: &Path) -> Result<Option<Micros>, CommandError> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(at) => {
            let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
            Ok(Some(i64::try_from(at).unwrap_or(i64::MAX)))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(CommandError::cannot_read(path, &error)),
    }
}

/// Sets a file's modification time to `at`; creates an empty file if there is none.
fn touch(path: &Path, at: Micros) -> Result<(), CommandError> {
    let at: SystemTime = UNIX_EPOCH + Duration::from_micros(u64::try_from(at).unwrap_or(0));
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.set_modified(at))
        .map_err(|error| CommandError::cannot_write(path, &error))
}

/// A file for each run, in the order of their beginnings.
fn unsent_file(folder: &Path, report: &Report) -> PathBuf {
    folder.join(format!("{:020}.json", report.started_us))
}

fn unsent_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CommandError::cannot_read(folder, &error)),
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

fn read_report(path: &Path) -> Result<Report, CommandError> {
    let text = fs::read_to_string(path).map_err(|error| CommandError::cannot_read(path, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        CommandError::input(format!("{} is not a report: {error}", path.display()))
            .with_hint("remove the damaged file")
    })
}

fn unreadable(error: StateError) -> CommandError {
    CommandError::input(error.to_string())
}

#[cfg(test)]
mod tests {
    use model::report::RunOutcome;

    use super::*;

    fn report(generation: u64) -> Report {
        Report {
            server: "web-01".to_owned(),
            generation,
            outcome: RunOutcome::Changed,
            started_us: i64::try_from(generation).unwrap(),
            duration_us: 1,
            unchanged: 0,
            entries: Vec::new(),
        }
    }

    #[test]
    fn unsent_reports_wait_in_order_until_they_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentState::new(&HostPaths::new(folder.path()).unwrap());
        state.queue_report(&report(2)).unwrap();
        state.queue_report(&report(1)).unwrap();
        state.queue_report(&report(1)).unwrap();
        let output = TerminalOutput::new(true, true);
        assert_eq!(state.unsent_reports(&output).unwrap(), [report(1), report(2)]);
        state.remove_sent_report(&report(1)).unwrap();
        assert_eq!(state.unsent_reports(&output).unwrap(), [report(2)]);
    }

    #[test]
    fn a_damaged_report_is_set_aside_and_does_not_hold_up_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentState::new(&HostPaths::new(folder.path()).unwrap());
        state.queue_report(&report(2)).unwrap();
        let outbox = folder.path().join("var/lib/geppetto/punch/outbox");
        fs::write(outbox.join("00000000000000000001.json"), "half a rep").unwrap();
        assert_eq!(state.unsent_reports(&TerminalOutput::new(true, true)).unwrap(), [report(2)]);
        assert_eq!(state.count_unsent_reports().unwrap(), 1);
        assert!(outbox.join("00000000000000000001.damaged").exists());
    }

    #[test]
    fn two_runs_never_change_a_host_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentState::new(&HostPaths::new(folder.path()).unwrap());
        let lock = state.lock().unwrap();
        let refusal = state.lock().err().unwrap();
        assert!(refusal.message.contains("another punch is at work on this host"), "{}", refusal.message);
        drop(lock);
        state.lock().unwrap();
    }

    #[test]
    fn a_tag_is_forgotten_with_the_file_it_was_for() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentState::new(&HostPaths::new(folder.path()).unwrap());
        drop(state.lock().unwrap());
        let text = "format: geppetto/node/1\ncomponents: {}\n";
        state.set_last_good(text, Some("\"a\""), None, 5_000_000).unwrap();
        let good = state.last_good().unwrap().unwrap();
        assert_eq!((good.tag.as_deref(), good.at), (Some("\"a\""), 5_000_000));
        state.set_last_good(text, None, Some(&good), 6_000_000).unwrap();
        let good = state.last_good().unwrap().unwrap();
        assert_eq!((good.tag, good.at, good.text.as_str()), (None, 6_000_000, text));
    }

    #[test]
    fn a_run_that_changes_nothing_writes_neither_file_nor_tag_again() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let state = AgentState::new(&HostPaths::new(folder.path()).unwrap());
        drop(state.lock().unwrap());
        let text = "format: geppetto/node/1\ncomponents: {}\n";
        let inodes = || {
            let of = |path: PathBuf| fs::metadata(path).unwrap().ino();
            (of(state.root.last_good()), of(state.root.last_good_tag()))
        };
        state.set_last_good(text, Some("\"a\""), None, 5_000_000).unwrap();
        let before = inodes();
        let good = state.last_good().unwrap();
        state.set_last_good(text, Some("\"a\""), good.as_ref(), 6_000_000).unwrap();
        assert_eq!(inodes(), before);
        assert_eq!(state.last_good().unwrap().unwrap().at, 6_000_000);
    }

    #[test]
    fn the_highest_generation_ever_begun_is_kept_whatever_comes_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentState::new(&HostPaths::new(folder.path()).unwrap());
        drop(state.lock().unwrap());
        for (begins, highest) in [(7, 7), (0, 7), (9, 9), (8, 9)] {
            let text = format!("format: geppetto/node/1\ngeneration: {begins}\ncomponents: {{}}\n");
            let node = node::read("n", &text).unwrap();
            state.record_begun_generation(&node, state.begun_generation().unwrap().as_ref()).unwrap();
            assert_eq!(state.begun_generation().unwrap().unwrap().generation, highest);
        }
    }
}
