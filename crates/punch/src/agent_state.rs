//! What punch remembers between runs: the last good node file, reports, reports not sent yet, the lock.

mod good_generations;
mod host_hold;

use std::io;

use converge::{PUNCH_STATE_FOLDER, PunchStateFolder, PunchStateFolderError, RunLock};
use model::{
    exit::Exit,
    format::node,
    node::{EpochAndGeneration, Node, digest_node_content},
    report::Report,
};
use nix::sys::stat::{Mode, umask};
use serde::{Deserialize, Serialize};

use crate::{
    command_error::CommandError, host_files::HostFileAccess, terminal_output::TerminalOutput,
    time_text::UnixMicros,
};

pub(crate) use self::good_generations::{
    GivenUpGeneration, describe_generation, describe_last_good_generation,
};
pub(crate) use self::host_hold::HostHold;

/// Reports kept for a back-office that does not answer.
const KEPT_UNSENT: usize = 100;

/// The last good node file.
const LAST_GOOD: &str = "node.yaml";
/// What the back-office called the last good node file (its ETag).
const LAST_GOOD_TAG: &str = "node.etag";
/// The highest generation a run ever began, and its digest.
const BEGUN_GENERATION: &str = "begun.json";
/// An empty file whose modification time is the last contact with the back-office.
const LAST_CONTACT: &str = "last-contact";
/// The folder of reports the back-office has not got yet.
const UNSENT_REPORTS: &str = "outbox";

/// The files in which punch remembers, on one host, what the back-office sent: the last good node file, the highest
/// generation begun, unsent reports. What every run writes down is in [`PunchStateFolder`].
pub(crate) struct AgentStateFiles {
    files: HostFileAccess,
}

/// The node file that was applied last without failure.
pub(crate) struct LastGoodNode {
    /// Its text, signature included.
    pub(crate) text: String,
    /// The same, parsed.
    pub(crate) node: Node,
    /// What the back-office called it.
    pub(crate) tag: Option<String>,
    /// When the host was last made, or found to be, like it.
    pub(crate) at: UnixMicros,
}

/// The highest generation a run ever began on this host, whatever came of it: nothing older is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HighestBegunGeneration {
    pub(crate) epoch: u64,
    pub(crate) generation: u64,
    /// The digest of its content.
    pub(crate) digest: String,
}

impl HighestBegunGeneration {
    /// Its number.
    pub(crate) fn epoch_and_generation(&self) -> EpochAndGeneration {
        EpochAndGeneration { epoch: self.epoch, generation: self.generation }
    }
}

impl AgentStateFiles {
    pub(crate) fn new(files: &HostFileAccess) -> Self {
        Self { files: files.clone() }
    }

    /// What every run on a host writes down, punch's or not.
    fn punch_state_folder(&self) -> PunchStateFolder {
        PunchStateFolder::state_folder_of_root(self.files.host_root().clone())
    }

    /// Takes the lock of runs that change the host, without waiting.
    pub(crate) fn acquire_run_lock_and_set_umask(&self) -> Result<RunLock, CommandError> {
        // The lock's holder changes the host: use the standard umask for the files it creates.
        umask(Mode::from_bits_truncate(0o022));
        self.punch_state_folder().acquire_run_lock().map_err(|error| match error {
            PunchStateFolderError::File { path, source, .. } => {
                CommandError::cannot_write_file_error(&path, &source)
            }
            locked => {
                CommandError::blocked_error(locked.to_string()).with_hint("`punch history` shows what it did")
            }
        })
    }

    /// The last good node file, if there ever was one.
    pub(crate) fn read_last_good_node(&self) -> Result<Option<LastGoodNode>, CommandError> {
        let Some(text) = self.files.read_text_file_if_exists(&path(LAST_GOOD))? else { return Ok(None) };
        let shown = self.files.display_path(&path(LAST_GOOD));
        let node = node::parse_node_yaml(&shown.display().to_string(), &text).map_err(|error| {
            CommandError::blocked_error(format!("the last good node file cannot be read: {error}"))
                .with_hint(format!("it was damaged; move {} away, then run `punch restore`", shown.display()))
        })?;
        Ok(Some(LastGoodNode {
            text,
            node,
            tag: self.files.read_text_file_if_exists(&path(LAST_GOOD_TAG))?.map(|tag| tag.trim().to_owned()),
            at: self.modified(LAST_GOOD)?.unwrap_or_default(),
        }))
    }

    /// Remembers `text`, which took the place of `last`, as the last good node file, as of `now`.
    pub(crate) fn save_last_good_node(
        &self,
        text: &str,
        tag: Option<&str>,
        last: Option<&LastGoodNode>,
        now: UnixMicros,
    ) -> Result<(), CommandError> {
        let same = last.is_some_and(|last| last.text == text);
        if !same || last.and_then(|last| last.tag.as_deref()) != tag {
            // While file and tag do not belong together there is no tag: it would answer for the wrong file.
            self.files.remove_file_if_exists(&path(LAST_GOOD_TAG))?;
            if !same {
                self.files.replace_file(&path(LAST_GOOD), text.as_bytes(), 0o600)?;
            }
            if let Some(tag) = tag {
                self.files.replace_file(&path(LAST_GOOD_TAG), tag.as_bytes(), 0o600)?;
            }
        }
        self.touch(LAST_GOOD, now)
    }

    /// The highest generation a run ever began.
    pub(crate) fn read_highest_begun_generation(
        &self,
    ) -> Result<Option<HighestBegunGeneration>, CommandError> {
        let Some(text) = self.files.read_text_file_if_exists(&path(BEGUN_GENERATION))? else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            let shown = self.files.display_path(&path(BEGUN_GENERATION));
            CommandError::blocked_error(format!("{}: not what punch writes: {error}", shown.display()))
                .with_hint("it holds back older node files; join again with a new token to begin anew")
        })
    }

    /// Remembers that a run begins `node`. A file written by hand has no number, and leaves no mark.
    pub(crate) fn record_highest_begun_generation(
        &self,
        node: &Node,
        begun: Option<&HighestBegunGeneration>,
    ) -> Result<(), CommandError> {
        let number = node.epoch_and_generation();
        let is_newer = begun.is_none_or(|begun| number > begun.epoch_and_generation());
        if node.generation == 0 || !is_newer {
            return Ok(());
        }
        let begun = HighestBegunGeneration {
            epoch: node.epoch,
            generation: node.generation,
            digest: digest_node_content(node).to_string(),
        };
        let text = serde_json::to_vec(&begun).map_err(|error| {
            CommandError::new(Exit::Bug, format!("a generation cannot be written: {error}"))
        })?;
        self.files.replace_file(&path(BEGUN_GENERATION), &text, 0o600)
    }

    /// When the back-office last answered for this host.
    pub(crate) fn read_last_back_office_contact(&self) -> Result<Option<UnixMicros>, CommandError> {
        self.modified(LAST_CONTACT)
    }

    /// Records that the back-office answered at `now`.
    pub(crate) fn record_back_office_contact(&self, now: UnixMicros) -> Result<(), CommandError> {
        self.touch(LAST_CONTACT, now)
    }

    /// Forgets the state of an earlier back-office: its generation numbers do not apply to the next.
    pub(crate) fn forget_previous_back_office_state(&self) -> Result<(), CommandError> {
        for name in [BEGUN_GENERATION, LAST_CONTACT, LAST_GOOD_TAG] {
            self.files.remove_file_if_exists(&path(name))?;
        }
        Ok(())
    }

    /// Reports of earlier runs, newest first, at most `most`.
    pub(crate) fn read_latest_reports(&self, most: usize) -> Result<Vec<(u64, Report)>, CommandError> {
        self.punch_state_folder().read_latest_reports(most).map_err(unreadable)
    }

    /// The report of one earlier run, if it is still kept.
    pub(crate) fn read_report_by_number(&self, number: u64) -> Result<Option<Report>, CommandError> {
        self.punch_state_folder().read_report(number).map_err(unreadable)
    }

    /// Queues a report for the back-office.
    pub(crate) fn save_unsent_report(&self, report: &Report) -> Result<(), CommandError> {
        let folder = path(UNSENT_REPORTS);
        for folder in [PUNCH_STATE_FOLDER, &folder] {
            let made = self.files.host_root().create_private_folder(folder);
            made.map_err(|error| {
                CommandError::cannot_write_file_error(&self.files.display_path(folder), &error)
            })?;
        }
        let text = serde_json::to_vec_pretty(report)
            .map_err(|error| CommandError::new(Exit::Bug, format!("a report cannot be written: {error}")))?;
        self.files.replace_file(&unsent_file(report), &text, 0o600)?;
        for file in self.unsent_files()?.iter().rev().skip(KEPT_UNSENT) {
            self.files.remove_file_if_exists(file)?;
        }
        Ok(())
    }

    /// Reports the back-office has not got, oldest first. One that cannot be read is set aside with a
    /// warning: it must not hold up all others for ever.
    pub(crate) fn read_unsent_reports_setting_damaged_aside(
        &self,
        output: &TerminalOutput,
    ) -> Result<Vec<Report>, CommandError> {
        let mut reports = Vec::new();
        for file in self.unsent_files()? {
            match self.read_queued_report(&file) {
                Ok(report) => reports.push(report),
                Err(failure) => {
                    let aside = self.files.display_path(&file).with_extension("damaged");
                    let name = aside.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    let renamed = self.files.host_root().rename_file_in_its_folder(&file, name);
                    renamed.map_err(|error| CommandError::cannot_write_file_error(&aside, &error))?;
                    output.print_warning(format!("{}; it is kept as {}", failure.message, aside.display()));
                }
            }
        }
        Ok(reports)
    }

    /// How many reports the back-office has not got.
    pub(crate) fn count_unsent_reports(&self) -> Result<usize, CommandError> {
        Ok(self.unsent_files()?.len())
    }

    /// The back-office has got it.
    pub(crate) fn remove_sent_report(&self, report: &Report) -> Result<(), CommandError> {
        self.files.remove_file_if_exists(&unsent_file(report))
    }

    fn unsent_files(&self) -> Result<Vec<String>, CommandError> {
        let folder = path(UNSENT_REPORTS);
        let names = self.files.host_root().list_folder_or_empty(&folder);
        let names = names.map_err(|error| {
            CommandError::cannot_read_file_error(&self.files.display_path(&folder), &error)
        })?;
        let reports = names.into_iter().filter(|name| name.ends_with(".json"));
        Ok(reports.map(|name| format!("{folder}/{name}")).collect())
    }

    fn read_queued_report(&self, file: &str) -> Result<Report, CommandError> {
        let shown = self.files.display_path(file);
        let missing = || CommandError::cannot_read_file_error(&shown, &io::ErrorKind::NotFound.into());
        let text = self.files.read_text_file_if_exists(file)?.ok_or_else(missing)?;
        serde_json::from_str(&text).map_err(|error| {
            CommandError::invalid_input_error(format!("{} is not a report: {error}", shown.display()))
                .with_hint("remove the damaged file")
        })
    }

    /// When a file was last touched; `None` when there is none.
    fn modified(&self, name: &str) -> Result<Option<UnixMicros>, CommandError> {
        let modified = self.files.host_root().modification_time_us(&path(name));
        modified.map_err(|error| {
            CommandError::cannot_read_file_error(&self.files.display_path(&path(name)), &error)
        })
    }

    /// Sets when a file was last touched; creates an empty file if there is none.
    fn touch(&self, name: &str, at: UnixMicros) -> Result<(), CommandError> {
        let touched = self.files.host_root().touch_or_create_file(&path(name), at);
        touched.map_err(|error| {
            CommandError::cannot_write_file_error(&self.files.display_path(&path(name)), &error)
        })
    }
}

/// The path of a file of the state.
fn path(name: &str) -> String {
    format!("{PUNCH_STATE_FOLDER}/{name}")
}

/// A file for each run, in the order of their beginnings.
fn unsent_file(report: &Report) -> String {
    path(&format!("{UNSENT_REPORTS}/{:020}.json", report.started_us))
}

fn unreadable(error: PunchStateFolderError) -> CommandError {
    CommandError::invalid_input_error(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            repairs: Vec::new(),
        }
    }

    #[test]
    fn unsent_reports_wait_in_order_until_they_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentStateFiles::new(&HostFileAccess::new(folder.path()).unwrap());
        state.save_unsent_report(&report(2)).unwrap();
        state.save_unsent_report(&report(1)).unwrap();
        state.save_unsent_report(&report(1)).unwrap();
        let output = TerminalOutput::new_json_output();
        assert_eq!(state.read_unsent_reports_setting_damaged_aside(&output).unwrap(), [report(1), report(2)]);
        state.remove_sent_report(&report(1)).unwrap();
        assert_eq!(state.read_unsent_reports_setting_damaged_aside(&output).unwrap(), [report(2)]);
    }

    #[test]
    fn damaged_report_is_set_aside_and_the_others_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentStateFiles::new(&HostFileAccess::new(folder.path()).unwrap());
        state.save_unsent_report(&report(2)).unwrap();
        let outbox = folder.path().join("var/lib/geppetto/punch/outbox");
        fs::write(outbox.join("00000000000000000001.json"), "half a rep").unwrap();
        assert_eq!(
            state.read_unsent_reports_setting_damaged_aside(&TerminalOutput::new_json_output()).unwrap(),
            [report(2)]
        );
        assert_eq!(state.count_unsent_reports().unwrap(), 1);
        assert!(outbox.join("00000000000000000001.damaged").exists());
    }

    #[test]
    fn second_run_on_a_host_is_refused_while_one_runs() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentStateFiles::new(&HostFileAccess::new(folder.path()).unwrap());
        let lock = state.acquire_run_lock_and_set_umask().unwrap();
        let refusal = state.acquire_run_lock_and_set_umask().err().unwrap();
        assert!(refusal.message.contains("another punch is at work on this host"), "{}", refusal.message);
        drop(lock);
        state.acquire_run_lock_and_set_umask().unwrap();
    }

    #[test]
    fn etag_is_removed_with_its_node_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentStateFiles::new(&HostFileAccess::new(folder.path()).unwrap());
        drop(state.acquire_run_lock_and_set_umask().unwrap());
        let text = "format: geppetto/node/1\ncomponents: {}\n";
        state.save_last_good_node(text, Some("\"a\""), None, 5_000_000).unwrap();
        let good = state.read_last_good_node().unwrap().unwrap();
        assert_eq!((good.tag.as_deref(), good.at), (Some("\"a\""), 5_000_000));
        state.save_last_good_node(text, None, Some(&good), 6_000_000).unwrap();
        let good = state.read_last_good_node().unwrap().unwrap();
        assert_eq!((good.tag, good.at, good.text.as_str()), (None, 6_000_000, text));
    }

    #[test]
    fn run_that_changes_nothing_writes_neither_file_nor_tag_again() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let state = AgentStateFiles::new(&HostFileAccess::new(folder.path()).unwrap());
        drop(state.acquire_run_lock_and_set_umask().unwrap());
        let text = "format: geppetto/node/1\ncomponents: {}\n";
        let inodes = || {
            let of = |name: &str| fs::metadata(state.files.display_path(&path(name))).unwrap().ino();
            (of(LAST_GOOD), of(LAST_GOOD_TAG))
        };
        state.save_last_good_node(text, Some("\"a\""), None, 5_000_000).unwrap();
        let before = inodes();
        let good = state.read_last_good_node().unwrap();
        state.save_last_good_node(text, Some("\"a\""), good.as_ref(), 6_000_000).unwrap();
        assert_eq!(inodes(), before);
        assert_eq!(state.read_last_good_node().unwrap().unwrap().at, 6_000_000);
    }

    #[test]
    fn highest_begun_generation_is_kept_after_older_ones() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentStateFiles::new(&HostFileAccess::new(folder.path()).unwrap());
        drop(state.acquire_run_lock_and_set_umask().unwrap());
        // An older generation of a higher epoch is newer: the control plane was recovered from a backup.
        for (epoch, begins, highest) in [(1, 7, 7), (0, 0, 7), (1, 9, 9), (1, 8, 9), (2, 3, 3), (1, 10, 3)] {
            let text =
                format!("format: geppetto/node/1\nepoch: {epoch}\ngeneration: {begins}\ncomponents: {{}}\n");
            let node = node::parse_node_yaml("n", &text).unwrap();
            state
                .record_highest_begun_generation(
                    &node,
                    state.read_highest_begun_generation().unwrap().as_ref(),
                )
                .unwrap();
            assert_eq!(state.read_highest_begun_generation().unwrap().unwrap().generation, highest);
        }
    }
}
