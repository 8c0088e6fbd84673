//! What the chores say, in one place.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the chores' terminal")]

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use crate::chore_failure::ChoreFailure;

/// A line.
pub(crate) fn print_line(text: &str) {
    println!("{text}");
}

/// Something the reader should know that is not an answer.
pub(crate) fn print_note(text: &str) {
    eprintln!("{text}");
}

/// Prints the whole failure.
pub(crate) fn print_failure(trouble: &ChoreFailure) {
    eprintln!("\nFAILED: {trouble}");
}

/// Lines of a command's answer, set off from what the chore says itself.
pub(crate) fn print_indented_output(text: &str) {
    for line in text.lines() {
        println!("      | {line}");
    }
}

/// `1.2 s`
pub(crate) fn format_seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Whether both stdin and stdout are terminals.
pub(crate) fn are_stdin_and_stdout_terminals() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Starts a stopwatch.
#[expect(clippy::disallowed_methods, reason = "the chores say how long things take")]
pub(crate) fn current_instant() -> Instant {
    Instant::now()
}

/// Numbered steps and how long each took.
pub(crate) struct TimedStepRunner {
    taken: Vec<(String, Duration)>,
    started: Instant,
}

impl TimedStepRunner {
    /// Starts the clock.
    pub(crate) fn start_timed_steps() -> TimedStepRunner {
        TimedStepRunner { taken: Vec::new(), started: current_instant() }
    }

    /// Says what is done next, and does it.
    pub(crate) fn print_and_run_step<T>(
        &mut self,
        what: &str,
        work: impl FnOnce() -> Result<T, ChoreFailure>,
    ) -> Result<T, ChoreFailure> {
        println!("\n[{:2}] {what}", self.taken.len() + 1);
        let began = current_instant();
        let done = work().map_err(|trouble| ChoreFailure {
            what: format!("step {} ({what}): {}", self.taken.len() + 1, trouble.what),
            ..trouble
        })?;
        self.taken.push((what.to_owned(), began.elapsed()));
        Ok(done)
    }

    /// Prints how long everything took.
    pub(crate) fn print_step_durations(&self) {
        println!("\nTimes:");
        for (number, (what, time)) in self.taken.iter().enumerate() {
            println!("  {:2}  {:>7}  {what}", number + 1, format_seconds(*time));
        }
        println!("      {:>7}  in all", format_seconds(self.started.elapsed()));
    }
}
