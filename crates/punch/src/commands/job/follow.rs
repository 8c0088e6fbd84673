//! Waiting for a job: its log is printed as it grows.

use std::{thread, time::Duration};

use model::{
    exit::Exit,
    wire::{Job, JobRequest},
};

use crate::{api_client::ApiClient, command_context::CommandContext, command_error::CommandError};

/// How often a running job is looked at.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// Creates a job, waits for its end and prints what came of it.
pub(in crate::commands) fn create_and_follow_job(
    context: &CommandContext,
    client: &ApiClient,
    request: &JobRequest,
) -> Result<Exit, CommandError> {
    let job: Job = client.post_json("/api/v1/jobs", request)?;
    follow_job(context, client, job.id)
}

/// Waits for the end of a job and prints its log and its result. The exit code is 5 when the job failed.
pub(super) fn follow_job(
    context: &CommandContext,
    client: &ApiClient,
    id: u64,
) -> Result<Exit, CommandError> {
    context.interruption.set_interruption_message(format!(
        "job {id} goes on; `punch job show {id} --follow` waits for it again"
    ));
    let mut printed = 0;
    loop {
        let job: Job = client.get_json(&format!("/api/v1/jobs/{id}"))?;
        for line in job.log.iter().skip(printed) {
            context.output.print_line_unless_json(&line.text);
        }
        printed = job.log.len().max(printed);
        if job.finished_us.is_none() {
            thread::sleep(LOOK_AGAIN_AFTER);
            continue;
        }
        context.output.print_json_if_requested(&job);
        let result = job.result.as_deref().unwrap_or_default();
        return match job.state.as_str() {
            "done" => {
                context.output.print_note_to_stderr(format!("job {id} is done: {result}"));
                Ok(Exit::Done)
            }
            "cancelled" => Err(CommandError::failed_halfway_error(format!("job {id} was cancelled"))
                .with_hint(format!("`punch job retry {id}` starts it again"))),
            _ => Err(CommandError::failed_halfway_error(format!("job {id} failed: {result}")).with_hint(
                format!("`punch job show {id}` shows its log, `punch job retry {id}` tries it again"),
            )),
        };
    }
}
