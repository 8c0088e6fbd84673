//! The Unix socket of the control plane's own machine: who may open it is the local administrator.
//!
//! The socket lies in the data folder with mode 0600. The kernel names the user of each connection (SO_PEERCRED,
//! unix(7)): root and the user that serves are let in, without a token; the audit log records the user number.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, pin::pin};

use axum::{Extension, Router};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown, service::TowerToHyperService};
use tokio::net::UnixListener;

use crate::{api::UnixSocketPeer, command_error::GeppettoCommandError, serve};

/// The longest path of a socket: unix(7).
const MAX_PATH_BYTES: usize = 107;

/// Binds the socket at `path`. What an ended control plane left there is replaced.
pub(crate) fn bind_local_socket(path: &Path) -> Result<UnixListener, GeppettoCommandError> {
    let failed = |error: io::Error| {
        GeppettoCommandError::from_io_error(
            format!("the socket `{}` could not be made: {error}", path.display()),
            &error,
            "choose a data folder that this user may write to, with --data DIR",
        )
    };
    if path.as_os_str().len() > MAX_PATH_BYTES {
        return Err(GeppettoCommandError::invalid_input_error(format!(
            "the path of the socket `{}` is longer than the {MAX_PATH_BYTES} bytes that the kernel allows",
            path.display()
        ))
        .with_hint("choose a data folder with a shorter path, with --data DIR"));
    }
    match fs::symlink_metadata(path) {
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(GeppettoCommandError::invalid_input_error(format!(
                "another control plane serves from this data folder: it answers on `{}`",
                path.display()
            ))
            .with_hint("end it, or give this one a folder of its own with --data DIR"));
        }
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(_) => {}
    }
    // The folder is 0700: nobody else reaches the socket before its own mode is set.
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Answers requests of the local administrator until `end` is ready, then lets those in progress finish.
pub(crate) async fn serve_local_connections(
    listener: UnixListener,
    router: Router,
    end: impl Future<Output = ()>,
) {
    let own_uid = nix::unistd::geteuid().as_raw();
    let builder = serve::http1_connection_builder();
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                serve::pause_after_failed_accept(&error).await;
                continue;
            }
        };
        let uid = match stream.peer_cred() {
            Ok(peer) if peer.uid() == 0 || peer.uid() == own_uid => peer.uid(),
            Ok(peer) => {
                tracing::warn!(
                    uid = peer.uid(),
                    "a connection through the socket is refused: neither root nor the serving user"
                );
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection through the socket is refused: its user is not known");
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(UnixSocketPeer { uid })));
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection through the socket ended early");
            }
        });
    }
    drop(listener);
    serve::shut_down_gracefully_with_timeout(graceful).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn socket_is_private_and_an_old_one_is_replaced_but_not_one_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("geppetto.sock");
        let first = bind_local_socket(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = bind_local_socket(&path).unwrap_err().to_string();
        assert!(error.contains("another control plane serves"), "{error}");
        drop(first);
        bind_local_socket(&path).unwrap();
        let long = folder.path().join("x".repeat(120));
        assert!(bind_local_socket(&long).unwrap_err().to_string().contains("longer than the 107 bytes"));
    }
}
