//! `punch channel create`: a new channel.

use model::{
    exit::Exit,
    name::Name,
    wire::{ChannelCreationRequest, ChannelCreationResult},
};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Create a channel, at its place in the order of promotion
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch channel create qa --after dev")]
pub(crate) struct ChannelCreateArgs {
    /// Channel
    channel: Name,
    /// Channel that versions are promoted from; the last one when it is not given
    #[arg(long, value_name = "CHANNEL")]
    after: Option<Name>,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ChannelCreateArgs {
    pub(super) fn run_channel_create_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let request = ChannelCreationRequest {
            name: self.channel.to_string(),
            after: self.after.map(|after| after.to_string()),
        };
        let channel: ChannelCreationResult =
            self.remote.new_api_client(context)?.post_json("/api/v1/channels", &request)?;
        context.output.print_note_to_stderr(match channel.created {
            true => format!("the channel {} is created", channel.name),
            false => format!("the channel {} was there already", channel.name),
        });
        context.output.print_json_if_requested(&channel);
        Ok(Exit::Done)
    }
}
