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
    pub(super) fn run_server_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            ServerCommand::List(args) => args.run_server_list_command(context),
            ServerCommand::Show(args) => args.run_server_show_command(context),
            ServerCommand::Node(args) => args.run_server_node_command(context),
            ServerCommand::Enc(args) => args.run_server_enc_command(context),
            ServerCommand::JoinToken(args) => args.run_server_join_token_command(context),
            ServerCommand::Revoke(args) => args.run_server_revoke_command(context),
        }
    }
}
