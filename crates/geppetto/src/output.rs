//! What the program prints: data on stdout, everything else on stderr. Nothing else prints.

use std::io::{self, Write};

use crate::daemon_error::DaemonCommandError;

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

/// Prints why a command failed.
pub(crate) fn print_failure(failure: &DaemonCommandError) {
    print_note(&failure.to_string());
}
