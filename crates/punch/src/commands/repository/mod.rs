//! `punch repository`: one file per verb.

mod check;
mod rebuild;
mod retain;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// Check the repository, remove old versions and rebuild channels
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch repository check")]
pub(crate) struct RepositoryArgs {
    #[command(subcommand)]
    verb: RepositoryCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RepositoryCommand {
    Check(check::RepositoryCheckArgs),
    Retain(retain::RepositoryRetainArgs),
    Rebuild(rebuild::RepositoryRebuildArgs),
}

impl RepositoryArgs {
    pub(super) fn run_repository_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            RepositoryCommand::Check(args) => args.start_and_follow_repository_check_job(context),
            RepositoryCommand::Retain(args) => args.run_retain_job_or_print_preview(context),
            RepositoryCommand::Rebuild(args) => args.start_and_follow_repository_rebuild_job(context),
        }
    }
}
