//! `punch user list`: all users.

use model::{exit::Exit, wire::UserList};

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// List all users: name, state, grants and creation
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch user list\n  punch user list --json")]
pub(crate) struct UserListArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl UserListArgs {
    pub(super) fn run_user_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let users: UserList = self.remote.new_api_client(context)?.get_json("/api/v1/users")?;
        let rows: Vec<Vec<String>> = users
            .items
            .iter()
            .map(|user| {
                vec![
                    user.name.clone(),
                    user.state.clone(),
                    user.grants.join(" "),
                    time_text::format_utc(user.created_us),
                    user.created_by.clone(),
                ]
            })
            .collect();
        context.output.print_table_unless_json(&["NAME", "STATE", "GRANTS", "CREATED", "BY"], &rows);
        context.output.print_json_if_requested(&users.items);
        Ok(Exit::Done)
    }
}
