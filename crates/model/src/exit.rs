//! How a program of ours ends: one list of exit codes, and one form of an error for programs, the same for `punch` and
//! `geppetto`.

use serde::Serialize;

use crate::fault::Fault;

/// The exit codes of both programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// The user's input is wrong: a file, a name, a value.
    Input = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Something could not be looked at or is not allowed; nothing was changed, or only what does not depend on it.
    Blocked = 3,
    /// Failed, and the last good state is back.
    RolledBack = 4,
    /// Failed, and not rolled back: the next run completes what is missing.
    Failed = 5,
    /// The back-office could not be reached.
    Unreachable = 6,
    /// `punch plan` found changes.
    Changes = 10,
    /// A bug of ours.
    Bug = 70,
    /// Ended by SIGHUP, the end of its terminal: `punch` ends by the signal, which shells show as this.
    HungUp = 129,
    /// Interrupted by SIGINT (Ctrl-C): `punch` ends by the signal, which shells show as this.
    Interrupted = 130,
    /// Ended by SIGTERM, likewise.
    Terminated = 143,
}

/// Why a command failed, as `--json` prints it on stderr.
#[derive(Debug, Serialize)]
pub struct CommandErrorDocument<'a> {
    /// The error.
    pub error: CommandErrorParts<'a>,
}

/// The parts of a command's error.
#[derive(Debug, Serialize)]
pub struct CommandErrorParts<'a> {
    /// The exit code.
    pub exit: u8,
    /// What failed, where and why.
    pub message: &'a str,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
    /// What is wrong in files that people write.
    pub faults: &'a [Fault],
}

/// What is wrong with a command line, of the text that the parser of the command line prints for people: one sentence, and
/// what to do in place of the usage.
pub fn split_usage_error(text: &str) -> (String, Vec<String>) {
    // Some errors have an advice to use `--help` in place of the usage.
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|mark| text.find(mark)).min();
    let text = &text[..end.unwrap_or(text.len())];
    let mut lines = text.trim_start_matches("error: ").lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or_default().to_owned();
    // The first line announces a list; lists of possible values stand in brackets, advice begins with `tip:`.
    let is_listed = |line: &&str| !line.starts_with('[') && !line.starts_with("tip:");
    let (listed, advice): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| message.ends_with(':') && is_listed(line));
    if !listed.is_empty() {
        message = format!("{message} {}", listed.join(", "));
    }
    let hint = |line: &str| line.trim_start_matches("tip: ").trim_matches(['[', ']']).to_owned();
    (message, advice.into_iter().map(hint).collect())
}
