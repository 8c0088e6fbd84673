//! Which control plane a verb asks, and with what token.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use model::exit::Exit;

use super::{Setting, SettingCandidate, SettingSource, SettingsResolver};
use crate::{
    api_client::{ApiClient, BearerToken},
    command_context::CommandContext,
    command_error::CommandError,
};

/// Options of the verbs that ask a control plane.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ControlPlaneArgs {
    /// Address of the control plane [env: PUNCH_URL] [config: url]
    #[arg(long, value_name = "URL", conflicts_with = "socket")]
    url: Option<String>,
    /// Unix socket of the control plane on this machine, which needs no token [env: PUNCH_SOCKET] [config: socket]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// File that holds an API token; `-` reads it from stdin [env: PUNCH_TOKEN_FILE] [config: token_file]
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    token_file: Option<PathBuf>,
    /// Certificate authorities to trust instead of the public ones, in PEM [env: PUNCH_CA_FILE] [config: ca_file]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl ControlPlaneArgs {
    /// The option of a setting, when it was given.
    pub(crate) fn option_value_of_setting(&self, setting: Setting) -> Option<String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        match setting {
            Setting::Url => self.url.clone(),
            Setting::Socket => path(&self.socket),
            Setting::TokenFile => path(&self.token_file),
            Setting::CaFile => path(&self.ca_file),
            _ => None,
        }
    }

    /// A client of the control plane that the settings name.
    pub(crate) fn new_api_client(&self, context: &CommandContext) -> Result<ApiClient, CommandError> {
        let settings = SettingsResolver::new_with_config_file(context)?;
        let first = |setting| {
            settings
                .list_candidates_of_setting(setting, self.option_value_of_setting(setting))
                .into_iter()
                .next()
        };
        // Whoever names a token does not want to be the local administrator instead: the default socket does
        // not count then.
        let token_named = [first(Setting::Token), first(Setting::TokenFile)]
            .iter()
            .flatten()
            .any(|token| !matches!(token.source, SettingSource::File { .. }));
        let socket = first(Setting::Socket)
            .filter(|socket| !(token_named && matches!(socket.source, SettingSource::Default)));
        let Some(address) = stronger(first(Setting::Url), socket, "unix:") else {
            return Err(no_control_plane_error(context));
        };
        if address.value.starts_with("unix:") {
            // The control plane knows who connects to its socket; a token would be for another address.
            return ApiClient::new(&address.value, None, None);
        }
        let token = match (first(Setting::Token), first(Setting::TokenFile)) {
            (Some(token), file)
                if file.as_ref().is_none_or(|file| {
                    token.source.precedence_of_source() <= file.source.precedence_of_source()
                }) =>
            {
                self.usable(&settings, &address, &token)
                    .then(|| BearerToken::new(token.value.trim()))
                    .transpose()
                    .map_err(|failure| {
                        CommandError::invalid_input_error(format!("{}: {}", token.source, failure.message))
                    })?
            }
            (_, Some(file)) => self
                .usable(&settings, &address, &file)
                .then(|| read_token_file_or_stdin(Path::new(&file.value)))
                .transpose()?,
            _ => None,
        };
        let authorities = first(Setting::CaFile).map(|file| PathBuf::from(file.value));
        ApiClient::new(&address.value, token, authorities.as_deref())
    }

    /// Whether a token may be sent to `address`: one of the configuration file goes only to the address
    /// of the same file.
    fn usable(
        &self,
        settings: &SettingsResolver<'_>,
        address: &SettingCandidate,
        token: &SettingCandidate,
    ) -> bool {
        let saved = settings.config_file().and_then(|file| file.get_setting(Setting::Url));
        !matches!(token.source, SettingSource::File { .. })
            || saved.is_some_and(|saved| same_address(&saved.value, &address.value))
    }
}

/// No setting names a control plane: says whether there is one on this machine, and why it is not asked.
fn no_control_plane_error(context: &CommandContext) -> CommandError {
    const ELSEWHERE: &str = "`punch login URL --token-file FILE`";
    let data = context.local_control_plane_data_folder();
    let socket = context.local_control_plane_socket_path();
    match std::os::unix::net::UnixStream::connect(&socket) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            CommandError::invalid_input_error(format!(
                "no control plane is configured (`--url`, PUNCH_URL), and the one in {} accepts only root and the user it runs as",
                data.display()
            ))
            .with_hint(format!("run it with `sudo`, or have a token made for you (`punch token create`) and use {ELSEWHERE}"))
        }
        Err(_) if data.exists() => CommandError::new(
            Exit::Unreachable,
            format!("the control plane of {} does not run: nothing answers at {}", data.display(), socket.display()),
        )
        .with_hint(format!(
            "start it: `systemctl start geppetto` if it is the service of the package, else `geppetto serve --data {}`; \
             for a control plane on another machine use {ELSEWHERE}",
            data.display()
        )),
        // One that runs here is not asked when a token was named: a token is for an address.
        _ => CommandError::invalid_input_error("no control plane is configured").with_hint(format!(
            "give `--url URL` and `--token-file FILE`, or save both once with {ELSEWHERE}; `punch config` shows all settings"
        )),
    }
}

/// The candidate of the stronger source; the second one's value gets `prefix`.
fn stronger(
    first: Option<SettingCandidate>,
    second: Option<SettingCandidate>,
    prefix: &str,
) -> Option<SettingCandidate> {
    let second = second
        .map(|second| SettingCandidate { value: format!("{prefix}{}", second.value), source: second.source });
    match (first, second) {
        (Some(first), Some(second))
            if second.source.precedence_of_source() < first.source.precedence_of_source() =>
        {
            Some(second)
        }
        (first, second) => first.or(second),
    }
}

fn same_address(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Reads a token from a file, or from stdin when it is `-`.
pub(crate) fn read_token_file_or_stdin(file: &Path) -> Result<BearerToken, CommandError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(64 * 1024).read_to_string(&mut text))
    };
    read.map_err(|error| CommandError::cannot_read_file_error(file, &error))?;
    BearerToken::new(text.trim()).map_err(|failure| {
        CommandError::invalid_input_error(format!("{}: {}", file.display(), failure.message))
            .with_hint("the file must hold the token and nothing else")
    })
}
