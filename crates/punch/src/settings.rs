//! Which back-office a person works with, and with what token: options, environment, then `punch login`.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use model::format::yaml;
use serde::{Deserialize, Serialize};

use crate::{
    client::{ApiClient, BearerToken},
    failure::CommandError,
    root,
};

/// Options of the verbs that talk to the back-office for a person.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoteArgs {
    /// Address of the back-office; else what `punch login` saved
    #[arg(long, env = "PUNCH_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// File that holds an API token (`-` reads it from stdin); else what `punch login` saved
    #[arg(long, env = "PUNCH_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate authorities to trust instead of the public ones, in PEM
    #[arg(long, env = "PUNCH_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// `~/.config/geppetto/client.yaml`, as `punch login` wrote it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedLogin {
    /// The back-office's address.
    pub(crate) url: String,
    /// An API token.
    pub(crate) token: String,
    /// Certificate authorities to trust, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
}

impl SavedLogin {
    /// Reads what `punch login` saved, if it did.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, CommandError> {
        match root::read_if_there(path)? {
            Some(text) => Ok(Some(yaml::read(&path.display().to_string(), &text)?)),
            None => Ok(None),
        }
    }

    /// Saves it, for its owner's eyes only.
    pub(crate) fn save(&self, path: &Path) -> Result<(), CommandError> {
        if let Some(folder) = path.parent() {
            root::private_folder(folder)?;
        }
        root::replace(path, yaml::write(self).as_bytes(), 0o600)
    }
}

impl RemoteArgs {
    /// A client for the back-office that was named, or that `punch login` saved in `saved`.
    pub(crate) fn client(&self, saved: Option<&Path>) -> Result<ApiClient, CommandError> {
        let saved = match saved {
            Some(path) if self.url.is_none() || self.token_file.is_none() => SavedLogin::load(path)?,
            _ => None,
        };
        let url = match (&self.url, &saved) {
            (Some(url), _) => url.clone(),
            (None, Some(saved)) => saved.url.clone(),
            (None, None) => {
                return Err(CommandError::input("no back-office is named")
                    .hint("give `--url URL` and `--token-file FILE`, or save both once with `punch login URL --token-file FILE`"));
            }
        };
        // A saved token is for the saved address, and is never shown to another one.
        let token = match (&self.token_file, &saved) {
            (Some(file), _) => Some(read_token(file)?),
            (None, Some(saved)) if same_place(&saved.url, &url) => Some(BearerToken::new(&saved.token)?),
            _ => None,
        };
        let authorities = self.ca_file.clone().or_else(|| saved.and_then(|saved| saved.ca_file));
        ApiClient::new(&url, token, authorities.as_deref())
    }
}

fn same_place(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Reads a token from a file, or from stdin when it is `-`.
pub(crate) fn read_token(file: &Path) -> Result<BearerToken, CommandError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(64 * 1024).read_to_string(&mut text))
    };
    read.map_err(|error| CommandError::reading(file, &error))?;
    BearerToken::new(text.trim()).map_err(|failure| {
        CommandError::input(format!("{}: {}", file.display(), failure.message))
            .hint("the file must hold the token and nothing else")
    })
}
