//! `geppetto serve`: serves the API and the repository until a shutdown signal, and runs jobs.

use std::{
    ffi::OsString,
    fs,
    io::{self, IsTerminal as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::wire::ControlPlaneAddress;
use tokio::{net::TcpListener, sync::watch};

use super::{GeppettoCommandContext, init, storage_args::DatabaseAndRepositoryArgs, tls_args::TlsArgs};
use crate::{
    api::{self, ApiState},
    backoffice::BackOffice,
    command_error::GeppettoCommandError,
    jobs::{self, RepositoryReconcilerSettings},
    local_socket, output, serve, service_manager,
    serving_lock::{ServingLock, describe_listener},
};

/// Serve the API and the repository
///
/// Makes what is missing of the data folder, as `geppetto init` does. Prints its URL on stdout when it is
/// ready. Ends on SIGTERM and SIGINT, after the requests in progress. Several may serve from one database of
/// PostgreSQL and one shared repository folder, each with a data folder of its own that has the same keys.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto serve --data /var/lib/geppetto-data --listen 0.0.0.0:8700 \\\n    \
                        --advertise https://geppetto.example.org:8700"
)]
pub(crate) struct ServeArgs {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "GEPPETTO_LISTEN", default_value = "127.0.0.1:8700", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The URL clients reach it by, needed behind a proxy; the mirrorlists name it. By default servers get the
    /// address (of 0.0.0.0 the host's name), and each mirrorlist names the host that the request did
    #[arg(long, env = "GEPPETTO_ADVERTISE", value_name = "URL", value_parser = url)]
    advertise: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    storage: DatabaseAndRepositoryArgs,
    /// How many of the newest versions of each component are kept, with those that node files need; all if not given
    #[arg(long, env = "GEPPETTO_KEEP_VERSIONS", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    keep_versions: Option<u32>,
    /// Every how many hours the whole repository is checked for damage; 0 for never
    #[arg(long, env = "GEPPETTO_CHECK_REPOSITORY_HOURS", default_value_t = 24, value_name = "HOURS")]
    check_repository_hours: u32,
    /// The largest package accepted, in MiB
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    max_package_size: u64,
    /// Write the URL to this file when ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// What to log on stderr: error, warn, info, debug
    #[arg(long, env = "GEPPETTO_LOG", default_value = "info", value_name = "LEVEL")]
    log: tracing::level_filters::LevelFilter,
    /// Where the service manager waits until it is ready; systemd sets the variable
    #[arg(long, env = "NOTIFY_SOCKET", hide = true, value_name = "SOCKET")]
    notify_socket: Option<OsString>,
}

/// The address is given to servers unchanged: one they cannot use is refused.
fn url(text: &str) -> Result<String, String> {
    let known = text.parse::<axum::http::Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    });
    let text = text.trim_end_matches('/');
    match known {
        true => Ok(text.to_owned()),
        false => Err("write it like https://geppetto.example.org or http://10.0.0.5:8700".to_owned()),
    }
}

impl ServeArgs {
    /// Runs the command.
    pub(crate) async fn run_serve_command(
        self,
        context: &GeppettoCommandContext,
    ) -> Result<(), GeppettoCommandError> {
        tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_max_level(self.log)
            .with_ansi(false)
            .with_target(false)
            .init();
        let folder = self.storage.locate_and_check_data_folder(context, "serve")?;
        // Said before the port is bound: the folder is what matters, and the port is most likely that of the same one.
        let lock = ServingLock::acquire_if_folder_exists(&folder)?;
        let listener = TcpListener::bind(self.listen).await.map_err(|error| occupied(self.listen, &error))?;
        let address = listener.local_addr().map_err(|error| {
            GeppettoCommandError::operation_failed_error(format!(
                "{} is not an address: {error}",
                self.listen
            ))
        })?;
        let (data, back_office) = init::open_or_create_control_plane(
            context,
            &self.storage,
            &init::default_channel_names(),
            "serve",
        )
        .await?;
        let _lock = match lock {
            None => ServingLock::acquire_if_folder_exists(&data)?,
            held => held,
        };
        let nobody_can_log_in = back_office.create_first_user_and_check_nobody_can_log_in().await?;
        let back_office = Arc::new(back_office);
        tokio::spawn({
            let back_office = Arc::clone(&back_office);
            async move {
                back_office.preload_catalog().await;
                back_office.preload_shared_places().await;
            }
        });
        // Installed before readiness is announced, because a shutdown signal may come at once.
        let signal = serve::wait_for_shutdown_signal();
        let (end, ending) = watch::channel(false);
        let tls = self
            .tls
            .new_server_tls_unless_plain(&data, address, self.advertise.as_deref(), &context.clock)?
            .map(Arc::new);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = self.advertise.clone().unwrap_or_else(|| format!("{scheme}://{}", reached_at(address)));
        let ca_fingerprint = tls.as_ref().and_then(|tls| tls.own_authority_fingerprint());
        let app = ApiState::new(
            Arc::clone(&back_office),
            self.max_package_size.saturating_mul(1024 * 1024),
            self.advertise,
            ControlPlaneAddress { url: url.clone(), ca_fingerprint: ca_fingerprint.clone() },
            ending.clone(),
        );
        let router = api::build_router(app);
        let socket = data.socket_path();
        let local = local_socket::bind_local_socket(&socket)?;
        let local =
            tokio::spawn(local_socket::serve_local_connections(local, router.clone(), ended(ending.clone())));
        let schedule = RepositoryReconcilerSettings {
            check_repository_every: Some(self.check_repository_hours).filter(|hours| *hours > 0),
            keep_versions: self.keep_versions,
        };
        let owner = worker_name(address);
        let workers: Vec<_> = (0..WORKERS)
            .map(|n| {
                let owner = format!("{owner} worker {n}");
                tokio::spawn(jobs::run_job_worker(Arc::clone(&back_office), owner, schedule, ending.clone()))
            })
            .collect();

        if nobody_can_log_in {
            say_how_to_log_in(&back_office, &url).await?;
        }
        let place = data.url_file_path();
        write(&place, &url)?;
        if let Some(file) = &self.ready_file {
            write(file, &url)?;
        }
        match context.json {
            true => output::print_line(
                &serde_json::json!({"url": url, "ca_fingerprint": ca_fingerprint}).to_string(),
            ),
            false => output::print_line(&url),
        }
        if let Some(fingerprint) = ca_fingerprint {
            tracing::info!(%fingerprint, "TLS with a certificate of its own authority; `punch login` and `punch join` take --ca-fingerprint");
        }
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        if let Some(tls) = tls {
            tokio::spawn(async move { tls.keep_certificate_current().await });
        }
        tracing::info!(%url, data = %data.folder_path().display(), database = %data.database_location(), "ready");
        if let Some(socket) = &self.notify_socket
            && let Err(error) = service_manager::notify_ready(socket)
        {
            tracing::warn!(%error, socket = %socket.display(), "the service manager could not be told that it is ready");
        }
        let announce = async {
            signal.await;
            let _ = end.send(true);
        };
        serve::serve_tcp_connections(
            listener,
            acceptor,
            router,
            serve::ConnectionLimits::default(),
            announce,
        )
        .await;
        let _ = local.await;
        for worker in workers {
            let _ = worker.await;
        }
        let _ = fs::remove_file(place);
        let _ = fs::remove_file(socket);
        back_office.close_database().await;
        tracing::info!("ended");
        Ok(())
    }
}

/// Says how the first person gets to the pages. The link is for a person's eyes: it goes to a terminal, and to no log.
async fn say_how_to_log_in(back_office: &BackOffice, url: &str) -> Result<(), GeppettoCommandError> {
    match io::stderr().is_terminal() {
        true => {
            let link = back_office.create_password_link_of_first_user(url).await?;
            output::print_note(&format!(
                "nobody can log in yet: open {} to set the password of `{}` (good once, for a day)",
                link.url, link.user
            ));
        }
        false => tracing::info!(
            "nobody can log in yet: `punch user password-link admin`, typed as root on this machine, prints a link with \
             which the first password is set"
        ),
    }
    Ok(())
}

/// How many jobs a control plane runs at once: a long one does not keep a short one waiting.
const WORKERS: usize = 2;

/// Is ready when the program is asked to end.
async fn ended(mut ending: watch::Receiver<bool>) {
    let _ = ending.wait_for(|end| *end).await;
}

/// The name a control plane takes jobs under: no other process has it, now or later.
fn worker_name(address: SocketAddr) -> String {
    let random: u64 = rand::random();
    format!("{} pid {} {random:016x}", reached_at(address), std::process::id())
}

/// What others reach this address by: all addresses of a machine have its name.
fn reached_at(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.to_string();
    }
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("localhost");
    format!("{name}:{}", address.port())
}

/// Writes a file whole or not at all: who waits for it never reads half a URL.
fn write(path: &Path, url: &str) -> Result<(), GeppettoCommandError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let written = || {
        fs::write(&aside, format!("{url}\n"))?;
        fs::rename(&aside, path)
    };
    written().map_err(|error: io::Error| {
        let message = format!("`{}` could not be written: {error}", path.display());
        GeppettoCommandError::from_io_error(message, &error, "name a file that this user may write to")
    })
}

fn occupied(address: SocketAddr, error: &io::Error) -> GeppettoCommandError {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let listener = describe_listener(address);
            GeppettoCommandError::invalid_input_error(format!("{listener} listens on {address} already"))
                .with_hint(format!(
                    "end it (`ss -ltnp 'sport = :{}'` names it) or choose another address with --listen",
                    address.port()
                ))
        }
        io::ErrorKind::PermissionDenied => {
            GeppettoCommandError::invalid_input_error(format!("this user may not listen on {address}"))
                .with_hint(
                    "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose another one with --listen",
                )
        }
        io::ErrorKind::AddrNotAvailable => {
            GeppettoCommandError::invalid_input_error(format!("{address} is not an address of this machine"))
                .with_hint("`ip address` shows its addresses; 0.0.0.0 listens on all of them")
        }
        _ => GeppettoCommandError::invalid_input_error(format!("cannot listen on {address}: {error}")),
    }
}
