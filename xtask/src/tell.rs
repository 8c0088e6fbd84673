//! What the chores say, in one place.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the chores' terminal")]

use std::{io::Write, time::Duration};

use crate::run::Trouble;

/// A line.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// The same, without ending the line: more follows when the work is done.
pub(crate) fn begin(text: &str) {
    print!("{text}");
    // A terminal that went away is no reason to stop.
    std::io::stdout().flush().ok();
}

/// Something the reader should know that is not an answer.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// A trouble, whole.
pub(crate) fn trouble(trouble: &Trouble) {
    eprintln!("\nFAILED: {trouble}");
}

/// `1.2 s`
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
