//! The journal of the run in progress: a line is added for each step, so that a step costs the same
//! however long the run is. A killed run is read from it.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use model::{
    name::Name,
    observe::{ManagedState, OwnershipBeforePunch, ResourceCreatedByPunch},
    report::{Report, ReportEntry, ReportEntryResult},
    resource::ResourceId,
};
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use super::{PunchStateFolder, PunchStateFolderError};

const RUNNING: &str = "running.jsonl";
const INTERRUPTED_WRITES: &str = "interrupted-writes.json";

/// The journal, open for the next line.
#[derive(Debug)]
pub(crate) struct RunJournalWriter {
    file: File,
    path: PathBuf,
}

/// One thing to remember, or to forget, about what punch made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ManagedStateChange {
    /// A package is punch's own; whose component it is.
    Installed(String, Name),
    /// A resource is punch's own.
    Made(ResourceCreatedByPunch),
    /// What was there has another owner, group or mode now; the first ones are remembered.
    OwnershipBefore(ResourceId, OwnershipBeforePunch),
    /// What lies at a resource's place is written, whoever made it: a killed run can leave a temporary file there.
    Written(ResourceId),
    /// A service or command was notified.
    Owed(ResourceId),
    /// A package is gone, or not punch's own after all.
    Uninstalled(String),
    /// A resource is gone.
    Unmade(ResourceId),
    /// A notified service was restarted, or a notified command was run.
    Paid(ResourceId),
}

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The run began; its report without entries.
    Started(Report),
    /// A step begins, and this is what it is about to make.
    Begun(ReportEntry, Vec<ManagedStateChange>),
    /// A step ended.
    Ended(ReportEntry, Vec<ManagedStateChange>),
}

impl ManagedStateChange {
    /// Remembers or forgets it. Doing so twice is the same as once.
    pub(crate) fn apply_to_managed_state(&self, managed: &mut ManagedState) {
        match self {
            ManagedStateChange::Installed(name, component) => {
                managed.packages.insert(name.clone(), component.clone());
            }
            ManagedStateChange::Made(made) => {
                managed.ownership_before.remove(&made.id);
                match managed.resources.iter_mut().find(|known| known.id == made.id) {
                    Some(known) => *known = made.clone(),
                    None => managed.resources.push(made.clone()),
                }
            }
            ManagedStateChange::OwnershipBefore(id, before) => {
                let known = managed.ownership_before.entry(id.clone()).or_insert_with(|| before.clone());
                known.owner = known.owner.take().or_else(|| before.owner.clone());
                known.group = known.group.take().or_else(|| before.group.clone());
                known.mode = known.mode.or(before.mode);
            }
            ManagedStateChange::Written(_) => (),
            ManagedStateChange::Owed(id) => _ = managed.pending.insert(id.clone()),
            ManagedStateChange::Uninstalled(name) => _ = managed.packages.remove(name),
            ManagedStateChange::Unmade(id) => {
                managed.ownership_before.remove(id);
                managed.resources.retain(|made| made.id != *id);
            }
            ManagedStateChange::Paid(id) => _ = managed.pending.remove(id),
        }
    }
}

impl RunJournalWriter {
    /// Notes that a step begins. It is on disk when this returns, and with it all that came before.
    pub(crate) fn write_and_flush_step_begin(
        &mut self,
        entry: &ReportEntry,
        marks: &[ManagedStateChange],
    ) -> Result<(), PunchStateFolderError> {
        self.add(&Line::Begun(entry.clone(), marks.to_vec()))?;
        self.file.sync_data().map_err(|source| self.wrong(source))
    }

    /// Notes how a step ended. A killed process leaves it behind; should the power fail before the next
    /// step begins, the step counts as interrupted, and is looked at again.
    pub(crate) fn write_step_end_unflushed(
        &mut self,
        entry: &ReportEntry,
        marks: &[ManagedStateChange],
    ) -> Result<(), PunchStateFolderError> {
        self.add(&Line::Ended(entry.clone(), marks.to_vec()))
    }

    fn add(&mut self, line: &Line) -> Result<(), PunchStateFolderError> {
        let text = text(line).map_err(|source| self.wrong(source))?;
        self.file.write_all(&text).map_err(|source| self.wrong(source))
    }

    fn wrong(&self, source: io::Error) -> PunchStateFolderError {
        PunchStateFolderError::File { what: "write", path: self.path.clone(), source }
    }
}

fn text(line: &Line) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

impl PunchStateFolder {
    /// Begins the journal of a run.
    pub(crate) fn create_run_journal(
        &self,
        report: &Report,
    ) -> Result<RunJournalWriter, PunchStateFolderError> {
        let path = super::path(RUNNING);
        let wrong = |source| self.file_error("write", &path, source);
        self.write(RUNNING, &text(&Line::Started(report.clone())).map_err(wrong)?)?;
        let file = self.root.open_own_file_for_writing(&path, OFlag::O_APPEND).map_err(wrong)?;
        Ok(RunJournalWriter { file, path: self.root.display_path(&path) })
    }

    /// The report of a run that was killed, if the last one was.
    pub fn read_interrupted_report(&self) -> Result<Option<Report>, PunchStateFolderError> {
        let path = super::path(RUNNING);
        let Some(mut report) = self.complete_lines()?.and_then(|lines| report(&lines)) else {
            return Ok(None);
        };
        // It lasted at least until the last line was written.
        let last = self.root.modification_time_us(&path);
        let last = last.map_err(|source| self.file_error("read", &path, source))?;
        report.duration_us = last.map_or(0, |last| last.saturating_sub(report.started_us)).max(0);
        Ok(Some(report))
    }

    /// Where the journal of a run lies on this machine.
    pub fn shown_run_journal_path(&self) -> PathBuf {
        self.root.display_path(&super::path(RUNNING))
    }

    /// Moves the report of a killed run to the others, and what it made to what is known to be made.
    /// Call it only while holding the lock.
    pub fn save_interrupted_run_and_remove_journal(&self) -> Result<(), PunchStateFolderError> {
        let Some(lines) = self.complete_lines()? else { return Ok(()) };
        self.save_managed_state(&self.load_managed_state()?)?;
        self.record_interrupted_writes(&lines)?;
        // A run killed before its first complete line changed nothing.
        if let Some(report) = self.read_interrupted_report()? {
            self.save_report_to_history(&report)?;
        }
        self.remove_run_journal()
    }

    /// Notes where the run of these lines wrote, until its temporary files are removed.
    fn record_interrupted_writes(&self, lines: &[Line]) -> Result<(), PunchStateFolderError> {
        let mut all = self.load_interrupted_writes()?.unwrap_or_default();
        for line in lines {
            if let Line::Begun(_, marks) = line {
                all.extend(marks.iter().filter_map(|mark| match mark {
                    ManagedStateChange::Written(id) => Some(id.clone()),
                    _ => None,
                }));
            }
        }
        self.write_json(INTERRUPTED_WRITES, &all)
    }

    /// The resources that runs wrote which were killed, while their temporary files are not removed; nothing when
    /// no run was killed.
    pub(crate) fn load_interrupted_writes(
        &self,
    ) -> Result<Option<BTreeSet<ResourceId>>, PunchStateFolderError> {
        let Some(text) = self.read(INTERRUPTED_WRITES)? else { return Ok(None) };
        // A damaged file still says that a run was killed.
        Ok(Some(serde_json::from_str(&text).unwrap_or_default()))
    }

    /// Notes that the temporary files of killed runs are removed.
    pub(crate) fn forget_interrupted_writes(&self) -> Result<(), PunchStateFolderError> {
        self.remove(INTERRUPTED_WRITES)
    }

    /// Removes the journal, after its content is stored in report and state.
    pub(crate) fn remove_run_journal(&self) -> Result<(), PunchStateFolderError> {
        self.remove(RUNNING)
    }

    /// What a run that is in progress, or was killed, has marked so far.
    pub(super) fn read_journaled_managed_state_changes(
        &self,
    ) -> Result<Vec<ManagedStateChange>, PunchStateFolderError> {
        let lines = self.complete_lines()?.unwrap_or_default();
        let marks = lines.into_iter().map(|line| match line {
            Line::Started(_) => Vec::new(),
            Line::Begun(_, marks) | Line::Ended(_, marks) => marks,
        });
        Ok(marks.flatten().collect())
    }

    /// The lines of the journal that are whole: the last one of a killed run may not be.
    fn complete_lines(&self) -> Result<Option<Vec<Line>>, PunchStateFolderError> {
        let path = super::path(RUNNING);
        let bytes =
            self.root.read_file_if_exists(&path).map_err(|source| self.file_error("read", &path, source))?;
        Ok(bytes.map(|bytes| {
            let lines = bytes.split(|byte| *byte == b'\n');
            lines.map_while(|line| serde_json::from_slice(line).ok()).collect()
        }))
    }
}

/// The report that the lines of a killed run give.
fn report(lines: &[Line]) -> Option<Report> {
    let (Line::Started(report), steps) = lines.split_first()? else { return None };
    let mut report = report.clone();
    let mut open: Option<&ReportEntry> = None;
    for line in steps {
        match line {
            Line::Started(_) => (),
            Line::Begun(entry, _) => open = Some(entry),
            Line::Ended(entry, _) => {
                open = None;
                report.entries.push(entry.clone());
            }
        }
    }
    report.entries.extend(open.cloned().map(|entry| ReportEntry {
        result: ReportEntryResult::Interrupted,
        detail: "the run ended while this was being done; the next run completes it".to_owned(),
        ..entry
    }));
    Some(report)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::report::RunOutcome;

    use super::*;

    fn entry(action: &str) -> ReportEntry {
        ReportEntry {
            action: action.to_owned(),
            components: [Name::new("shop").unwrap()].into(),
            result: ReportEntryResult::Done,
            detail: String::new(),
            duration_us: 0,
        }
    }

    #[test]
    fn truncated_journal_returns_its_complete_entries() {
        let folder = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(folder.path());
        let started = Report {
            server: "web-01".to_owned(),
            generation: 7,
            outcome: RunOutcome::Interrupted,
            started_us: 1,
            duration_us: 0,
            unchanged: 0,
            entries: Vec::new(),
            repairs: Vec::new(),
        };
        let mut running = state.create_run_journal(&started).unwrap();
        let id = ResourceId::try_from("file:/etc/motd".to_owned()).unwrap();
        let made = ResourceCreatedByPunch { id, component: Name::new("shop").unwrap(), notify: Vec::new() };
        running.write_and_flush_step_begin(&entry("one"), &[ManagedStateChange::Made(made)]).unwrap();
        running.write_step_end_unflushed(&entry("one"), &[]).unwrap();
        running
            .write_and_flush_step_begin(
                &entry("zwölf"),
                &[ManagedStateChange::Installed("shop".to_owned(), Name::new("shop").unwrap())],
            )
            .unwrap();
        running
            .write_step_end_unflushed(&entry("zwölf"), &[ManagedStateChange::Uninstalled("shop".to_owned())])
            .unwrap();

        let path = folder.path().join("var/lib/geppetto/punch").join(RUNNING);
        let whole = fs::read(&path).unwrap();
        let mut found = Vec::new();
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let entries =
                state.read_interrupted_report().unwrap().map(|report| report.entries).unwrap_or_default();
            let managed = state.load_managed_state().unwrap();
            let now: Vec<String> =
                entries.iter().map(|entry| format!("{} {:?}", entry.action, entry.result)).collect();
            let now = format!("{now:?} {} {}", managed.resources.len(), managed.packages.len());
            if found.last() != Some(&now) {
                found.push(now);
            }
        }
        assert_eq!(
            found,
            [
                "[] 0 0",
                "[\"one Interrupted\"] 1 0",
                "[\"one Done\"] 1 0",
                "[\"one Done\", \"zwölf Interrupted\"] 1 1",
                "[\"one Done\", \"zwölf Done\"] 1 0",
            ]
        );
        let lasted = state.read_interrupted_report().unwrap().unwrap().duration_us;
        assert!(lasted > 1_000_000, "from its start until its last line: {lasted}");
        state.save_interrupted_run_and_remove_journal().unwrap();
        assert!(state.read_interrupted_report().unwrap().is_none());
        assert_eq!(state.load_managed_state().unwrap().resources.len(), 1, "what was made is still known");
        assert_eq!(state.read_all_reports().unwrap().len(), 1);
    }
}
