//! `punch token`: one file per verb.

mod create;
mod list;
mod revoke;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// Create, list and revoke API tokens
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch token create ci --grant developer:staging > ci.token")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    verb: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    Create(create::TokenCreateArgs),
    List(list::TokenListArgs),
    Revoke(revoke::TokenRevokeArgs),
}

impl TokenArgs {
    pub(super) fn run_token_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            TokenCommand::Create(args) => args.run_token_create_command(context),
            TokenCommand::List(args) => args.run_token_list_command(context),
            TokenCommand::Revoke(args) => args.run_token_revoke_command(context),
        }
    }
}
