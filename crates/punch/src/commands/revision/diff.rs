//! `punch revision diff`: what differs between two revisions.

use model::{exit::Exit, wire::RevisionDiff};

use super::super::import::summarize_place_changes;
use crate::{
    api_client::ApiClient, command_context::CommandContext, command_error::CommandError,
    settings::ControlPlaneArgs,
};

/// Show what differs between two revisions
///
/// Secrets that you may not see are masked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch revision diff 41 43")]
pub(crate) struct RevisionDiffArgs {
    /// Older revision
    from: u64,
    /// Newer revision
    to: u64,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl RevisionDiffArgs {
    pub(super) fn run_revision_diff_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        fetch_and_print_revision_diff(context, &self.remote.new_api_client(context)?, self.from, self.to)
    }
}

/// Prints what differs between two revisions.
pub(super) fn fetch_and_print_revision_diff(
    context: &CommandContext,
    client: &ApiClient,
    from: u64,
    to: u64,
) -> Result<Exit, CommandError> {
    let (from, to) = (from.to_string(), to.to_string());
    let diff: RevisionDiff =
        client.get_json_with_query("/api/v1/revisions/diff", &[("from", &from), ("to", &to)])?;
    context.output.hold_output_for_pager();
    if diff.places.is_empty() {
        context.output.print_line_unless_json("nothing differs");
    } else {
        context.output.print_line_unless_json(summarize_place_changes(&diff.places));
    }
    for place in &diff.places {
        context.output.print_document_diff_unless_json(
            &format!("{} {}", place.how, place.place),
            place.diff.as_deref().unwrap_or_default(),
        );
    }
    context.output.print_json_if_requested(&diff);
    Ok(Exit::Done)
}
