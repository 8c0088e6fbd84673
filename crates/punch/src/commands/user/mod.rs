//! `punch user`: one file per verb.

mod create;
mod disable;
mod grant;
mod list;
mod password_link;

use model::{exit::Exit, wire::IssuedPasswordLink};

use crate::{command_context::CommandContext, command_error::CommandError, time_text};

/// Create, list and disable people who log in with a browser
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch user create ann --grant viewer --grant operator:staging")]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    verb: UserCommand,
}

#[derive(Debug, clap::Subcommand)]
enum UserCommand {
    Create(create::UserCreateArgs),
    List(list::UserListArgs),
    Grant(grant::UserGrantArgs),
    PasswordLink(password_link::UserPasswordLinkArgs),
    Disable(disable::UserDisableArgs),
}

impl UserArgs {
    pub(super) fn run_user_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            UserCommand::Create(args) => args.run_user_create_command(context),
            UserCommand::List(args) => args.run_user_list_command(context),
            UserCommand::Grant(args) => args.run_user_grant_command(context),
            UserCommand::PasswordLink(args) => args.run_user_password_link_command(context),
            UserCommand::Disable(args) => args.run_user_disable_command(context),
        }
    }
}

fn print_password_link(context: &CommandContext, link: &IssuedPasswordLink) {
    context.output.print_line_unless_json(&link.url);
    context.output.print_note_to_stderr(format!(
        "whoever opens it in a browser sets the password of `{}`: once, until {}",
        link.user,
        time_text::format_utc(link.expires_us)
    ));
    context.output.print_json_if_requested(link);
}
