//! `punch key withdraw`: the repository accepts no new package signed by a key.

use model::{exit::Exit, wire::TrustedKeyList};
use serde::Serialize;

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// Accept no new package signed by a key
///
/// Packages that were received before stay in their channels, and servers go on trusting them: withdraw versions that
/// should not run (`punch withdraw`). `punch key trust` accepts the key again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch key withdraw 0123456789ABCDEF0123456789ABCDEF01234567 --dry-run\n\n`punch key list` shows the fingerprints."
)]
pub(crate) struct KeyWithdrawArgs {
    /// Fingerprint of the key, as `punch key list` shows it
    fingerprint: String,
    /// Only show whose key it is, and change nothing
    #[arg(long)]
    dry_run: bool,
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
        let client = self.remote.new_api_client(context)?;
        if self.dry_run {
            let keys: TrustedKeyList = client.get_json("/api/v1/keys")?;
            let key = keys.items.iter().find(|key| key.fingerprint.eq_ignore_ascii_case(&fingerprint));
            let key = key.ok_or_else(|| {
                CommandError::invalid_input_error(format!("there is no key `{fingerprint}`"))
                    .with_hint("`punch key list` shows the fingerprints")
            })?;
            if key.signs_metadata {
                return Err(CommandError::invalid_input_error(format!(
                    "{} is the key that the repository signs its metadata with; it cannot be withdrawn",
                    key.fingerprint
                )));
            }
            let holder = key.holder.as_deref().unwrap_or("a holder without a name");
            let what = match key.withdrawn_us {
                Some(at) => format!("it was withdrawn on {} already", time_text::format_utc(at)),
                None => "no new package that it signed would be accepted".to_owned(),
            };
            context.output.print_line_unless_json(format!(
                "key {} of {holder}: {what}; nothing was changed (--dry-run)",
                key.fingerprint
            ));
            context.output.print_json_if_requested(key);
            return Ok(Exit::Done);
        }
        client.send_delete_request(&path)?;
        context.output.print_note_to_stderr("withdrawn: no new package that it signed is accepted");
        context.output.print_json_if_requested(&WithdrawnKey { withdrawn: &fingerprint });
        Ok(Exit::Done)
    }
}
