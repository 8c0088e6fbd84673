//! The error of a command: message, hint and exit code.

use std::{io, path::Path};

use model::{
    exit::Exit,
    fault::{self, Fault},
    format::FormatError,
};

/// The error of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandError {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What failed, where and why, the faults included.
    pub(crate) message: String,
    /// The faults of the input, for programs.
    pub(crate) faults: Vec<Fault>,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl CommandError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), faults: Vec::new(), hint: None }
    }

    /// The user's input is wrong.
    pub(crate) fn invalid_input_error(message: impl Into<String>) -> Self {
        Self::new(Exit::Input, message)
    }

    /// Something is not allowed or could not be looked at; nothing was changed.
    pub(crate) fn blocked_error(message: impl Into<String>) -> Self {
        Self::new(Exit::Blocked, message)
    }

    /// Something failed half-way.
    pub(crate) fn failed_halfway_error(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// What is wrong is no input of the user's: it came from elsewhere, and nothing was changed because of it.
    pub(crate) fn input_error_into_blocked(self) -> Self {
        match self.exit {
            Exit::Input => Self { exit: Exit::Blocked, ..self },
            _ => self,
        }
    }

    /// The input has these faults; `heading` stands before them when there are several.
    pub(crate) fn error_from_faults(heading: &str, faults: Vec<Fault>) -> Self {
        let message = match faults.as_slice() {
            [only] => only.to_string(),
            several => format!("{heading}{}", fault::format_fault_list(several)),
        };
        Self { faults, ..Self::invalid_input_error(message) }
    }

    /// Adds what to do next.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file of the user could not be read.
    pub(crate) fn cannot_read_file_error(path: &Path, error: &io::Error) -> Self {
        let failure = Self::invalid_input_error(format!(
            "cannot read {}: {}",
            path.display(),
            io_error_reason_text(error)
        ));
        match error.kind() {
            io::ErrorKind::NotFound => failure.with_hint("check the path; nothing was changed"),
            io::ErrorKind::PermissionDenied => failure.with_hint("run it as a user who may read that file"),
            _ => failure,
        }
    }

    /// A file could not be written.
    pub(crate) fn cannot_write_file_error(path: &Path, error: &io::Error) -> Self {
        let failure =
            Self::blocked_error(format!("cannot write {}: {}", path.display(), io_error_reason_text(error)));
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                failure.with_hint("run it as root, or give a folder that you may write to")
            }
            io::ErrorKind::StorageFull => {
                failure.with_hint("free some space on that disk, then run it again")
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => {
                failure.with_hint("check that every part of the path is a folder")
            }
            _ => failure,
        }
    }
}

/// The operating system's words without its number.
pub(crate) fn io_error_reason_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => "the operating system did not say why".to_owned(),
    }
}

impl From<FormatError> for CommandError {
    fn from(error: FormatError) -> Self {
        CommandError::from(vec![error])
    }
}

impl From<Vec<FormatError>> for CommandError {
    fn from(errors: Vec<FormatError>) -> Self {
        let heading = format!("{} faults:", errors.len());
        CommandError::error_from_faults(&heading, errors.into_iter().map(Fault::from).collect())
    }
}
