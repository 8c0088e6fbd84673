//! `punch job show`: one job with its log.

use model::{exit::Exit, wire::Job};

use super::follow::follow_job;
use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// Show a background job with its log
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch job show 12\n  punch job show 12 --follow")]
pub(crate) struct JobShowArgs {
    /// Number of the job
    job: u64,
    /// Print the log as it grows, until the job ends
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl JobShowArgs {
    pub(super) fn run_job_show_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        if self.follow {
            return follow_job(context, &client, self.job);
        }
        let job: Job = client.get_json(&format!("/api/v1/jobs/{}", self.job))?;
        context.output.hold_output_for_pager();
        context.output.print_line_unless_json(format!("job {}: {}, {}", job.id, job.kind, job.state));
        context.output.print_line_unless_json(format!(
            "created {} by {}",
            time_text::format_utc(job.created_us),
            job.created_by
        ));
        context.output.print_line_unless_json(format!("attempt {} of {}", job.attempt, job.max_attempts));
        if let Some(owner) = &job.owner {
            context.output.print_line_unless_json(format!("run by {owner}"));
        }
        if job.progress_total > 0 {
            context
                .output
                .print_line_unless_json(format!("{} of {} done", job.progress_done, job.progress_total));
        }
        for line in &job.log {
            context.output.print_line_unless_json(format!(
                "{} {}",
                time_text::format_utc(line.at_us),
                line.text
            ));
        }
        if let Some(result) = &job.result {
            context.output.print_line_unless_json(result);
        }
        context.output.print_json_if_requested(&job);
        Ok(Exit::Done)
    }
}
