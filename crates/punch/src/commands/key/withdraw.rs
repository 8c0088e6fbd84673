//! `punch key withdraw`: the repository accepts no new package signed by a key.

use model::exit::Exit;
use serde::Serialize;

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Accept no new package signed by a key
///
/// Packages that were received before stay in their channels, and servers go on trusting them: withdraw versions that
/// should not run (`punch withdraw`). `punch key trust` accepts the key again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch key withdraw 0123456789ABCDEF0123456789ABCDEF01234567\n\n`punch key list` shows the fingerprints."
)]
pub(crate) struct KeyWithdrawArgs {
    /// Fingerprint of the key, as `punch key list` shows it
    fingerprint: String,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct WithdrawnKey<'a> {
    withdrawn: &'a str,
}

impl KeyWithdrawArgs {
    pub(super) fn run_key_withdraw_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let fingerprint = self.fingerprint.replace(' ', "");
        let path = format!("/api/v1/keys/{fingerprint}");
        self.remote.new_api_client(context)?.send_delete_request(&path)?;
        context.output.print_note_to_stderr("withdrawn: no new package that it signed is accepted");
        context.output.print_json_if_requested(&WithdrawnKey { withdrawn: &fingerprint });
        Ok(Exit::Done)
    }
}
