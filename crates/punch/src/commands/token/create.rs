//! `punch token create`: a new API token.

use model::{
    exit::Exit,
    wire::{IssuedToken, TokenRequest},
};

use crate::{
    command_context::CommandContext, command_error::CommandError,
    control_plane_address::format_login_arguments, settings::ControlPlaneArgs,
};

/// Create a token; it is printed once and stored nowhere
///
/// A grant is LEVEL, LEVEL:ENVIRONMENT or LEVEL:ENVIRONMENT/COMPONENT. LEVEL is viewer, developer, operator or admin;
/// each may do what the one before it may. `*` is every environment or component.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch token create ci --grant developer:staging --days 90 > ci.token\n  \
    punch token create ann --grant viewer --grant 'operator:*/shop'"
)]
pub(crate) struct TokenCreateArgs {
    /// Whose it is
    name: String,
    /// What it may do, and where; repeat it for several
    #[arg(long = "grant", value_name = "GRANT", required = true)]
    grants: Vec<String>,
    /// How many days it is valid; for ever when it is not given
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl TokenCreateArgs {
    pub(super) fn run_token_create_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let request = TokenRequest { name: self.name, grants: self.grants, days: self.days };
        let token: IssuedToken =
            self.remote.new_api_client(context)?.post_json("/api/v1/tokens", &request)?;
        context.output.print_line_unless_json(&token.token);
        context.output.print_note_to_stderr(format!(
            "its holder runs `punch login {} --token-file FILE`",
            format_login_arguments(&token.control_plane)
        ));
        context.output.print_json_if_requested(&token);
        Ok(Exit::Done)
    }
}
