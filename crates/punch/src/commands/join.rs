//! `punch join`: makes a host a server of a back-office.

use std::{
    fs,
    path::{Path, PathBuf},
};

use model::{
    exit::Exit,
    name::ServerName,
    wire::{JoinRequest, JoinResponse},
};
use serde::Serialize;

use crate::{
    agent_state::AgentStateFiles,
    api_client::{
        ApiClient, ApiClientError, BearerToken, CaFingerprint, ConnectionWaitArgs,
        fetch_authority_by_fingerprint,
    },
    cli::HostArgs,
    command_context::CommandContext,
    command_error::CommandError,
    host_files::{CA_CERTIFICATES_PATH, HostFileAccess, MEMBERSHIP_PATH, NODE_KEY_PATH, PACKAGE_KEYS_PATH},
    membership::BackOfficeMembership,
    settings::read_token_file_or_stdin,
    trusted_keys,
};

/// Make this host a server of a back-office, with a one-time join token
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch join https://geppetto.example.org --token-file join.token\n  \
    echo \"$TOKEN\" | punch join https://geppetto.example.org --token-file - --server web-01\n\n\
    An operator creates the token: `punch server join-token web-01`. It can be used once.\n\
    Joining again needs a new token and replaces what was saved before.")]
pub(crate) struct JoinArgs {
    /// Address of the back-office
    url: String,
    /// The join token; other users of this machine can see it in `ps`, so better use --token-file
    #[arg(long, conflicts_with = "token_file", required_unless_present = "token_file", value_name = "TOKEN")]
    token: Option<String>,
    /// File that holds the join token; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// This host's name in the back-office; its host name when not given
    #[arg(long, value_name = "NAME")]
    server: Option<ServerName>,
    /// Certificate authorities to trust instead of the public ones, in PEM; kept for later runs
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Fingerprint of the control plane's own certificate authority, as `punch server join-token` shows it; its
    /// certificate is fetched and kept for later runs
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "ca_file")]
    ca_fingerprint: Option<CaFingerprint>,
    #[command(flatten)]
    wait: ConnectionWaitArgs,
    #[command(flatten)]
    host: HostArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct JoinedHost<'a> {
    url: &'a str,
    server: &'a str,
    settings: String,
}

impl JoinArgs {
    pub(super) fn run_join_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let root = self.host.open_host_files()?;
        let server = match &self.server {
            Some(server) => server.clone(),
            None => host_name()?,
        };
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => BearerToken::new(token.trim())?,
            (None, Some(file)) => read_token_file_or_stdin(file)?,
            (None, None) => {
                return Err(CommandError::invalid_input_error(
                    "a join token is needed: give --token-file FILE",
                ));
            }
        };
        let wait = self.wait.new_connection_wait(&context.output);
        let fetched = match &self.ca_fingerprint {
            Some(fingerprint) => Some(fetch_authority_by_fingerprint(&self.url, fingerprint, &wait)?),
            None => None,
        };
        if let Some(file) = &fetched {
            context.interruption.remove_file_if_interrupted(file.path());
        }
        let authorities = fetched.as_ref().map(|file| file.path()).or(self.ca_file.as_deref());
        let client = ApiClient::new(&self.url, None, authorities)?;
        if client.would_send_secrets_unencrypted() {
            context.output.print_warning(format!(
                "{} is not encrypted: who can read the network can read this server's secrets",
                client.base_url()
            ));
        }
        // The token works once: find out that we may write before it is spent.
        prepare(&root)?;
        let state = AgentStateFiles::new(&root);
        let _lock = state.acquire_run_lock_and_set_umask()?;
        let request = JoinRequest { token: token.expose_secret().to_owned(), server: server.to_string() };
        let joined = wait
            .retry_while_refused(client.base_url(), || client.send_join_request(&request))
            .map_err(refused)?;
        save(&root, &client, &joined, authorities)?;
        state.forget_previous_back_office_state()?;
        context.output.print_note_to_stderr(format!(
            "joined {} as {}; `punch restore{}` makes this host what the back-office says",
            client.base_url(),
            joined.server,
            self.host.root_option_text()
        ));
        context.output.print_json_if_requested(&JoinedHost {
            url: client.base_url(),
            server: &joined.server,
            settings: root.display_path(MEMBERSHIP_PATH).display().to_string(),
        });
        Ok(Exit::Done)
    }
}

fn refused(error: ApiClientError) -> CommandError {
    let used = matches!(error.http_status(), Some(401 | 403));
    let failure = CommandError::from(error);
    if used {
        failure.with_hint(
            "a join token works once and not for ever: ask for a new one (`punch server join-token SERVER`)",
        )
    } else {
        failure
    }
}

/// Makes the folders and proves that they can be written to.
fn prepare(root: &HostFileAccess) -> Result<(), CommandError> {
    for file in [MEMBERSHIP_PATH, NODE_KEY_PATH] {
        let probe = format!("{file}.probe");
        root.replace_file(&probe, b"", 0o600)?;
        root.remove_file_if_exists(&probe)?;
    }
    Ok(())
}

/// Writes what the back-office gave: the keys first, so that no run ever has a credential without them.
fn save(
    root: &HostFileAccess,
    client: &ApiClient,
    joined: &JoinResponse,
    authorities: Option<&Path>,
) -> Result<(), CommandError> {
    let strange = |why: String| {
        CommandError::invalid_input_error(format!(
            "{} sent keys that cannot be used: {why}",
            client.base_url()
        ))
        .with_hint("is it a Geppetto back-office of the same version? Nothing was saved")
    };
    let server: ServerName = joined.server.parse().map_err(|error| strange(format!("{error}")))?;
    BearerToken::new(&joined.credential).map_err(|failure| strange(failure.message))?;
    trusted_keys::parse_node_key(&joined.node_key).map_err(&strange)?;
    trusted_keys::parse_package_keys(&joined.package_keys).map_err(&strange)?;
    root.replace_file(NODE_KEY_PATH, format!("{}\n", joined.node_key.trim()).as_bytes(), 0o644)?;
    root.replace_file(PACKAGE_KEYS_PATH, joined.package_keys.as_bytes(), 0o644)?;
    match authorities {
        Some(file) => {
            let pem = fs::read(file).map_err(|error| CommandError::cannot_read_file_error(file, &error))?;
            root.replace_file(CA_CERTIFICATES_PATH, &pem, 0o644)?;
        }
        None => root.remove_file_if_exists(CA_CERTIFICATES_PATH)?,
    }
    BackOfficeMembership { url: client.base_url().to_owned(), server, credential: joined.credential.clone() }
        .save_membership(root)
}

/// The kernel's host name, in lower case as DNS compares it.
fn host_name() -> Result<ServerName, CommandError> {
    let path = Path::new("/proc/sys/kernel/hostname");
    let name =
        fs::read_to_string(path).map_err(|error| CommandError::cannot_read_file_error(path, &error))?;
    name.trim().to_lowercase().parse().map_err(|error| {
        CommandError::invalid_input_error(format!("this machine's host name cannot be used: {error}"))
            .with_hint("give the name the back-office knows it by: `--server NAME`")
    })
}
