//! `punch channel list`: the channels of the repository, in the order of promotion.

use model::{exit::Exit, wire::ChannelSummary};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// List channels in the order of promotion, and how many components each has
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch channel list\n  punch channel list --json")]
pub(crate) struct ChannelListArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ChannelListArgs {
    pub(super) fn run_channel_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let channels: Vec<ChannelSummary> = self.remote.new_api_client(context)?.get_list_items_up_to(
            "/api/v1/channels",
            "after",
            usize::MAX,
        )?;
        let rows: Vec<Vec<String>> = channels
            .iter()
            .map(|channel| vec![channel.name.clone(), channel.components.to_string()])
            .collect();
        context.output.print_table_unless_json(&["CHANNEL", "COMPONENTS"], &rows);
        context.output.print_json_if_requested(&channels);
        Ok(Exit::Done)
    }
}
