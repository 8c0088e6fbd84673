//! `punch audit`: one file per verb.

mod list;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// Show the audit log
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch audit list")]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    verb: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    List(list::AuditListArgs),
}

impl AuditArgs {
    pub(super) fn run_audit_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            AuditCommand::List(args) => args.run_audit_list_command(context),
        }
    }
}
