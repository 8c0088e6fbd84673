//! What the program prints: data on stdout, everything else on stderr. Nothing else prints.

use std::io::{self, Write};

use model::exit::{CommandErrorDocument, CommandErrorParts};
use serde::Serialize;

use crate::command_error::GeppettoCommandError;

/// Prints data on stdout, exactly as given.
///
/// A closed pipe (`| head`) is not an error.
pub(crate) fn print_data(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line on stdout.
pub(crate) fn print_line(text: &str) {
    print_data(&format!("{text}\n"));
}

/// Prints a line for people on stderr.
pub(crate) fn print_note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints what a command came to: JSON on stdout for programs, or a note for people.
pub(crate) fn print_result<T: Serialize>(is_json: bool, result: &T, note: &str) {
    match serde_json::to_string_pretty(result) {
        Ok(text) if is_json => print_line(&text),
        _ => print_note(note),
    }
}

/// Prints why a command failed; as one JSON object for programs.
pub(crate) fn print_failure(is_json: bool, failure: &GeppettoCommandError) {
    let GeppettoCommandError { exit, message, hint } = failure;
    let error = CommandErrorParts { exit: *exit as u8, message, hint: hint.as_deref(), faults: &[] };
    match serde_json::to_string(&CommandErrorDocument { error }) {
        Ok(text) if is_json => print_note(&text),
        _ => print_note(&failure.to_string()),
    }
}
