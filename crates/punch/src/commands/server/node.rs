//! `punch server node`: the node file of a server.

use model::{exit::Exit, format::node, name::ServerName};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Print the node file of a server: everything the server must be
///
/// Without --generation the back-office makes a new generation when roles, values or packages changed since the
/// last one, as it does when the server asks. Operators get the signed file with its secrets, others a masked one
/// without a signature.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch server node web-01 > node.yaml\n  punch server node web-01 --generation 3 --json\n  punch server node web-01 --local > try.yaml && punch apply try.yaml --repository dist/ --root /tmp/try"
)]
pub(crate) struct ServerNodeArgs {
    /// Server
    server: ServerName,
    /// An older generation
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
    /// Write a file to try on another machine: unsigned, with a placeholder for each secret
    #[arg(long, conflicts_with = "generation")]
    local: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ServerNodeArgs {
    pub(super) fn run_server_node_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        let path = match self.generation {
            Some(generation) => format!("/api/v1/servers/{}/node/{generation}", self.server),
            None if self.local => format!("/api/v1/servers/{}/local-node", self.server),
            None => format!("/api/v1/servers/{}/node", self.server),
        };
        let text = client.get_text(&path)?;
        if context.output.is_json() {
            let parsed = node::parse_node_yaml(&format!("the node file of {}", self.server), &text)?;
            context.output.print_json_if_requested(&node::node_to_json(&parsed));
        } else {
            context.output.hold_output_for_pager();
            context.output.print_line_unless_json(&text);
        }
        Ok(Exit::Done)
    }
}
