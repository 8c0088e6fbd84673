//! `geppetto serve`: serves the API and the repository over HTTP until a shutdown signal.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::TcpListener;

use super::{DaemonContext, init};
use crate::{
    api::{self, ApiState},
    daemon_error::DaemonError,
    data_folder::DataFolder,
    output, serve,
};

/// Serve the API and the repository
///
/// Makes what is missing of the data folder, as `geppetto init` does. Prints its URL on stdout when it is
/// ready. Ends on SIGTERM and SIGINT, after the requests in progress.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto serve --data /var/lib/geppetto --listen 0.0.0.0:8080 \\\n    \
                        --advertise http://geppetto.example.org:8080")]
pub struct Serve {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "GEPPETTO_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The URL clients reach it by, needed behind a proxy; the mirrorlists name it. By default servers get the
    /// address (of 0.0.0.0 the host's name), and each mirrorlist names the host that the request did
    #[arg(long, env = "GEPPETTO_ADVERTISE", value_name = "URL", value_parser = url)]
    advertise: Option<String>,
    /// The largest package accepted, in MiB
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    max_package_size: u64,
    /// Write the URL to this file when ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// What to log on stderr: error, warn, info, debug
    #[arg(long, env = "GEPPETTO_LOG", default_value = "info", value_name = "LEVEL")]
    log: tracing::level_filters::LevelFilter,
}

/// The address is given to servers unchanged: one they cannot use is refused.
fn url(text: &str) -> Result<String, String> {
    let known = text.parse::<axum::http::Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    });
    let text = text.trim_end_matches('/');
    match known {
        true => Ok(text.to_owned()),
        false => Err("write it like https://geppetto.example.org or http://10.0.0.5:8080".to_owned()),
    }
}

impl Serve {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_max_level(self.log)
            .with_ansi(false)
            .with_target(false)
            .init();
        let listener = TcpListener::bind(self.listen).await.map_err(|error| occupied(self.listen, &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| DaemonError::failed(format!("{} is not an address: {error}", self.listen)))?;
        let back_office = init::create_control_plane(context, &init::default_channels()).await?;
        let data = back_office.data.clone();
        let mut app = ApiState::new(Arc::new(back_office), self.max_package_size.saturating_mul(1024 * 1024));
        app.advertised_url.clone_from(&self.advertise);
        let url = self.advertise.unwrap_or_else(|| format!("http://{}", reached_at(address)));
        let router = api::router(app.clone());

        // Installed before readiness is announced, because a shutdown signal may come at once.
        let end = serve::shutdown_signal();
        let place = place(&data);
        // Locked for as long as this runs: what a killed program left behind is not.
        let _running = write(&place, &url)?;
        if let Some(file) = &self.ready_file {
            write(file, &url)?;
        }
        output::line(&url);
        tracing::info!(%url, data = %data.root().display(), "ready");
        serve::serve(listener, router, serve::ConnectionLimits::default(), end).await;
        let _ = fs::remove_file(place);
        app.back_office.store.close().await;
        tracing::info!("ended");
        Ok(())
    }
}

/// The file in which a running control plane stores its URL.
fn place(data: &DataFolder) -> PathBuf {
    data.root().join("serve.url")
}

/// The URL of the control plane that runs on this folder, if one does.
pub fn running_at(data: &DataFolder) -> Option<String> {
    let mut file = File::open(place(data)).ok()?;
    if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let mut url = String::new();
    file.read_to_string(&mut url).ok()?;
    Some(url.trim().to_owned())
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

/// Writes a file whole or not at all: who waits for it never reads half a URL. It is locked until it is dropped.
fn write(path: &Path, url: &str) -> Result<File, DaemonError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let written = || {
        let mut file = File::create(&aside)?;
        file.write_all(format!("{url}\n").as_bytes())?;
        file.lock()?;
        fs::rename(&aside, path)?;
        Ok(file)
    };
    written().map_err(|error: io::Error| {
        DaemonError::input(format!("`{}` could not be written: {error}", path.display()))
    })
}

fn occupied(address: SocketAddr, error: &io::Error) -> DaemonError {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            DaemonError::input(format!("another program listens on {address} already")).with_hint(format!(
                "end it (`ss -ltnp 'sport = :{}'` names it) or choose another address with --listen",
                address.port()
            ))
        }
        io::ErrorKind::PermissionDenied => DaemonError::input(format!(
            "this user may not listen on {address}"
        ))
        .with_hint("ports below 1024 need root or CAP_NET_BIND_SERVICE; choose another one with --listen"),
        io::ErrorKind::AddrNotAvailable => {
            DaemonError::input(format!("{address} is not an address of this machine"))
                .with_hint("`ip address` shows its addresses; 0.0.0.0 listens on all of them")
        }
        _ => DaemonError::input(format!("cannot listen on {address}: {error}")),
    }
}
