//! `punch server enc`: the classes and parameters of a server for Puppet.

use model::{exit::Exit, format::node, name::ServerName, resolve};
use serde::Serialize;

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Print the classes and parameters of a server for Puppet (external node classifier)
///
/// For `external_nodes` in puppet.conf. Secrets are included because Puppet needs them, so it requires an operator.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch server enc web-01")]
pub(crate) struct ServerEncArgs {
    /// Server
    server: ServerName,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Classification {
    server: String,
    yaml: String,
}

impl ServerEncArgs {
    pub(super) fn run_server_enc_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let text = self
            .remote
            .new_api_client(context)?
            .get_text(&format!("/api/v1/servers/{}/node", self.server))?;
        // The back-office masks secrets, and leaves the signature out, below operator.
        if !node::has_signature_line(&text) {
            return Err(CommandError::invalid_input_error(format!(
                "the secrets of {} are masked for this token, and Puppet would apply the masks as values",
                self.server
            ))
            .with_hint("use a token with the role operator"));
        }
        let node = node::parse_node_yaml(&format!("the node file of {}", self.server), &text)?;
        let yaml = resolve::node_to_enc_yaml(&node);
        context.output.hold_output_for_pager();
        context.output.print_line_unless_json(&yaml);
        context.output.print_json_if_requested(&Classification { server: self.server.to_string(), yaml });
        Ok(Exit::Done)
    }
}
