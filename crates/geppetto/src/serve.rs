//! The HTTP server: accepts connections, limits each, and shuts down gracefully.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tower_http::add_extension::AddExtension;

pub(crate) use crate::connections::ConnectionLimits;
use crate::connections::{ConnectionSlots, TcpPeer, WriteTimeoutStream};

/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// How large the head of a request may be.
const HEAD_BYTES: usize = 64 * 1024;
/// How long a client may take to agree on TLS.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// The first byte of a TLS connection: a record of the type handshake (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// How long requests in progress may take after a shutdown signal.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Answers requests until `end` is ready, then lets those in progress finish. Speaks TLS if it is given.
pub(crate) async fn serve_tcp_connections(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: ConnectionLimits,
    end: impl Future<Output = ()>,
) {
    let slots = Arc::new(ConnectionSlots::new(limits));
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after_failed_accept(&error).await;
                continue;
            }
        };
        let Some(slot) = slots.try_acquire_connection_slot(address.ip()) else {
            // Hanging up at once keeps the queue moving for those who are still let in.
            tracing::debug!(%address, "a connection is refused: all slots of its address are taken");
            continue;
        };
        let _ = stream.set_nodelay(true);
        let peer = TcpPeer { address: address.ip() };
        let service = AddExtension::new(router.clone(), peer);
        let connection = serve_connection(stream, tls.clone(), service, limits, graceful.watcher());
        tokio::spawn(async move {
            // Client errors are logged at debug level: they need no action here.
            if let Err(error) = connection.await {
                tracing::debug!(%error, %address, "a connection ended early");
            }
            drop(slot);
        });
    }
    drop(listener);
    shut_down_gracefully_with_timeout(graceful).await;
}

/// Answers the requests of one connection.
async fn serve_connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    service: AddExtension<Router, TcpPeer>,
    limits: ConnectionLimits,
    watcher: Watcher,
) -> io::Result<()> {
    let Some(tls) = tls else {
        return serve_requests(WriteTimeoutStream::new(stream, limits.stalled_for), service, watcher).await;
    };
    let handshake = async {
        let mut first = [0];
        match stream.peek(&mut first).await? {
            1 if first[0] != TLS_HANDSHAKE => {
                answer_that_tls_is_spoken(stream).await?;
                Err(io::Error::other("it does not speak TLS"))
            }
            _ => tls.accept(WriteTimeoutStream::new(stream, limits.stalled_for)).await,
        }
    };
    let stream = tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await??;
    serve_requests(stream, service, watcher).await
}

async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: AddExtension<Router, TcpPeer>,
    watcher: Watcher,
) -> io::Result<()> {
    let service = TowerToHyperService::new(service);
    let connection = http1_connection_builder().serve_connection(TokioIo::new(stream), service);
    watcher.watch(connection).await.map_err(io::Error::other)
}

/// Answers a client that sent a plain request to a port that speaks TLS: else it would see nothing but a closed connection.
async fn answer_that_tls_is_spoken(mut stream: TcpStream) -> io::Result<()> {
    let body = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"this port speaks TLS: write https:// instead of http://"}"#;
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await?;
    // What was sent is read, or the answer could be lost with the connection.
    tokio::io::copy(&mut (&mut stream).take(HEAD_BYTES as u64), &mut tokio::io::sink()).await.map(drop)
}

/// HTTP/1 with bounded heads.
pub(crate) fn http1_connection_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES);
    builder
}

/// Waits a moment after a connection could not be accepted.
pub(crate) async fn pause_after_failed_accept(error: &std::io::Error) {
    // Out of file descriptors, most often: closing connections will free some.
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Lets requests in progress finish, for a while.
pub(crate) async fn shut_down_gracefully_with_timeout(graceful: GracefulShutdown) {
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(END_WITHIN) => {
            tracing::warn!("requests still in progress after {} s are cut off", END_WITHIN.as_secs());
        }
    }
}

/// Is ready when the program is asked to end: SIGTERM or SIGINT. Listens from now on, not only once it is waited for.
pub(crate) fn wait_for_shutdown_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            tracing::warn!("signals cannot be listened for; the program ends only when it is killed");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Ipv4Addr, SocketAddr, TcpStream},
    };

    use axum::routing::get;

    use super::*;

    /// A server of these limits with a large answer, a small one and one that is a bug of ours.
    async fn started(limits: ConnectionLimits) -> SocketAddr {
        let router = Router::new()
            .route("/large", get(async || "x".repeat(32 << 20)))
            .route("/small", get(async || "here"))
            .route("/bug", get(async || -> &'static str { panic!("a bug in a request") }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_tcp_connections(listener, None, router, limits, std::future::pending()));
        address
    }

    fn ask(address: SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let _ = write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream
    }

    /// What is answered; empty when it hangs up.
    async fn answer(address: SocketAddr, path: &'static str) -> String {
        let reading = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            let _ = ask(address, path).read_to_string(&mut text);
            text
        });
        reading.await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn readers_that_do_not_read_are_hung_up_on_and_hold_no_more_than_their_share() {
        let stalled_for = Duration::from_millis(1500);
        let limits = ConnectionLimits { connections: 8, per_address: 3, local: 0, stalled_for };
        let address = started(limits).await;
        let stalled: Vec<TcpStream> = (0..3).map(|_| ask(address, "/large")).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(answer(address, "/small").await, "", "a fourth of the same address is refused");
        tokio::time::sleep(2 * stalled_for).await;
        assert!(answer(address, "/small").await.ends_with("here"), "the places are free again");
        drop(stalled);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn panicking_request_does_not_affect_other_requests() {
        let address = started(ConnectionLimits::default()).await;
        let before = std::panic::take_hook();
        crate::panic_hook::install_bug_report_panic_hook(crate::panic_hook::PanicReaction::GoOn);
        assert_eq!(answer(address, "/bug").await, "");
        std::panic::set_hook(before);
        assert!(answer(address, "/small").await.ends_with("here"));
    }
}
