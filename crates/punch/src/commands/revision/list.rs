//! `punch revision list`: the committed states of the estate, newest first.

use model::{exit::Exit, wire::RevisionSummary};

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// List revisions, newest first: number, time, author and message
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch revision list\n  punch revision list --limit 5 --json")]
pub(crate) struct RevisionListArgs {
    /// Show at most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl RevisionListArgs {
    pub(super) fn run_revision_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let revisions: Vec<RevisionSummary> = self.remote.new_api_client(context)?.get_list_items_up_to(
            "/api/v1/revisions",
            "before",
            self.limit,
        )?;
        let rows: Vec<Vec<String>> = revisions
            .iter()
            .map(|revision| {
                vec![
                    revision.number.to_string(),
                    time_text::format_utc(revision.created_us),
                    revision.author.clone(),
                    revision.message.clone(),
                ]
            })
            .collect();
        context.output.print_table_unless_json(&["REVISION", "TIME", "AUTHOR", "MESSAGE"], &rows);
        context.output.print_json_if_requested(&revisions);
        Ok(Exit::Done)
    }
}
