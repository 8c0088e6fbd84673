//! `punch explain`: why a value is what it is, from a node file or from the back-office.

use std::path::PathBuf;

use model::{exit::Exit, format::node, name::ServerName, resolve::explain, wire::Explanation};

use crate::{
    agent_state::AgentState, cli::HostArgs, command_context::CommandContext, command_error::CommandError,
    settings::ControlPlaneArgs,
};

/// Show why a value is what it is: which places set it, and which one wins
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch explain shop.http_port\n  punch explain shop\n  punch explain shop.http_port node.yaml\n  punch explain shop.http_port --server web-01\n\n\
    A component's name alone explains its version. Secrets are never shown, only where they were set."
)]
pub(crate) struct ExplainArgs {
    /// Component, or component and parameter
    #[arg(value_name = "COMPONENT[.PARAMETER]")]
    key: String,
    /// Node file; else the last good one of this host
    #[arg(value_name = "NODEFILE")]
    node: Option<PathBuf>,
    /// Ask the back-office about this server instead
    #[arg(long, value_name = "NAME", conflicts_with_all = ["node", "root"])]
    server: Option<ServerName>,
    #[command(flatten)]
    remote: ControlPlaneArgs,
    #[command(flatten)]
    host: HostArgs,
}

impl ExplainArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        if let Some(server) = &self.server {
            let path = format!("/api/v1/servers/{server}/explain");
            let explanation: Explanation =
                self.remote.new_api_client(context)?.get_json_with_query(&path, &[("key", &self.key)])?;
            context.output.print_line(explanation.to_string());
            context.output.print_json(&explanation);
            return Ok(Exit::Done);
        }
        let node = match &self.node {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|error| CommandError::cannot_read_file(file, &error))?;
                node::read(&file.display().to_string(), &text)?
            }
            None => {
                let good = AgentState::new(&self.host.open_host_files()?).read_last_good_node()?.ok_or_else(
                    || {
                        CommandError::invalid_input("this host has no last good node file yet").with_hint(
                            "run `punch restore` first, or name a node file: `punch explain KEY NODEFILE`",
                        )
                    },
                )?;
                good.node
            }
        };
        let explanation =
            explain(&node, &self.key).map_err(|error| CommandError::invalid_input(error.to_string()))?;
        context.output.print_line(explanation.to_string());
        context.output.print_json(&explanation);
        Ok(Exit::Done)
    }
}
