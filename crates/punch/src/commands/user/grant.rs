//! `punch user grant`: what a person may do from now on.

use model::{exit::Exit, wire::UserGrantsRequest};
use serde::Serialize;

use crate::{
    api_client, command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs,
};

/// Give a user these grants, in the place of all earlier ones
///
/// They hold at once, also for browsers that the person is logged in with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch user grant ann --grant viewer --grant 'operator:*/shop'")]
pub(crate) struct UserGrantArgs {
    /// The user
    name: String,
    /// What the person may do, and where; repeat it for several
    #[arg(long = "grant", value_name = "GRANT", required = true)]
    grants: Vec<String>,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct GrantedUser {
    name: String,
    grants: Vec<String>,
}

impl UserGrantArgs {
    pub(super) fn run_user_grant_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let name = api_client::check_url_path_segment(&self.name)?;
        let request = UserGrantsRequest { grants: self.grants };
        self.remote.new_api_client(context)?.put_json(&format!("/api/v1/users/{name}/grants"), &request)?;
        context.output.print_note_to_stderr(format!(
            "the user `{}` may do this from now on: {}",
            self.name,
            request.grants.join(" ")
        ));
        context.output.print_json_if_requested(&GrantedUser { name: self.name, grants: request.grants });
        Ok(Exit::Done)
    }
}
