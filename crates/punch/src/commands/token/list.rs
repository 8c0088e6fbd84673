//! `punch token list`: all tokens ever made.

use model::{exit::Exit, wire::TokenList};

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// List all tokens ever made: name, state, grants, creation and expiry
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch token list\n  punch token list --json")]
pub(crate) struct TokenListArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl TokenListArgs {
    pub(super) fn run_token_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let tokens: TokenList = self.remote.new_api_client(context)?.get_json("/api/v1/tokens")?;
        let rows: Vec<Vec<String>> = tokens
            .items
            .iter()
            .map(|token| {
                vec![
                    token.name.clone(),
                    token.state.clone(),
                    token.grants.join(" "),
                    token.id.clone(),
                    time_text::format_utc(token.created_us),
                    token.created_by.clone(),
                    token.expires_us.map_or_else(|| "never".to_owned(), time_text::format_utc),
                ]
            })
            .collect();
        context
            .output
            .print_table_unless_json(&["NAME", "STATE", "GRANTS", "ID", "CREATED", "BY", "EXPIRES"], &rows);
        context.output.print_json_if_requested(&tokens.items);
        Ok(Exit::Done)
    }
}
