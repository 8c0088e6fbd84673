//! Reports: the one of the run in progress, and those of earlier runs.

use std::fs;

use model::report::Report;

use super::{State, StateError};

/// How many reports are kept.
const KEPT: usize = 500;

const RUNNING: &str = "running.json";

impl State {
    /// The reports of earlier runs with their numbers, oldest first.
    pub fn history(&self) -> Result<Vec<(u64, Report)>, StateError> {
        let mut reports = Vec::new();
        for number in self.numbers()? {
            if let Some(text) = self.read(&name(number))? {
                reports.push((number, self.parse(&name(number), &text)?));
            }
        }
        Ok(reports)
    }

    /// The report of a run that was killed, if the last one was.
    pub fn interrupted(&self) -> Result<Option<Report>, StateError> {
        self.read(RUNNING)?.map(|text| self.parse(RUNNING, &text)).transpose()
    }

    /// Writes down how far the run in progress is.
    pub(crate) fn save_running(&self, report: &Report) -> Result<(), StateError> {
        self.write_json(RUNNING, report)
    }

    /// Moves the report of a killed run to the others.
    pub(crate) fn close_interrupted(&self) -> Result<(), StateError> {
        match self.read(RUNNING)? {
            None => Ok(()),
            Some(text) => match serde_json::from_str::<Report>(&text) {
                Ok(report) => self.record(&report),
                // Half a report says nothing; it must not stop every later run.
                Err(_) => self.remove_running(),
            },
        }
    }

    /// Files the report of a run that ended. Call it only while holding the lock.
    pub fn record(&self, report: &Report) -> Result<(), StateError> {
        let numbers = self.numbers()?;
        let next = numbers.last().map_or(1, |last| last + 1);
        self.write_json(&name(next), report)?;
        for number in numbers.iter().take((numbers.len() + 1).saturating_sub(KEPT)) {
            let path = self.folder.join(name(*number));
            fs::remove_file(&path).map_err(|source| StateError::File { what: "remove", path, source })?;
        }
        self.remove_running()
    }

    fn remove_running(&self) -> Result<(), StateError> {
        let path = self.folder.join(RUNNING);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StateError::File { what: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    fn parse(&self, name: &str, text: &str) -> Result<Report, StateError> {
        serde_json::from_str(text)
            .map_err(|error| StateError::Content { path: self.folder.join(name), because: error.to_string() })
    }

    fn numbers(&self) -> Result<Vec<u64>, StateError> {
        let path = self.folder.join("history");
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StateError::File { what: "read", path, source }),
        };
        let mut numbers: Vec<u64> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn name(number: u64) -> String {
    format!("history/{number:06}.json")
}
