//! `punch key list`: the keys that packages are trusted by.

use model::{exit::Exit, wire::TrustedKeyList};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// List the fingerprints of the keys that packages and metadata are trusted by
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
            context.output.print_line_unless_json(&key.fingerprint);
        }
        context.output.print_json_if_requested(&keys.items);
        Ok(Exit::Done)
    }
}
