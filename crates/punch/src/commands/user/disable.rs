//! `punch user disable`: nobody logs in as this user any more.

use model::exit::Exit;
use serde::Serialize;

use crate::{
    api_client, command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs,
};

/// Disable a user: nobody can log in as this user, and whoever is logged in is logged out
///
/// The name stays taken, because the audit log and revisions name it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch user disable ann")]
pub(crate) struct UserDisableArgs {
    /// The user
    name: String,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct DisabledUser {
    name: String,
}

impl UserDisableArgs {
    pub(super) fn run_user_disable_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let name = api_client::check_url_path_segment(&self.name)?;
        self.remote.new_api_client(context)?.send_delete_request(&format!("/api/v1/users/{name}"))?;
        context.output.print_note_to_stderr(format!("nobody can log in as `{}` from now on", self.name));
        context.output.print_json_if_requested(&DisabledUser { name: self.name });
        Ok(Exit::Done)
    }
}
