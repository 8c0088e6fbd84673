//! `punch channel`: one file per verb.

mod create;
mod list;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// Create and list the channels of the repository
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch channel list")]
pub(crate) struct ChannelArgs {
    #[command(subcommand)]
    verb: ChannelCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ChannelCommand {
    Create(create::ChannelCreateArgs),
    List(list::ChannelListArgs),
}

impl ChannelArgs {
    pub(super) fn run_channel_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            ChannelCommand::Create(args) => args.run_channel_create_command(context),
            ChannelCommand::List(args) => args.run_channel_list_command(context),
        }
    }
}
