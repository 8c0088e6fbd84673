//! `punch server revoke`: takes the credential of a server away.

use model::{exit::Exit, name::ServerName};
use serde::Serialize;

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Revoke the credential and the join tokens of a server: it is refused until it joins again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch server revoke web-01")]
pub(crate) struct ServerRevokeArgs {
    /// Server, also one that is no longer in the estate
    server: ServerName,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Revoked {
    server: String,
}

impl ServerRevokeArgs {
    pub(super) fn run_server_revoke_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        self.remote
            .new_api_client(context)?
            .send_delete_request(&format!("/api/v1/servers/{}/credential", self.server))?;
        context.output.print_note_to_stderr(format!(
            "{0} has no credential any more; `punch server join-token {0}` lets it join again",
            self.server
        ));
        context.output.print_json_if_requested(&Revoked { server: self.server.to_string() });
        Ok(Exit::Done)
    }
}
