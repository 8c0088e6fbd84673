//! `punch login`: remembers a back-office and a token for the verbs of developers and operators.

use std::path::PathBuf;

use model::exit::Exit;
use serde::Serialize;

use crate::{
    client::ApiClient,
    context::CommandContext,
    failure::CommandError,
    settings::{SavedLogin, read_token},
};

/// Save the back-office's address and your API token for later commands
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch login https://geppetto.example.org --token-file token.txt\n\n\
    The token is saved for your eyes only (mode 0600).")]
pub(crate) struct LoginArgs {
    /// Address of the back-office
    url: String,
    /// File that holds the token; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Certificate authorities to trust instead of the public ones, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct LoggedIn<'a> {
    url: &'a str,
    saved: String,
}

impl LoginArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let path = context.settings.as_deref().ok_or_else(|| {
            CommandError::input("this user has no home folder to save a token in")
                .hint("set HOME, or give `--url` and `--token-file` to each command")
        })?;
        let token = read_token(&self.token_file)?;
        let client = ApiClient::new(&self.url, Some(token.clone()), self.ca_file.as_deref())?;
        client.health()?;
        if client.is_unencrypted() {
            context.output.warn(format!(
                "{} is not encrypted: the token can be read on the way",
                client.parse_base_url()
            ));
        }
        let ca_file = match self.ca_file {
            Some(file) => {
                Some(std::path::absolute(&file).map_err(|error| CommandError::reading(&file, &error))?)
            }
            None => None,
        };
        SavedLogin { url: client.parse_base_url().to_owned(), token: token.reveal().to_owned(), ca_file }
            .save(path)?;
        context.output.note(format!("saved {} and its token in {}", client.parse_base_url(), path.display()));
        context.output.json(&LoggedIn { url: client.parse_base_url(), saved: path.display().to_string() });
        Ok(Exit::Done)
    }
}
