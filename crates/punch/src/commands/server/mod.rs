//! `punch server`: servers as the back-office knows them, one file per verb.

mod enc;
mod join_token;
mod list;
mod node;
mod revoke;
mod show;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// List, show and revoke servers
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch server list\n  punch server show web-01")]
pub(crate) struct ServerArgs {
    #[command(subcommand)]
    verb: ServerCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ServerCommand {
    List(list::ServerListArgs),
    Show(show::ServerShowArgs),
    Node(node::ServerNodeArgs),
    Enc(enc::ServerEncArgs),
    JoinToken(join_token::ServerJoinTokenArgs),
    Revoke(revoke::ServerRevokeArgs),
}

impl ServerArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            ServerCommand::List(args) => args.run(context),
            ServerCommand::Show(args) => args.run(context),
            ServerCommand::Node(args) => args.run(context),
            ServerCommand::Enc(args) => args.run(context),
            ServerCommand::JoinToken(args) => args.run(context),
            ServerCommand::Revoke(args) => args.run(context),
        }
    }
}
