//! What `main` passes to every verb: output, clock, configuration.

use std::path::PathBuf;

use crate::{output::TerminalOutput, time_text::Micros};

/// The world as a verb sees it.
pub(crate) struct CommandContext {
    /// Prints.
    pub(crate) output: TerminalOutput,
    /// The time, in microseconds since 1970-01-01 UTC.
    pub(crate) now: fn() -> Micros,
    /// Where `punch login` saves, when this user has a home.
    pub(crate) settings: Option<PathBuf>,
}
