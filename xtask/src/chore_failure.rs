//! Why a chore stopped, and what is shown then.

use std::{fmt, path::Path};

/// How many lines of a failed command's output are shown: the last ones say why.
const MOST_LINES: usize = 60;

/// Why a chore stopped: the command, what it printed, and where to look.
#[derive(Debug)]
pub(crate) struct ChoreFailure {
    /// What was being done.
    pub(crate) what: String,
    /// The command, as typed.
    pub(crate) command: Option<String>,
    /// What it printed.
    pub(crate) output: String,
    /// What to look at next.
    pub(crate) look: String,
}

impl ChoreFailure {
    /// A trouble that no command printed.
    pub(crate) fn new(what: impl Into<String>, look: impl Into<String>) -> ChoreFailure {
        ChoreFailure { what: what.into(), command: None, output: String::new(), look: look.into() }
    }
}

impl fmt::Display for ChoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        if let Some(command) = &self.command {
            writeln!(f, "  command: {command}")?;
        }
        let lines = self.output.lines().count();
        for line in self.output.lines().skip(lines.saturating_sub(MOST_LINES)) {
            writeln!(f, "  | {line}")?;
        }
        write!(f, "  look at: {}", self.look)
    }
}

/// Names the thing that could not be done to `path`.
pub(crate) fn io_failure_maker_for_path(what: &str, path: &Path) -> impl Fn(std::io::Error) -> ChoreFailure {
    let (what, path) = (what.to_owned(), path.to_owned());
    move |error| {
        ChoreFailure::new(format!("cannot {what} {}: {error}", path.display()), path.display().to_string())
    }
}
