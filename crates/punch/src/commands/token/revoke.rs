//! `punch token revoke`: a token is refused from now on.

use model::exit::Exit;
use serde::Serialize;

use crate::{
    api_client, command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs,
};

/// Revoke a token: it is refused from now on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch token revoke ci")]
pub(crate) struct TokenRevokeArgs {
    /// Whose it is
    name: String,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct RevokedToken {
    name: String,
}

impl TokenRevokeArgs {
    pub(super) fn run_token_revoke_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let name = api_client::check_url_path_segment(&self.name)?;
        self.remote.new_api_client(context)?.send_delete_request(&format!("/api/v1/tokens/{name}"))?;
        context.output.print_note_to_stderr(format!("the token `{}` is refused from now on", self.name));
        context.output.print_json_if_requested(&RevokedToken { name: self.name });
        Ok(Exit::Done)
    }
}
