//! Long output on a terminal is shown by a pager.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use terminal_size::{Height, Width, terminal_size};

/// The size of a terminal that does not tell its own.
const USUAL_SIZE: (u16, u16) = (80, 24);
/// How a shell ends that could not start the program it was given.
const NOT_STARTED: [i32; 2] = [126, 127];

/// The program that shows long output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pager {
    /// A command line of the user's, given to the shell.
    CommandLine(String),
    /// `less`, when it is installed: ends at once when everything fits, keeps colours and leaves the text.
    Less,
}

impl Pager {
    /// The pager that the values of `PUNCH_PAGER` and `PAGER` ask for; an empty one and `cat` ask for none.
    pub(crate) fn from_variables(punch_pager: Option<String>, pager: Option<String>) -> Option<Self> {
        match punch_pager.or(pager) {
            None => Some(Self::Less),
            Some(line) if matches!(line.trim(), "" | "cat") => None,
            Some(line) => Some(Self::CommandLine(line)),
        }
    }

    /// Shows `text` and waits for the end of the pager; `false` when there is no such program.
    pub(super) fn show_text(&self, text: &str) -> bool {
        let mut command = match self {
            Self::CommandLine(line) => {
                let mut command = Command::new("sh");
                command.args(["-c", line]);
                command
            }
            Self::Less => {
                let mut command = Command::new("less");
                command.arg("-FRX");
                command
            }
        };
        let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else { return false };
        if let Some(mut stdin) = child.stdin.take() {
            // Who leaves the pager early does not want the rest.
            let _left = stdin.write_all(text.as_bytes());
        }
        let status = child.wait();
        !status.is_ok_and(|status| status.code().is_some_and(|code| NOT_STARTED.contains(&code)))
    }
}

/// Whether a text is longer than the terminal is high.
pub(super) fn is_longer_than_terminal(text: &str) -> bool {
    let (columns, rows) = match terminal_size() {
        Some((Width(columns), Height(rows))) => (columns, rows),
        None => USUAL_SIZE,
    };
    count_terminal_lines(text, usize::from(columns)) >= usize::from(rows)
}

/// How many lines a text takes on a terminal; colours take no place.
fn count_terminal_lines(text: &str, columns: usize) -> usize {
    text.lines().map(|line| visible_characters(line).div_ceil(columns.max(1)).max(1)).sum()
}

/// The characters of a line without its colours.
fn visible_characters(line: &str) -> usize {
    let mut in_colour = false;
    line.chars()
        .filter(|c| match (*c, in_colour) {
            ('\u{1b}', _) => {
                in_colour = true;
                false
            }
            ('m', true) => {
                in_colour = false;
                false
            }
            (_, in_colour) => !in_colour,
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_count_and_colours_take_no_place() {
        assert_eq!(count_terminal_lines("", 10), 0);
        assert_eq!(count_terminal_lines("a\n\nb\n", 10), 3);
        assert_eq!(count_terminal_lines(&"x".repeat(21), 10), 3);
        assert_eq!(count_terminal_lines(&format!("\u{1b}[1m{}\u{1b}[0m", "x".repeat(10)), 10), 1);
    }

    #[test]
    fn variable_of_punch_is_stronger_and_an_empty_one_means_no_pager() {
        let of = |punch: Option<&str>, pager: Option<&str>| {
            Pager::from_variables(punch.map(str::to_owned), pager.map(str::to_owned))
        };
        assert_eq!(of(None, None), Some(Pager::Less));
        assert_eq!(of(None, Some("most")), Some(Pager::CommandLine("most".to_owned())));
        assert_eq!(of(Some("less -S"), Some("most")), Some(Pager::CommandLine("less -S".to_owned())));
        assert_eq!(of(Some(""), Some("most")), None);
        assert_eq!(of(None, Some("cat")), None);
    }
}
