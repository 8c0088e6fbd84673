//! Everything punch prints: data on stdout, everything else on stderr. No other module prints.

mod change_colours;
mod pager;

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use model::exit::{CommandErrorDocument, CommandErrorParts};
use serde::Serialize;

pub(crate) use change_colours::ChangeLayout;
pub(crate) use pager::Pager;

use crate::command_error::CommandError;

/// Prints to the terminal, or JSON for programs.
#[derive(Debug, Clone)]
pub(crate) struct TerminalOutput {
    json: bool,
    stdout_colour: bool,
    stderr_colour: bool,
    progress: bool,
    /// Shows what is held back; absent when nothing is.
    pager: Option<Pager>,
    held: Arc<Mutex<Option<HeldOutput>>>,
}

/// Output that waits for the end of the command, so that a pager can show it.
#[derive(Debug, Default)]
struct HeldOutput {
    stdout: String,
    stderr: String,
}

/// What the command line and the environment say about output.
#[derive(Debug)]
pub(crate) struct OutputSettings {
    /// Data is printed as JSON.
    pub(crate) json: bool,
    /// When there is colour.
    pub(crate) colour: ColorChoice,
    /// The environment asks for no colour on a terminal.
    pub(crate) no_colour: bool,
    /// Shows long output on a terminal.
    pub(crate) pager: Option<Pager>,
}

impl TerminalOutput {
    /// Progress bars and the pager are only for people at a terminal, and so is colour unless it is asked for.
    pub(crate) fn new(settings: OutputSettings) -> Self {
        let OutputSettings { json, colour, no_colour, pager } = settings;
        let coloured = |terminal: bool| match colour {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !no_colour,
        };
        Self {
            json,
            stdout_colour: coloured(io::stdout().is_terminal()),
            stderr_colour: coloured(io::stderr().is_terminal()),
            progress: io::stderr().is_terminal(),
            pager: pager.filter(|_| io::stdout().is_terminal() && !json),
            held: Arc::default(),
        }
    }

    /// JSON without anything for people: for a command line that cannot be read, but asks for JSON.
    pub(crate) fn new_json_output() -> Self {
        let (colour, no_colour, pager) = (ColorChoice::Never, true, None);
        Self::new(OutputSettings { json: true, colour, no_colour, pager })
    }

    /// Holds back what is printed from now on until [`TerminalOutput::print_held_output`], which shows it in a pager when
    /// it is long. Does nothing without a pager: in a pipe, and for programs.
    pub(crate) fn hold_output_for_pager(&self) {
        if self.pager.is_some() {
            self.lock_held_output().get_or_insert_default();
        }
    }

    /// Prints what was held back: data in a pager when it does not fit on the terminal, then everything else.
    pub(crate) fn print_held_output(&self) {
        let Some(held) = self.lock_held_output().take() else { return };
        let long = pager::is_longer_than_terminal(&held.stdout);
        if !(long && self.pager.as_ref().is_some_and(|pager| pager.show_text(&held.stdout))) {
            write_text(&mut io::stdout().lock(), &held.stdout);
        }
        write_text(&mut io::stderr().lock(), &held.stderr);
    }

    /// Adds a line to what is held back; `false` when nothing is.
    fn hold_text(&self, stream: impl Fn(&mut HeldOutput) -> &mut String, line: &str) -> bool {
        match &mut *self.lock_held_output() {
            Some(held) => stream(held).push_str(&ended_line(line)),
            None => return false,
        }
        true
    }

    fn lock_held_output(&self) -> std::sync::MutexGuard<'_, Option<HeldOutput>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Data: a line on stdout. Nothing when JSON is asked for.
    pub(crate) fn print_line_unless_json(&self, text: impl AsRef<str>) {
        if self.json {
            return;
        }
        if !self.hold_text(|held| &mut held.stdout, text.as_ref()) {
            write(&mut io::stdout().lock(), text.as_ref());
        }
    }

    /// Data: a plan, effects or differences on stdout, in colour where that is asked for. Nothing when JSON is asked for.
    pub(crate) fn print_changes_unless_json(&self, text: impl AsRef<str>, layout: ChangeLayout) {
        if self.stdout_colour {
            self.print_line_unless_json(change_colours::colour_changes(text.as_ref(), layout));
        } else {
            self.print_line_unless_json(text);
        }
    }

    /// Data: the name of a document and its difference on stdout. Nothing when JSON is asked for.
    pub(crate) fn print_document_diff_unless_json(&self, heading: &str, diff: &str) {
        let bold = if self.stdout_colour { Style::new().bold() } else { Style::new() };
        self.print_line_unless_json(format!("{bold}{heading}{bold:#}"));
        self.print_changes_unless_json(diff, ChangeLayout::Diff);
    }

    /// Data: aligned columns on stdout, with a heading; in a pager when they are many. Nothing when JSON is asked for.
    pub(crate) fn print_table_unless_json(&self, headings: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        self.hold_output_for_pager();
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&headings).chain(rows).collect();
        let widths: Vec<usize> = (0..headings.len())
            .map(|column| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        for row in all {
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                let missing = width.saturating_sub(cell.chars().count());
                format!("{cell}{}", " ".repeat(missing))
            });
            self.print_line_unless_json(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }

    /// Data for programs: pretty JSON on stdout. Nothing when text is asked for.
    pub(crate) fn print_json_if_requested<T: Serialize>(&self, value: &T) {
        if self.json
            && let Ok(text) = serde_json::to_string_pretty(value)
        {
            write(&mut io::stdout().lock(), &text);
        }
    }

    /// Data for programs that read a stream: one JSON value per line. Nothing when text is asked for.
    pub(crate) fn print_json_line_if_requested<T: Serialize>(&self, value: &T) {
        if self.json
            && let Ok(text) = serde_json::to_string(value)
        {
            write(&mut io::stdout().lock(), &text);
        }
    }

    /// A line of progress or comment, on stderr.
    pub(crate) fn print_note_to_stderr(&self, text: impl AsRef<str>) {
        if !self.hold_text(|held| &mut held.stderr, text.as_ref()) {
            write(&mut io::stderr().lock(), text.as_ref());
        }
    }

    /// Something to know that is not an error, on stderr.
    pub(crate) fn print_warning(&self, text: impl AsRef<str>) {
        let word = self.painted("warning", AnsiColor::Yellow);
        self.print_note_to_stderr(format!("{word}: {}", text.as_ref()));
    }

    /// Prints the error, its faults and its hint on stderr; as one JSON object when JSON is asked for.
    pub(crate) fn print_command_error(&self, failure: &CommandError) {
        if self.json {
            let error = CommandErrorParts {
                exit: failure.exit as u8,
                message: &failure.message,
                hint: failure.hint.as_deref(),
                faults: &failure.faults,
            };
            if let Ok(text) = serde_json::to_string(&CommandErrorDocument { error }) {
                return self.print_note_to_stderr(text);
            }
        }
        let word = self.painted("error", AnsiColor::Red);
        self.print_note_to_stderr(format!("{word}: {}", failure.message));
        if let Some(hint) = &failure.hint {
            let word = self.painted("hint", AnsiColor::Cyan);
            self.print_note_to_stderr(format!("{word}: {hint}"));
        }
    }

    /// Prints the error at once, also while other output is held back.
    pub(crate) fn print_command_error_immediately(&self, failure: &CommandError) {
        Self { held: Arc::default(), ..self.clone() }.print_command_error(failure);
    }

    /// A progress bar for `bytes` of `what`; invisible when stderr is not a terminal.
    pub(crate) fn new_progress_bar(&self, what: &str, bytes: Option<u64>) -> ProgressBar {
        if !self.progress {
            return ProgressBar(None);
        }
        let bar = match bytes {
            Some(bytes) => indicatif::ProgressBar::new(bytes),
            None => indicatif::ProgressBar::no_length(),
        };
        if let Ok(style) =
            indicatif::ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        ProgressBar(Some(bar))
    }

    fn painted(&self, word: &str, colour: AnsiColor) -> String {
        if self.stderr_colour {
            let style = Style::new().bold().fg_color(Some(colour.into()));
            format!("{style}{word}{style:#}")
        } else {
            word.to_owned()
        }
    }
}

/// A progress bar that may not be there.
pub(crate) struct ProgressBar(Option<indicatif::ProgressBar>);

impl ProgressBar {
    /// Advances by `bytes`.
    pub(crate) fn advance_by(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Makes a panic print one sentence and exit with code 70.
pub(crate) fn install_panic_hook_that_exits() {
    std::panic::set_hook(Box::new(|panic| {
        let place =
            panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let message = panic.payload_as_str().unwrap_or("no message");
        write(
            &mut io::stderr().lock(),
            &format!(
                "error: punch has a bug{place}: {message}\nhint: please report this with the command you ran; \
                 run the same command again to finish what was begun"
            ),
        );
        std::process::exit(model::exit::Exit::Bug as i32);
    }));
}

/// Writes a line; a closed pipe (`punch history | head`) is not an error.
fn write(to: &mut impl Write, text: &str) {
    write_text(to, &ended_line(text));
}

/// The text with a newline at its end.
fn ended_line(text: &str) -> String {
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{newline}")
}

fn write_text(to: &mut impl Write, text: &str) {
    let _gone = write!(to, "{text}").and_then(|()| to.flush());
}
