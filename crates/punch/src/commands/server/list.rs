//! `punch server list`: all servers and how their last run ended.

use model::{exit::Exit, wire::ServerSummary};

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// List all servers: environment, roles, generation and the last report
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch server list\n  punch server list --behind --failed\n  punch server list --json\n\n\
    --behind and --failed together show the servers that are behind, those whose last run failed, and those of both."
)]
pub(crate) struct ServerListArgs {
    /// Only servers whose last report is not about their newest node file
    #[arg(long)]
    behind: bool,
    /// Only servers whose last run did not end `changed` or `unchanged`
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// How the generation of the last report compares with the newest one, however that run ended.
fn state_of_server(server: &ServerSummary) -> &'static str {
    match (server.reported_generation, server.generation) {
        (None, _) => "never reported",
        (Some(reported), Some(newest)) if reported < newest => "behind",
        _ => "current",
    }
}

fn has_failed(server: &ServerSummary) -> bool {
    server.outcome.as_deref().is_some_and(|outcome| !matches!(outcome, "changed" | "unchanged"))
}

impl ServerListArgs {
    pub(super) fn run_server_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let mut servers: Vec<ServerSummary> = self.remote.new_api_client(context)?.get_list_items_up_to(
            "/api/v1/servers",
            "after",
            usize::MAX,
        )?;
        if self.behind || self.failed {
            servers.retain(|server| {
                (self.behind && state_of_server(server) != "current") || (self.failed && has_failed(server))
            });
        }
        let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let rows: Vec<Vec<String>> = servers
            .iter()
            .map(|server| {
                vec![
                    server.name.clone(),
                    server.environment.clone(),
                    server.roles.join(","),
                    number(server.generation),
                    number(server.reported_generation),
                    state_of_server(server).to_owned(),
                    server.outcome.clone().unwrap_or_else(|| "-".to_owned()),
                    server.reported_us.map_or_else(|| "never".to_owned(), time_text::format_utc),
                ]
            })
            .collect();
        context.output.print_table_unless_json(
            &["NAME", "ENVIRONMENT", "ROLES", "GENERATION", "REPORTED", "STATE", "OUTCOME", "LAST REPORT"],
            &rows,
        );
        context.output.print_json_if_requested(&servers);
        Ok(Exit::Done)
    }
}
