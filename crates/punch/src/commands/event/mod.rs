//! `punch event`: one file per verb.

mod follow;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// Follow what changes on the control plane
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch event follow")]
pub(crate) struct EventArgs {
    #[command(subcommand)]
    verb: EventCommand,
}

#[derive(Debug, clap::Subcommand)]
enum EventCommand {
    Follow(follow::EventFollowArgs),
}

impl EventArgs {
    pub(super) fn run_event_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            EventCommand::Follow(args) => args.run_event_follow_command(context),
        }
    }
}
