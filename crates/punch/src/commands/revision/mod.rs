//! `punch revision`: one file per verb.

mod list;

use model::exit::Exit;

use crate::{command_error::CommandError, context::CommandContext};

/// List revisions of the estate
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch revision list")]
pub(crate) struct RevisionArgs {
    #[command(subcommand)]
    verb: RevisionCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RevisionCommand {
    List(list::RevisionListArgs),
}

impl RevisionArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            RevisionCommand::List(args) => args.run(context),
        }
    }
}
