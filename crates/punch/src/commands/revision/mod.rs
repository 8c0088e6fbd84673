//! `punch revision`: one file per verb.

mod diff;
mod list;
mod show;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// List, show and compare revisions of the estate
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch revision list")]
pub(crate) struct RevisionArgs {
    #[command(subcommand)]
    verb: RevisionCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RevisionCommand {
    List(list::RevisionListArgs),
    Show(show::RevisionShowArgs),
    Diff(diff::RevisionDiffArgs),
}

impl RevisionArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            RevisionCommand::List(args) => args.run(context),
            RevisionCommand::Show(args) => args.run(context),
            RevisionCommand::Diff(args) => args.run(context),
        }
    }
}
