//! `punch job list`: background jobs, newest first.

use model::{exit::Exit, wire::Job};

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// List background jobs, newest first: number, kind, state, creation and result
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch job list\n  punch job list --limit 5 --json")]
pub(crate) struct JobListArgs {
    /// Show at most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl JobListArgs {
    pub(super) fn run_job_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let jobs: Vec<Job> = self.remote.new_api_client(context)?.get_list_items_up_to(
            "/api/v1/jobs",
            "before",
            self.limit,
        )?;
        let rows: Vec<Vec<String>> = jobs
            .iter()
            .map(|job| {
                vec![
                    job.id.to_string(),
                    job.kind.clone(),
                    job.state.clone(),
                    time_text::format_utc(job.created_us),
                    job.created_by.clone(),
                    job.result.clone().unwrap_or_else(|| match job.state.as_str() {
                        "waiting" => format!("due {}", time_text::format_utc(job.due_us)),
                        _ => String::new(),
                    }),
                ]
            })
            .collect();
        context.output.print_table_unless_json(&["JOB", "KIND", "STATE", "CREATED", "BY", "RESULT"], &rows);
        context.output.print_json_if_requested(&jobs);
        Ok(Exit::Done)
    }
}
