//! `punch user password-link`: a person who forgot the password sets another one.

use model::{exit::Exit, wire::IssuedPasswordLink};

use super::print_password_link;
use crate::{
    api_client, command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs,
};

/// Create a new link with which a user sets a password; earlier ones are spoiled
///
/// The password that the user has is good until another one is set.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch user password-link ann")]
pub(crate) struct UserPasswordLinkArgs {
    /// The user
    name: String,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl UserPasswordLinkArgs {
    pub(super) fn run_user_password_link_command(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        let name = api_client::check_url_path_segment(&self.name)?;
        let path = format!("/api/v1/users/{name}/password-link");
        let link: IssuedPasswordLink =
            self.remote.new_api_client(context)?.post_json(&path, &serde_json::json!({}))?;
        print_password_link(context, &link);
        Ok(Exit::Done)
    }
}
