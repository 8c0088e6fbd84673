//! What is wrong with the command line, for programs: one sentence, and a hint in place of the usage that people get.

use clap::error::ErrorKind;
use model::exit::{Exit, split_usage_error};

use crate::command_error::CommandError;

/// The error of a command line that clap refused.
pub(crate) fn usage_command_error(error: &clap::Error) -> CommandError {
    let text = match error.kind() {
        // The whole help, for people.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => missing_subcommand_text(&error.to_string()),
        _ => error.to_string(),
    };
    let (message, mut hints) = split_usage_error(&text);
    hints.push("`punch help VERB` shows how a verb is used".to_owned());
    CommandError::new(Exit::Usage, message).with_hint(hints.join("; "))
}

/// What is missing, said as clap says it where it does not print the help: `Usage: punch server [OPTIONS] <COMMAND>` names
/// the command.
fn missing_subcommand_text(help: &str) -> String {
    let usage = help.lines().find_map(|line| line.trim().strip_prefix("Usage: ")).unwrap_or("punch");
    let words = usage.split(' ').take_while(|word| !word.starts_with(['[', '<']));
    let command: Vec<&str> = words.collect();
    format!("'{}' requires a subcommand but one was not provided", command.join(" "))
}
