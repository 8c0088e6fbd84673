//! `punch repository rebuild`: writes the metadata of a channel anew.

use model::{exit::Exit, name::Name, wire::JobRequest};

use crate::{
    command_context::CommandContext, command_error::CommandError, commands::job::create_and_follow_job,
    settings::ControlPlaneArgs,
};

/// Write the metadata of a channel anew, and link its packages again
///
/// The control plane does it as a job; this waits for its end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch repository rebuild prod")]
pub(crate) struct RepositoryRebuildArgs {
    /// Channel
    channel: Name,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl RepositoryRebuildArgs {
    pub(super) fn start_and_follow_repository_rebuild_job(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        let channel = Some(self.channel.to_string());
        let request = JobRequest { kind: "rebuild-channel".to_owned(), keep: None, channel };
        create_and_follow_job(context, &self.remote.new_api_client(context)?, &request)
    }
}
