//! `punch repository retain`: removes old versions.

use model::{exit::Exit, wire::JobRequest};

use crate::{
    command_context::CommandContext, command_error::CommandError, commands::job::create_and_follow_job,
    settings::ControlPlaneArgs,
};

/// Remove old versions that no node file of any kept generation needs
///
/// The control plane does it as a job; this waits for its end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch repository retain --keep 5")]
pub(crate) struct RepositoryRetainArgs {
    /// How many of the newest versions of each component are kept in any case
    #[arg(long, value_name = "COUNT")]
    keep: u32,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl RepositoryRetainArgs {
    pub(super) fn start_and_follow_repository_retain_job(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        let request = JobRequest { kind: "retain-versions".to_owned(), keep: Some(self.keep), channel: None };
        create_and_follow_job(context, &self.remote.new_api_client(context)?, &request)
    }
}
