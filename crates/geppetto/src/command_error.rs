//! The error of a command: message, hint and exit code.

use std::{error::Error, fmt, io};

use model::exit::Exit;

/// What to do when the disk of a control plane is full.
pub(crate) const DISK_FULL_HINT: &str =
    "make room on that disk (`df` shows how full it is), and run it again: what is there already stays";

/// A command's failure, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GeppettoCommandError {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What failed, where and why.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl GeppettoCommandError {
    /// The user's input is wrong.
    pub(crate) fn invalid_input_error(message: impl Into<String>) -> Self {
        Self { exit: Exit::Input, message: message.into(), hint: None }
    }

    /// Something that should work did not.
    pub(crate) fn operation_failed_error(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: None }
    }

    /// A file operation failed: the disk is full, or the file named on the command line cannot be used, and `hint` says
    /// what to do.
    pub(crate) fn from_io_error(message: impl Into<String>, error: &io::Error, hint: &str) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::operation_failed_error(message).with_hint(DISK_FULL_HINT)
            }
            _ => Self::invalid_input_error(message).with_hint(hint),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An error and its sources, joined: `Display` of each names only itself.
pub(crate) fn join_error_and_sources(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        // Some libraries repeat their source in their own text.
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        next = source.source();
    }
    message
}

impl fmt::Display for GeppettoCommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl Error for GeppettoCommandError {}
