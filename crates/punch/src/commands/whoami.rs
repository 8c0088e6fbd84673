//! `punch whoami`: who the back-office takes you for.

use model::{exit::Exit, wire::PrincipalInfo};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Show who the back-office takes you for, and what you may do there
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch whoami\n  punch whoami --json")]
pub(crate) struct WhoamiArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl WhoamiArgs {
    pub(super) fn run_whoami_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        let principal: PrincipalInfo = client.get_json("/api/v1/whoami")?;
        context.output.print_line_unless_json(format!("{} at {}", principal.name, client.base_url()));
        for grant in &principal.grants {
            context.output.print_line_unless_json(format!("grant {grant}"));
        }
        context.output.print_json_if_requested(&principal);
        Ok(Exit::Done)
    }
}
