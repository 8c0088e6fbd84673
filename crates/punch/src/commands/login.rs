//! `punch login`: checks a token and saves it with the address of its control plane.

use std::path::PathBuf;

use model::exit::Exit;
use serde::Serialize;

use crate::{
    api_client::{ApiClient, CaFingerprint, ConnectionWaitArgs, fetch_authority_by_fingerprint},
    command_context::CommandContext,
    command_error::CommandError,
    settings::{ConfigFile, Setting, read_token_file_or_stdin},
};

/// Save the control plane's address and your API token for later commands
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch login https://geppetto.example.org --token-file token.txt\n\n\
    The token is checked, then saved in ~/.config/geppetto/punch.yaml with mode 0600; other settings in it stay.")]
pub(crate) struct LoginArgs {
    /// Address of the control plane
    url: String,
    /// File that holds the token; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Certificate authorities to trust instead of the public ones, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Fingerprint of the control plane's own certificate authority, as the log of `geppetto serve` and
    /// `punch token create` show it; its certificate is fetched and kept
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "ca_file")]
    ca_fingerprint: Option<CaFingerprint>,
    #[command(flatten)]
    wait: ConnectionWaitArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct LoggedIn<'a> {
    url: &'a str,
    saved: String,
}

impl LoginArgs {
    pub(super) fn run_login_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let path = context.config_path.as_deref().ok_or_else(|| {
            CommandError::invalid_input_error("this user has no home folder to save a token in")
                .with_hint("set HOME, or give `--url` and `--token-file` to each command")
        })?;
        context
            .interruption
            .set_interruption_message(format!("nothing was saved; {} is as it was", path.display()));
        let token = read_token_file_or_stdin(&self.token_file)?;
        let wait = self.wait.new_connection_wait(&context.output);
        let fetched = match &self.ca_fingerprint {
            Some(fingerprint) => Some(fetch_authority_by_fingerprint(&self.url, fingerprint, &wait)?),
            None => None,
        };
        if let Some(file) = &fetched {
            context.interruption.remove_file_if_interrupted(file.path());
        }
        let authorities = fetched.as_ref().map(|file| file.path()).or(self.ca_file.as_deref());
        let client = ApiClient::new(&self.url, Some(token.clone()), authorities)?;
        wait.retry_while_refused(client.base_url(), || client.check_token_is_accepted())?;
        if client.would_send_secrets_unencrypted() {
            context.output.print_warning(format!(
                "{} is not encrypted: the token can be read on the way",
                client.base_url()
            ));
        }
        let saving = context.interruption.defer_interruption();
        let mut file = ConfigFile::load_config_file(path)?;
        let ca_file = match (&self.ca_file, fetched) {
            (Some(file), _) => Some(
                std::path::absolute(file)
                    .map_err(|error| CommandError::cannot_read_file_error(file, &error))?,
            ),
            (None, Some(fetched)) => Some(file.save_ca_certificates_beside(fetched.path())?),
            (None, None) => None,
        };
        for setting in [Setting::Socket, Setting::TokenFile, Setting::CaFile] {
            file.unset_setting_in_memory(setting);
        }
        file.set_setting_in_memory(Setting::Url, client.base_url().to_owned());
        file.set_setting_in_memory(Setting::Token, token.expose_secret().to_owned());
        if let Some(ca_file) = ca_file {
            file.set_setting_in_memory(Setting::CaFile, ca_file.display().to_string());
        }
        file.save_config_file()?;
        context.interruption.set_interruption_message(format!("the token is saved in {}", path.display()));
        drop(saving);
        context.output.print_note_to_stderr(format!(
            "saved {} and its token in {}",
            client.base_url(),
            path.display()
        ));
        context
            .output
            .print_json_if_requested(&LoggedIn { url: client.base_url(), saved: path.display().to_string() });
        Ok(Exit::Done)
    }
}
