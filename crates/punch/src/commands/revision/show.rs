//! `punch revision show`: what a revision changed.

use model::exit::Exit;

use super::diff::fetch_and_print_revision_diff;
use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Show what a revision changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch revision show 43")]
pub(crate) struct RevisionShowArgs {
    /// Revision
    revision: u64,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl RevisionShowArgs {
    pub(super) fn run_revision_show_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let before = self.revision.checked_sub(1).ok_or_else(|| {
            CommandError::invalid_input_error("revision 0 is the empty estate; revisions are counted from 1")
                .with_hint("`punch revision list` lists them")
        })?;
        fetch_and_print_revision_diff(context, &self.remote.new_api_client(context)?, before, self.revision)
    }
}
