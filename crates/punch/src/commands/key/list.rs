//! `punch key list`: the keys that packages are trusted by.

use model::{exit::Exit, wire::TrustedKeyList};

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// List the keys that packages and metadata are or were trusted by, and whose they are
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch key list")]
pub(crate) struct KeyListArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl KeyListArgs {
    pub(super) fn run_key_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let keys: TrustedKeyList = self.remote.new_api_client(context)?.get_json("/api/v1/keys")?;
        for key in &keys.items {
            let expires = key.expires_us.map(|at| format!("  expires {}", time_text::format_utc(at)));
            let withdrawn = key.withdrawn_us.map(|at| format!("  withdrawn {}", time_text::format_utc(at)));
            let holder = key.holder.as_ref().map(|holder| format!("  {holder}"));
            let signs = if key.signs_metadata { "  signs the repository's metadata" } else { "" };
            context.output.print_line_unless_json(format!(
                "{}{}{signs}{}{}",
                key.fingerprint,
                holder.unwrap_or_default(),
                expires.unwrap_or_default(),
                withdrawn.unwrap_or_default()
            ));
        }
        context.output.print_json_if_requested(&keys.items);
        Ok(Exit::Done)
    }
}
