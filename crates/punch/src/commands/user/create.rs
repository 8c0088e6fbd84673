//! `punch user create`: a person who may log in.

use model::{
    exit::Exit,
    wire::{IssuedPasswordLink, UserRequest},
};

use super::print_password_link;
use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Create a user; the link with which the person sets a password is printed once
///
/// A grant is LEVEL, LEVEL:ENVIRONMENT or LEVEL:ENVIRONMENT/COMPONENT. LEVEL is viewer, developer, operator or admin;
/// each may do what the one before it may. `*` is every environment or component.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch user create ann --grant viewer --grant operator:staging")]
pub(crate) struct UserCreateArgs {
    /// The name to log in with
    name: String,
    /// What the person may do, and where; repeat it for several
    #[arg(long = "grant", value_name = "GRANT", required = true)]
    grants: Vec<String>,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl UserCreateArgs {
    pub(super) fn run_user_create_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let request = UserRequest { name: self.name, grants: self.grants };
        let link: IssuedPasswordLink =
            self.remote.new_api_client(context)?.post_json("/api/v1/users", &request)?;
        print_password_link(context, &link);
        Ok(Exit::Done)
    }
}
