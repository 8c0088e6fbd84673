//! The reports of earlier runs.

use model::report::{Report, RunOutcome};

use super::{PunchStateFolder, PunchStateFolderError};

/// How many reports are kept.
const KEPT: usize = 500;

impl PunchStateFolder {
    /// The reports of earlier runs with their numbers, oldest first.
    pub fn read_all_reports(&self) -> Result<Vec<(u64, Report)>, PunchStateFolderError> {
        let mut reports = self.read_latest_reports(usize::MAX)?;
        reports.reverse();
        Ok(reports)
    }

    /// The reports of the last runs with their numbers, newest first, at most `most`; no other is read.
    pub fn read_latest_reports(&self, most: usize) -> Result<Vec<(u64, Report)>, PunchStateFolderError> {
        let mut reports = Vec::new();
        for number in self.numbers()?.into_iter().rev().take(most) {
            reports.extend(self.read_report(number)?.map(|report| (number, report)));
        }
        Ok(reports)
    }

    /// The report of one earlier run, if it is still kept.
    pub fn read_report(&self, number: u64) -> Result<Option<Report>, PunchStateFolderError> {
        let name = name(number);
        self.read(&name)?.map(|text| self.parse(&name, &text)).transpose()
    }

    /// Files the report of a run that ended. Runs that find nothing to do leave one report between them,
    /// that of the last, so that they do not push out the others. Call it only while holding the lock.
    pub fn save_report_to_history(&self, report: &Report) -> Result<(), PunchStateFolderError> {
        let numbers = self.numbers()?;
        let last = numbers.last().copied().unwrap_or(0);
        if report.outcome == RunOutcome::Unchanged && self.repeats_unchanged_run(last, report) {
            return self.write_json(&name(last), report);
        }
        self.write_json(&name(last + 1), report)?;
        for number in numbers.iter().take((numbers.len() + 1).saturating_sub(KEPT)) {
            self.remove(&name(*number))?;
        }
        Ok(())
    }

    /// Whether the last run, too, found nothing to do for the same node file.
    fn repeats_unchanged_run(&self, last: u64, report: &Report) -> bool {
        let text = self.read(&name(last)).ok().flatten();
        // An unreadable report is kept for inspection.
        let before = text.and_then(|text| serde_json::from_str::<Report>(&text).ok());
        before.is_some_and(|before| {
            before.outcome == RunOutcome::Unchanged
                && (&before.server, before.generation) == (&report.server, report.generation)
        })
    }

    fn parse(&self, name: &str, text: &str) -> Result<Report, PunchStateFolderError> {
        serde_json::from_str(text).map_err(|error| PunchStateFolderError::Content {
            path: self.root.display_path(&super::path(name)),
            because: error.to_string(),
        })
    }

    fn numbers(&self) -> Result<Vec<u64>, PunchStateFolderError> {
        let path = super::path("history");
        let names =
            self.root.list_folder_or_empty(&path).map_err(|source| self.file_error("read", &path, source))?;
        let mut numbers: Vec<u64> =
            names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn name(number: u64) -> String {
    format!("history/{number:06}.json")
}
