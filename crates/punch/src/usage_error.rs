//! What is wrong with the command line, for programs: one sentence, and a hint in place of the usage that people get.

use clap::error::ErrorKind;
use model::exit::Exit;

use crate::command_error::CommandError;

/// The error of a command line that clap refused.
pub(crate) fn usage_command_error(error: &clap::Error) -> CommandError {
    let text = match error.kind() {
        // The whole help, for people.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => missing_subcommand_text(&error.to_string()),
        _ => error.to_string(),
    };
    // Some errors have an advice to use `--help` in place of the usage.
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|mark| text.find(mark)).min();
    let text = &text[..end.unwrap_or(text.len())];
    let mut lines = text.trim_start_matches("error: ").lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or_default().to_owned();
    // The first line announces a list; lists of possible values stand in brackets, advice begins with `tip:`.
    let is_listed = |line: &&str| !line.starts_with('[') && !line.starts_with("tip:");
    let (listed, advice): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| message.ends_with(':') && is_listed(line));
    if !listed.is_empty() {
        message = format!("{message} {}", listed.join(", "));
    }
    let mut hints: Vec<&str> =
        advice.into_iter().map(|line| line.trim_start_matches("tip: ").trim_matches(['[', ']'])).collect();
    hints.push("`punch help VERB` shows how a verb is used");
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
