//! `punch server join-token`: a one-time token for a server.

use model::{
    exit::Exit,
    name::ServerName,
    wire::{IssuedJoinToken, JoinTokenRequest},
};

use crate::{
    command_context::CommandContext, command_error::CommandError,
    control_plane_address::format_login_arguments, settings::ControlPlaneArgs, time_text,
};

/// Create a one-time token for a server to join with
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch server join-token web-01 --minutes 30 > token\n\n\
    Then, on that server:\n  punch join https://geppetto.example.org --token-file token")]
pub(crate) struct ServerJoinTokenArgs {
    /// Server that may join
    server: ServerName,
    /// How long the token is valid
    #[arg(long, default_value_t = 60, value_name = "MINUTES")]
    minutes: u32,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ServerJoinTokenArgs {
    pub(super) fn run_server_join_token_command(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        let request =
            JoinTokenRequest { server: self.server.to_string(), seconds: self.minutes.saturating_mul(60) };
        let token: IssuedJoinToken =
            self.remote.new_api_client(context)?.post_json("/api/v1/join-tokens", &request)?;
        context.output.print_line_unless_json(&token.token);
        context.output.print_note_to_stderr(format!(
            "valid once, until {}; on {} run `punch join {} --token-file FILE`",
            time_text::format_utc(token.expires_us),
            token.server,
            format_login_arguments(&token.control_plane)
        ));
        context.output.print_json_if_requested(&token);
        Ok(Exit::Done)
    }
}
