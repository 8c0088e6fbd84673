//! `punch token revoke`: a token is refused from now on.

use model::{
    exit::Exit,
    wire::{TokenList, TokenSummary},
};
use serde::Serialize;

use crate::{
    api_client, command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs,
    time_text,
};

/// Revoke a token: it is refused from now on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch token revoke ci --dry-run\n  punch token revoke ci")]
pub(crate) struct TokenRevokeArgs {
    /// Whose it is
    name: String,
    /// Only show what the token may do and who made it
    #[arg(long)]
    dry_run: bool,
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
        let client = self.remote.new_api_client(context)?;
        if self.dry_run {
            let tokens: TokenList = client.get_json("/api/v1/tokens")?;
            let of_name = || tokens.items.iter().filter(|token| token.name == self.name);
            let is_revoked = |token: &TokenSummary| token.state == "revoked";
            let token = of_name().find(|token| !is_revoked(token)).ok_or_else(|| {
                let message = match of_name().next() {
                    Some(_) => format!("the token `{}` is revoked already", self.name),
                    None => format!("there is no token `{}`", self.name),
                };
                CommandError::invalid_input_error(message).with_hint("`punch token list` shows all tokens")
            })?;
            let expires = token.expires_us.map_or_else(|| "never".to_owned(), time_text::format_utc);
            context.output.print_line_unless_json(format!(
                "the token `{}` ({}), made by {}, which expires {expires}, would be refused from then on; nothing was \
                 revoked (--dry-run)",
                token.name,
                token.grants.join(" "),
                token.created_by
            ));
            context.output.print_json_if_requested(token);
            return Ok(Exit::Done);
        }
        client.send_delete_request(&format!("/api/v1/tokens/{name}"))?;
        context.output.print_note_to_stderr(format!("the token `{}` is refused from now on", self.name));
        context.output.print_json_if_requested(&RevokedToken { name: self.name });
        Ok(Exit::Done)
    }
}
