//! `punch key trust`: the repository accepts packages signed by a key.

use std::path::PathBuf;

use model::{
    exit::Exit,
    wire::{KeyTrustRequest, TrustedKeyList},
};
use packaging::openpgp::is_armored_secret_key;

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Let the repository accept packages signed by the keys in a file
///
/// Servers that joined before get the keys when they join again, or with `curl URL/repository/keys.asc`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch key trust alice.asc")]
pub(crate) struct KeyTrustArgs {
    /// Armored OpenPGP certificates (`punch key public` prints one)
    file: PathBuf,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl KeyTrustArgs {
    pub(super) fn run_repository_key_trust_command(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        let armored = std::fs::read_to_string(&self.file)
            .map_err(|error| CommandError::cannot_read_file_error(&self.file, &error))?;
        // It must not be sent.
        if is_armored_secret_key(&armored) {
            return Err(CommandError::invalid_input_error(format!(
                "{} is a secret key, which only its holder may have; the repository needs its public half",
                self.file.display()
            ))
            .with_hint(format!(
                "`punch key public {} > FILE.asc`, then `punch key trust FILE.asc`",
                self.file.display()
            )));
        }
        let keys: TrustedKeyList =
            self.remote.new_api_client(context)?.post_json("/api/v1/keys", &KeyTrustRequest { armored })?;
        for key in &keys.items {
            context.output.print_line_unless_json(&key.fingerprint);
        }
        context.output.print_json_if_requested(&keys.items);
        Ok(Exit::Done)
    }
}
