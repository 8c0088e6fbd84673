//! `punch repository check`: reads everything in the repository.

use model::{exit::Exit, wire::JobRequest};

use crate::{
    command_context::CommandContext, command_error::CommandError, commands::job::create_and_follow_job,
    settings::ControlPlaneArgs,
};

/// Read every package and all metadata, and name what is damaged
///
/// The control plane does it as a job; this waits for its end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch repository check")]
pub(crate) struct RepositoryCheckArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl RepositoryCheckArgs {
    pub(super) fn start_and_follow_repository_check_job(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        let request = JobRequest { kind: "check-repository".to_owned(), keep: None, channel: None };
        create_and_follow_job(context, &self.remote.new_api_client(context)?, &request)
    }
}
