//! `punch job`: one file per verb.

mod cancel;
mod follow;
mod list;
mod retry;
mod show;

use model::exit::Exit;

pub(super) use follow::create_and_follow_job;

use crate::{command_context::CommandContext, command_error::CommandError};

/// List, show, cancel and retry background jobs
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch job list")]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    verb: JobCommand,
}

#[derive(Debug, clap::Subcommand)]
enum JobCommand {
    List(list::JobListArgs),
    Show(show::JobShowArgs),
    Cancel(cancel::JobCancelArgs),
    Retry(retry::JobRetryArgs),
}

impl JobArgs {
    pub(super) fn run_job_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            JobCommand::List(args) => args.run_job_list_command(context),
            JobCommand::Show(args) => args.run_job_show_command(context),
            JobCommand::Cancel(args) => args.run_job_cancel_command(context),
            JobCommand::Retry(args) => args.run_job_retry_command(context),
        }
    }
}
