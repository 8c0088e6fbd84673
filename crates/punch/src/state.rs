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
    failure::CommandError,
    output::TerminalOutput,
    root::{self, HostPaths},
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
    pub(crate) fn of_runs(&self) -> converge::HostState {
        converge::HostState::at(self.root.path())
    }

    /// Held while a run changes the host; two never do at once. Waits for nobody.
    pub(crate) fn lock(&self) -> Result<RunLock, CommandError> {
        // Whoever holds it changes the host, and what it and its programs make is as on any other host.
        umask(Mode::from_bits_truncate(0o022));
        self.of_runs().lock().map_err(|error| match error {
            StateError::File { path, source, .. } => CommandError::writing(&path, &source),
            locked => CommandError::blocked(locked.to_string()).hint("`punch history` shows what it did"),
        })
    }

    /// The last good node file, if there ever was one.
    pub(crate) fn last_good(&self) -> Result<Option<LastGood>, CommandError> {
        let path = self.root.last_good();
        let Some(text) = root::read_if_there(&path)? else { return Ok(None) };
        let node = node::read(&path.display().to_string(), &text).map_err(|error| {
            CommandError::blocked(format!("the last good node file cannot be read: {error}"))
                .hint(format!("it was damaged; move {} away, then run `punch restore`", path.display()))
        })?;
        Ok(Some(LastGood {
            text,
            node,
            tag: root::read_if_there(&self.root.last_good_tag())?.map(|tag| tag.trim().to_owned()),
            at: modified(&path)?.unwrap_or_default(),
        }))
    }

    /// Remembers `text`, which took the place of `last`, as the last good node file, as of `now`.
    pub(crate) fn keep(
        &self,
        text: &str,
        tag: Option<&str>,
        last: Option<&LastGood>,
        now: Micros,
    ) -> Result<(), CommandError> {
        let same = last.is_some_and(|last| last.text == text);
        if !same || last.and_then(|last| last.tag.as_deref()) != tag {
            // While file and tag do not belong together there is no tag: it would answer for the wrong file.
            root::remove_if_there(&self.root.last_good_tag())?;
            if !same {
                root::replace(&self.root.last_good(), text.as_bytes(), 0o600)?;
            }
            if let Some(tag) = tag {
                root::replace(&self.root.last_good_tag(), tag.as_bytes(), 0o600)?;
            }
        }
        touch(&self.root.last_good(), now)
    }

    /// The highest generation a run ever began.
    pub(crate) fn begun(&self) -> Result<Option<BegunGeneration>, CommandError> {
        let path = self.root.begun();
        let Some(text) = root::read_if_there(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            CommandError::blocked(format!("{}: not what punch writes: {error}", path.display()))
                .hint("it holds back older node files; join again with a new token to begin anew")
        })
    }

    /// Remembers that a run begins `node`. A file written by hand has no number, and leaves no mark.
    pub(crate) fn begin(&self, node: &Node, begun: Option<&BegunGeneration>) -> Result<(), CommandError> {
        if node.generation <= begun.map_or(0, |begun| begun.generation) {
            return Ok(());
        }
        let begun = BegunGeneration { generation: node.generation, digest: node::content_digest(node) };
        let text = serde_json::to_vec(&begun).map_err(|error| {
            CommandError::new(Exit::Bug, format!("a generation cannot be written: {error}"))
        })?;
        root::replace(&self.root.begun(), &text, 0o600)
    }

    /// When the back-office last said what this host shall be.
    pub(crate) fn heard(&self) -> Result<Option<Micros>, CommandError> {
        modified(&self.root.heard())
    }

    /// Remembers that the back-office said at `now` what this host shall be.
    pub(crate) fn hear(&self, now: Micros) -> Result<(), CommandError> {
        touch(&self.root.heard(), now)
    }

    /// Forgets what another back-office said: its numbers mean nothing to the next one.
    pub(crate) fn forget_back_office(&self) -> Result<(), CommandError> {
        for path in [self.root.begun(), self.root.heard(), self.root.last_good_tag()] {
            root::remove_if_there(&path)?;
        }
        Ok(())
    }

    /// Reports of earlier runs, newest first, at most `most`.
    pub(crate) fn history(&self, most: usize) -> Result<Vec<(u64, Report)>, CommandError> {
        self.of_runs().latest(most).map_err(unreadable)
    }

    /// The report of one earlier run, if it is still kept.
    pub(crate) fn report(&self, number: u64) -> Result<Option<Report>, CommandError> {
        self.of_runs().report(number).map_err(unreadable)
    }

    /// Keeps a report until the back-office can be told.
    pub(crate) fn keep_unsent(&self, report: &Report) -> Result<(), CommandError> {
        let folder = self.root.outbox();
        root::private_folder(&folder)?;
        let text = serde_json::to_vec_pretty(report)
            .map_err(|error| CommandError::new(Exit::Bug, format!("a report cannot be written: {error}")))?;
        root::replace(&unsent_file(&folder, report), &text, 0o600)?;
        let files = unsent_files(&folder)?;
        for file in files.iter().rev().skip(KEPT_UNSENT) {
            root::remove_if_there(file)?;
        }
        Ok(())
    }

    /// Reports the back-office has not got, oldest first. One that cannot be read is set aside with a
    /// warning: it must not hold up all others for ever.
    pub(crate) fn unsent(&self, output: &TerminalOutput) -> Result<Vec<Report>, CommandError> {
        let mut reports = Vec::new();
        for file in unsent_files(&self.root.outbox())? {
            match read_report(&file) {
                Ok(report) => reports.push(report),
                Err(failure) => {
                    let aside = file.with_extension("damaged");
                    fs::rename(&file, &aside).map_err(|error| CommandError::writing(&aside, &error))?;
                    output.warn(format!("{}; it is kept as {}", failure.message, aside.display()));
                }
            }
        }
        Ok(reports)
    }

    /// How many reports the back-office has not got.
    pub(crate) fn count_unsent(&self) -> Result<usize, CommandError> {
        Ok(unsent_files(&self.root.outbox())?.len())
    }

    /// The back-office has got it.
    pub(crate) fn sent(&self, report: &Report) -> Result<(), CommandError> {
        root::remove_if_there(&unsent_file(&self.root.outbox(), report))
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
        Err(error) => Err(CommandError::reading(path, &error)),
    }
}

/// Makes a file as old as `at` says; an empty one where there is none.
fn touch(path: &Path, at: Micros) -> Result<(), CommandError> {
    let at: SystemTime = UNIX_EPOCH + Duration::from_micros(u64::try_from(at).unwrap_or(0));
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.set_modified(at))
        .map_err(|error| CommandError::writing(path, &error))
}

/// A file for each run, in the order of their beginnings.
fn unsent_file(folder: &Path, report: &Report) -> PathBuf {
    folder.join(format!("{:020}.json", report.started_us))
}

fn unsent_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CommandError::reading(folder, &error)),
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

fn read_report(path: &Path) -> Result<Report, CommandError> {
    let text = fs::read_to_string(path).map_err(|error| CommandError::reading(path, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        CommandError::input(format!("{} is not a report: {error}", path.display()))
            .hint("remove the damaged file")
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
        state.keep_unsent(&report(2)).unwrap();
        state.keep_unsent(&report(1)).unwrap();
        state.keep_unsent(&report(1)).unwrap();
        let output = TerminalOutput::new(true, true);
        assert_eq!(state.unsent(&output).unwrap(), [report(1), report(2)]);
        state.sent(&report(1)).unwrap();
        assert_eq!(state.unsent(&output).unwrap(), [report(2)]);
    }

    #[test]
    fn a_damaged_report_is_set_aside_and_does_not_hold_up_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentState::new(&HostPaths::new(folder.path()).unwrap());
        state.keep_unsent(&report(2)).unwrap();
        let outbox = folder.path().join("var/lib/geppetto/punch/outbox");
        fs::write(outbox.join("00000000000000000001.json"), "half a rep").unwrap();
        assert_eq!(state.unsent(&TerminalOutput::new(true, true)).unwrap(), [report(2)]);
        assert_eq!(state.count_unsent().unwrap(), 1);
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
        state.keep(text, Some("\"a\""), None, 5_000_000).unwrap();
        let good = state.last_good().unwrap().unwrap();
        assert_eq!((good.tag.as_deref(), good.at), (Some("\"a\""), 5_000_000));
        state.keep(text, None, Some(&good), 6_000_000).unwrap();
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
        state.keep(text, Some("\"a\""), None, 5_000_000).unwrap();
        let before = inodes();
        let good = state.last_good().unwrap();
        state.keep(text, Some("\"a\""), good.as_ref(), 6_000_000).unwrap();
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
            state.begin(&node, state.begun().unwrap().as_ref()).unwrap();
            assert_eq!(state.begun().unwrap().unwrap().generation, highest);
        }
    }
}
