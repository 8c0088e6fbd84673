//! What the program prints: data on stdout, everything else on stderr. Nothing else prints.

use std::io::{self, Write};

use crate::failure::DaemonError;

/// Prints data on stdout, exactly as given.
///
/// A reader that went away (`| head`) is no failure: there is nobody left to tell.
pub fn data(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line on stdout.
pub fn line(text: &str) {
    data(&format!("{text}\n"));
}

/// Prints a line for people on stderr.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints why a command failed.
pub fn failure(failure: &DaemonError) {
    note(&failure.to_string());
}
