//! `punch logout`: removes what `punch login` saved.

use model::exit::Exit;
use serde::Serialize;

use crate::{
    command_context::CommandContext,
    command_error::CommandError,
    settings::{ConfigFile, Setting},
};

/// Remove the address and the API token that `punch login` saved
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch logout\n\n\
    The token itself stays valid until an administrator revokes it.")]
pub(crate) struct LogoutArgs {}

/// What `--json` prints.
#[derive(Serialize)]
struct LoggedOut {
    removed: bool,
}

impl LogoutArgs {
    pub(super) fn run_logout_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let mut removed = false;
        if let Some(path) = &context.config_path {
            let mut file = ConfigFile::load_config_file(path)?;
            for setting in [Setting::Token, Setting::TokenFile] {
                removed |= file.unset_setting_in_memory(setting);
            }
            if removed {
                // An address that stayed would be stronger than the socket of a control plane on this machine.
                for setting in [Setting::Url, Setting::CaFile] {
                    file.unset_setting_in_memory(setting);
                }
                file.save_config_file()?;
                context.output.print_note_to_stderr(format!(
                    "removed the address and the token from {}",
                    path.display()
                ));
            }
        }
        if !removed {
            context.output.print_note_to_stderr("no token was saved");
        }
        context.output.print_json_if_requested(&LoggedOut { removed });
        Ok(Exit::Done)
    }
}
