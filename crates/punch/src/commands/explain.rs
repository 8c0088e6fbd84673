//! `punch explain`: why a value is what it is, from a node file or from the back-office.

use std::path::PathBuf;

use model::{
    exit::Exit,
    format::node,
    name::ServerName,
    resolve::{explain_all_versions_and_values, explain_dotted_key},
    wire::Explanation,
};

use crate::{
    agent_state::AgentStateFiles, cli::HostArgs, command_context::CommandContext,
    command_error::CommandError, settings::ControlPlaneArgs,
};

/// Show why values are what they are: which places set them, and which one wins
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch explain\n  punch explain shop.http_port\n  punch explain shop.labels.team\n  punch explain shop\n  punch explain shop.http_port node.yaml\n  punch explain shop.http_port --server web-01\n  punch explain --server web-01\n\n\
    Without a key all values are listed with the places they come from. A component's name alone explains its version. \
    Secrets are never shown, only where they were set."
)]
pub(crate) struct ExplainArgs {
    /// Component, parameter or entry of a map; all values if absent
    #[arg(value_name = "COMPONENT[.PARAMETER[.ENTRY]]")]
    key: Option<String>,
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
    pub(super) fn run_explain_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let explained = match &self.server {
            Some(server) => self.ask(context, server)?,
            None => self.explain_here()?,
        };
        context.output.hold_output_for_pager();
        match (&self.key, &explained[..]) {
            (Some(_), [explanation]) => {
                context.output.print_line_unless_json(explanation.to_string());
                context.output.print_json_if_requested(explanation);
            }
            _ => {
                for explanation in &explained {
                    context.output.print_line_unless_json(explanation.explanation_summary_line());
                }
                context.output.print_json_if_requested(&explained);
            }
        }
        Ok(Exit::Done)
    }

    fn ask(&self, context: &CommandContext, server: &ServerName) -> Result<Vec<Explanation>, CommandError> {
        let client = self.remote.new_api_client(context)?;
        let Some(key) = &self.key else {
            return Ok(client.get_json(&format!("/api/v1/servers/{server}/explanations"))?);
        };
        let path = format!("/api/v1/servers/{server}/explain");
        Ok(vec![client.get_json_with_query(&path, &[("key", key)])?])
    }

    fn explain_here(&self) -> Result<Vec<Explanation>, CommandError> {
        let node = match &self.node {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|error| CommandError::cannot_read_file_error(file, &error))?;
                node::parse_node_yaml(&file.display().to_string(), &text)?
            }
            None => {
                let good = AgentStateFiles::new(&self.host.open_host_files()?).read_last_good_node()?.ok_or_else(
                    || {
                        CommandError::invalid_input_error("this host has no last good node file yet").with_hint(
                            "run `punch restore` first, or name a node file: `punch explain KEY NODEFILE`",
                        )
                    },
                )?;
                good.node
            }
        };
        let Some(key) = &self.key else { return Ok(explain_all_versions_and_values(&node)) };
        Ok(vec![
            explain_dotted_key(&node, key)
                .map_err(|error| CommandError::invalid_input_error(error.to_string()))?,
        ])
    }
}
