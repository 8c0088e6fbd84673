//! What punch remembers between runs: the last good node file, reports, reports not sent yet, the lock.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use converge::{Lock, StateError};
use model::{exit::Exit, format::node, node::Node, report::Report};

use crate::{
    failure::Failure,
    root::{self, Root},
    when::Micros,
};

/// Reports kept for a back-office that does not answer.
const KEPT_UNSENT: usize = 100;

/// What punch remembers on one host.
pub(crate) struct State {
    root: Root,
}

/// The node file that was applied last without failure.
pub(crate) struct LastGood {
    /// Its text, signature included.
    pub(crate) text: String,
    /// What it says.
    pub(crate) node: Node,
    /// What the back-office called it.
    pub(crate) tag: Option<String>,
    /// When the host was last made, or found to be, like it.
    pub(crate) at: Micros,
}

impl State {
    pub(crate) fn new(root: &Root) -> Self {
        Self { root: root.clone() }
    }

    /// What every run on a host writes down, punch's or not.
    pub(crate) fn of_runs(&self) -> converge::State {
        converge::State::at(self.root.path())
    }

    /// Held while a run changes the host; two never do at once. Waits for nobody.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        self.of_runs().lock().map_err(|error| match error {
            StateError::File { path, source, .. } => Failure::writing(&path, &source),
            locked => Failure::blocked(locked.to_string()).hint("`punch history` shows what it did"),
        })
    }

    /// The last good node file, if there ever was one.
    pub(crate) fn last_good(&self) -> Result<Option<LastGood>, Failure> {
        let path = self.root.last_good();
        let Some(text) = root::read_if_there(&path)? else { return Ok(None) };
        let node = node::read(&path.display().to_string(), &text).map_err(|error| {
            Failure::blocked(format!("the last good node file cannot be read: {error}"))
                .hint(format!("it was damaged; move {} away, then run `punch restore`", path.display()))
        })?;
        let modified = fs::metadata(&path)
            .and_then(|metadata| metadata.modified())
            .map_err(|error| Failure::reading(&path, &error))?;
        let at = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Ok(Some(LastGood {
            text,
            node,
            tag: root::read_if_there(&self.root.last_good_tag())?.map(|tag| tag.trim().to_owned()),
            at: i64::try_from(at).unwrap_or(i64::MAX),
        }))
    }

    /// Remembers `text` as the last good node file, as of `now`.
    pub(crate) fn keep(&self, text: &str, tag: Option<&str>, now: Micros) -> Result<(), Failure> {
        let path = self.root.last_good();
        // While file and tag do not belong together there is no tag: it would answer for the wrong file.
        root::remove_if_there(&self.root.last_good_tag())?;
        if root::read_if_there(&path)?.as_deref() != Some(text) {
            root::replace(&path, text.as_bytes(), 0o600)?;
        }
        if let Some(tag) = tag {
            root::replace(&self.root.last_good_tag(), tag.as_bytes(), 0o600)?;
        }
        self.confirm(now)
    }

    /// Remembers that the host was like the last good node file at `now`.
    pub(crate) fn confirm(&self, now: Micros) -> Result<(), Failure> {
        let path = self.root.last_good();
        let at: SystemTime = UNIX_EPOCH + Duration::from_micros(u64::try_from(now).unwrap_or(0));
        File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(at))
            .map_err(|error| Failure::writing(&path, &error))
    }

    /// Reports of earlier runs, newest first, at most `most`.
    pub(crate) fn history(&self, most: usize) -> Result<Vec<(u64, Report)>, Failure> {
        let mut all = self.of_runs().history().map_err(unreadable)?;
        all.reverse();
        all.truncate(most);
        Ok(all)
    }

    /// The report of one earlier run, if it is still kept.
    pub(crate) fn report(&self, number: u64) -> Result<Option<Report>, Failure> {
        let all = self.of_runs().history().map_err(unreadable)?;
        Ok(all.into_iter().find(|(other, _)| *other == number).map(|(_, report)| report))
    }

    /// Keeps a report until the back-office can be told.
    pub(crate) fn keep_unsent(&self, report: &Report) -> Result<(), Failure> {
        let folder = self.root.outbox();
        root::private_folder(&folder)?;
        let text = serde_json::to_vec_pretty(report)
            .map_err(|error| Failure::new(Exit::Bug, format!("a report cannot be written: {error}")))?;
        root::replace(&unsent_file(&folder, report), &text, 0o600)?;
        let files = unsent_files(&folder)?;
        for file in files.iter().rev().skip(KEPT_UNSENT) {
            root::remove_if_there(file)?;
        }
        Ok(())
    }

    /// Reports the back-office has not got, oldest first.
    pub(crate) fn unsent(&self) -> Result<Vec<Report>, Failure> {
        unsent_files(&self.root.outbox())?.iter().map(|file| read_report(file)).collect()
    }

    /// The back-office has got it.
    pub(crate) fn sent(&self, report: &Report) -> Result<(), Failure> {
        root::remove_if_there(&unsent_file(&self.root.outbox(), report))
    }
}

/// A file for each run, in the order of their beginnings.
fn unsent_file(folder: &Path, report: &Report) -> PathBuf {
    folder.join(format!("{:020}.json", report.started_us))
}

fn unsent_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::reading(folder, &error)),
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

fn read_report(path: &Path) -> Result<Report, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::reading(path, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::input(format!("{} is not a report: {error}", path.display())).hint("remove the damaged file")
    })
}

fn unreadable(error: StateError) -> Failure {
    Failure::input(error.to_string())
}

#[cfg(test)]
mod tests {
    use model::report::Outcome;

    use super::*;

    fn report(generation: u64) -> Report {
        Report {
            server: "web-01".to_owned(),
            generation,
            outcome: Outcome::Changed,
            started_us: i64::try_from(generation).unwrap(),
            duration_us: 1,
            unchanged: 0,
            entries: Vec::new(),
        }
    }

    #[test]
    fn unsent_reports_wait_in_order_until_they_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(&Root::new(folder.path()));
        state.keep_unsent(&report(2)).unwrap();
        state.keep_unsent(&report(1)).unwrap();
        state.keep_unsent(&report(1)).unwrap();
        assert_eq!(state.unsent().unwrap(), [report(1), report(2)]);
        state.sent(&report(1)).unwrap();
        assert_eq!(state.unsent().unwrap(), [report(2)]);
    }

    #[test]
    fn two_runs_never_change_a_host_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(&Root::new(folder.path()));
        let lock = state.lock().unwrap();
        let refusal = state.lock().err().unwrap();
        assert!(refusal.message.contains("another punch is at work on this host"), "{}", refusal.message);
        drop(lock);
        state.lock().unwrap();
    }

    #[test]
    fn a_tag_is_forgotten_with_the_file_it_was_for() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(&Root::new(folder.path()));
        drop(state.lock().unwrap());
        let text = "format: geppetto/node/1\ncomponents: {}\n";
        state.keep(text, Some("\"a\""), 5_000_000).unwrap();
        let good = state.last_good().unwrap().unwrap();
        assert_eq!((good.tag.as_deref(), good.at), (Some("\"a\""), 5_000_000));
        state.keep(text, None, 6_000_000).unwrap();
        let good = state.last_good().unwrap().unwrap();
        assert_eq!((good.tag, good.at, good.text.as_str()), (None, 6_000_000, text));
    }
}
