//! `punch server revoke`: takes the credential of a server away.

use model::{exit::Exit, name::ServerName, wire::ServerCredentialStatus};
use serde::Serialize;

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// Revoke the credential and the join tokens of a server: it is refused until it joins again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch server revoke web-01 --dry-run\n  punch server revoke web-01")]
pub(crate) struct ServerRevokeArgs {
    /// Server, also one that is no longer in the estate
    server: ServerName,
    /// Only show what the server is, when it last reported and what it would lose
    #[arg(long)]
    dry_run: bool,
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
        let client = self.remote.new_api_client(context)?;
        let path = format!("/api/v1/servers/{}/credential", self.server);
        if self.dry_run {
            let status: ServerCredentialStatus = client.get_json(&path)?;
            for line in credential_status_lines(&status) {
                context.output.print_line_unless_json(line);
            }
            context.output.print_json_if_requested(&status);
            return Ok(Exit::Done);
        }
        client.send_delete_request(&path)?;
        context.output.print_note_to_stderr(format!(
            "{0} has no credential any more; `punch server join-token {0}` lets it join again",
            self.server
        ));
        context.output.print_json_if_requested(&Revoked { server: self.server.to_string() });
        Ok(Exit::Done)
    }
}

/// What the server is, when it last reported, and what revoking its credential does.
fn credential_status_lines(status: &ServerCredentialStatus) -> [String; 4] {
    let ServerCredentialStatus { server, usable_join_tokens, .. } = status;
    let roles = if status.roles.is_empty() { "none".to_owned() } else { status.roles.join(", ") };
    let place = match &status.environment {
        Some(environment) => format!("environment {environment}, roles: {roles}"),
        None => "not in the estate any more".to_owned(),
    };
    let reported = match (status.reported_us, &status.outcome) {
        (Some(at), Some(outcome)) => {
            let generation = status.reported_generation.unwrap_or_default();
            format!("{}, generation {generation}: {outcome}", time_text::format_utc(at))
        }
        _ => "never".to_owned(),
    };
    let joined = status.joined_us.map_or_else(|| "no credential".to_owned(), time_text::format_utc);
    let loses = match (status.joined_us, usable_join_tokens) {
        (None, 0) => "nothing would be revoked: it has no credential and no usable join token".to_owned(),
        (None, tokens) => format!("would be revoked: {tokens} usable join tokens"),
        (Some(_), tokens) => format!(
            "would be revoked: its credential and {tokens} usable join tokens; it gets no node file and its reports are \
             refused until it joins again, and what is installed on it stays"
        ),
    };
    [
        format!("{server}: {place}"),
        format!("last report: {reported}"),
        format!("joined: {joined}"),
        format!("{loses}; nothing was revoked (--dry-run)"),
    ]
}
