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
    pub(super) fn run_revision_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            RevisionCommand::List(args) => args.run_revision_list_command(context),
            RevisionCommand::Show(args) => args.run_revision_show_command(context),
            RevisionCommand::Diff(args) => args.run_revision_diff_command(context),
        }
    }
}
