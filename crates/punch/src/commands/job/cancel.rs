//! `punch job cancel`.

use model::{exit::Exit, wire::Job};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Ask a background job to stop; one that waits ends at once
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch job cancel 12")]
pub(crate) struct JobCancelArgs {
    /// Number of the job
    job: u64,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl JobCancelArgs {
    pub(super) fn run_job_cancel_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        let job: Job =
            client.post_json(&format!("/api/v1/jobs/{}/cancel", self.job), &serde_json::json!({}))?;
        context.output.print_note_to_stderr(format!(
            "job {} is {}",
            job.id,
            match job.finished_us {
                Some(_) => "cancelled",
                None => "asked to stop",
            }
        ));
        context.output.print_json_if_requested(&job);
        Ok(Exit::Done)
    }
}
