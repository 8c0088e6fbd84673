//! What is wrong with the command line, for programs: one sentence, and a hint in place of the usage that people get.

use model::exit::{Exit, split_usage_error};

use crate::command_error::CommandError;

/// The error of a command line that clap refused.
pub(crate) fn usage_command_error(error: &clap::Error) -> CommandError {
    let (message, mut hints) = split_usage_error(&error.to_string());
    hints.push("`punch help VERB` shows how a verb is used".to_owned());
    CommandError::new(Exit::Usage, message).with_hint(hints.join("; "))
}
