//! `punch job retry`.

use model::{exit::Exit, wire::Job};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Create a job that does again what one that ended should have done
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch job retry 12")]
pub(crate) struct JobRetryArgs {
    /// Number of the job
    job: u64,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl JobRetryArgs {
    pub(super) fn run_job_retry_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        let job: Job =
            client.post_json(&format!("/api/v1/jobs/{}/retry", self.job), &serde_json::json!({}))?;
        context.output.print_note_to_stderr(format!(
            "job {} does again what job {} should have done",
            job.id, self.job
        ));
        context.output.print_json_if_requested(&job);
        Ok(Exit::Done)
    }
}
