//! Uploads: a body is written to the disk as it arrives, never held whole, and no thread waits for the client.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
    middleware::Next,
    response::Response,
};
use hyper::body::Frame;
use packaging::repository::{PackageUpload, RepositoryError};
use tokio::time::sleep;
use tokio_stream::StreamExt as _;

use super::problem::ProblemResponse;
use crate::backoffice::BackOfficeError;

/// How long the rest of a refused body is still taken, so that the client gets to read the refusal.
const COURTESY: Duration = Duration::from_secs(5);

/// So much of a body is collected before it is written: a client that sends little by little costs few writes.
const PIECE_BYTES: usize = 256 * 1024;
/// How fast a body must come: an upload that trickles holds a slot and a connection for hours.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadPace {
    /// How long the client is watched before it is judged.
    window: Duration,
    /// How much must come in that time.
    least_bytes: usize,
}

impl Default for UploadPace {
    fn default() -> Self {
        // A modem of the last century sends three times as much.
        Self { window: Duration::from_secs(30), least_bytes: 30 * 1024 }
    }
}

/// Why a body was not taken whole.
#[derive(Debug)]
pub(super) enum UploadBodyError {
    /// It came too slowly.
    TooSlow(RepositoryError),
    /// It broke off, is too large, or could not be written.
    Refused(RepositoryError),
}

impl From<RepositoryError> for UploadBodyError {
    fn from(error: RepositoryError) -> Self {
        Self::Refused(error)
    }
}

impl From<UploadBodyError> for ProblemResponse {
    fn from(error: UploadBodyError) -> Self {
        match error {
            UploadBodyError::TooSlow(error) => Self::too_slow(error.to_string()),
            UploadBodyError::Refused(error) => BackOfficeError::from(error).into(),
        }
    }
}

/// Writes a body to an upload as it comes. No thread waits for the client meanwhile. Fails when the body is cut off, or
/// comes too slowly.
pub(super) async fn write_body_to_upload(
    body: Body,
    mut upload: PackageUpload,
    pace: UploadPace,
) -> Result<PackageUpload, UploadBodyError> {
    let mut pieces = pin!(body.into_data_stream());
    let mut window = pin!(sleep(pace.window));
    let mut came = 0;
    let mut collected = Vec::with_capacity(PIECE_BYTES);
    loop {
        let piece = tokio::select! {
            biased;
            piece = pieces.next() => piece,
            () = &mut window => {
                if came < pace.least_bytes {
                    return Err(UploadBodyError::TooSlow(upload.broken_off_error(too_slow_error(came, pace))));
                }
                came = 0;
                window.set(sleep(pace.window));
                continue;
            }
        };
        let piece = piece.transpose().map_err(|error| upload.broken_off_error(io::Error::other(error)))?;
        let is_last = piece.is_none();
        let piece = piece.unwrap_or_default();
        came += piece.len();
        collected.extend_from_slice(&piece);
        if collected.len() >= PIECE_BYTES || is_last {
            let write = move || {
                upload.write_next_bytes(&collected)?;
                collected.clear();
                Ok::<_, RepositoryError>((upload, collected))
            };
            let written = tokio::task::spawn_blocking(write).await;
            (upload, collected) = written.map_err(|error| RepositoryError::Upload {
                file: "the upload".to_owned(),
                why: io::Error::other(error),
            })??;
            // The client is not to blame for the time that writing took.
            came = 0;
            window.set(sleep(pace.window));
        }
        if is_last {
            return Ok(upload);
        }
    }
}

fn too_slow_error(came: usize, pace: UploadPace) -> io::Error {
    let text = format!(
        "only {came} bytes came in {} seconds, and at least {} must come in that time",
        pace.window.as_secs_f32(),
        pace.least_bytes
    );
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// Takes the rest of a refused body, so that the client is not cut off before it gets to read the refusal.
///
/// A client that sent `Expect: 100-continue` has sent no body: nothing is drained.
pub(super) async fn drain_refused_body(request: Request, next: Next) -> Response {
    let asked_first = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let shared = Body::new(Shared(Arc::clone(&body)));
    let response = next.run(Request::from_parts(head, shared)).await;
    if !response.status().is_success() && !asked_first {
        let mut rest = Body::new(Shared(body));
        let rest = async { while let Some(Ok(_)) = self::next(&mut rest).await {} };
        let _ = tokio::time::timeout(COURTESY, rest).await;
    }
    response
}

/// A body that two hold, one after the other.
struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }
}

async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
            Ok(frame) => match frame.into_data() {
                Ok(bytes) => return Some(Ok(bytes)),
                // Trailers are ignored.
                Err(_) => continue,
            },
            Err(error) => return Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, SocketAddr, TcpStream},
    };

    use axum::{Router, middleware, routing::put};
    use packaging::{openpgp::SecretKey, repository::Repository};
    use tokio::net::TcpListener;

    use super::*;
    use crate::serve::{ConnectionLimits, serve_tcp_connections};

    fn upload(folder: &std::path::Path, limit: u64) -> PackageUpload {
        let key = SecretKey::generate_secret_key("Repository <r@example.org>", 1_800_000_000).unwrap();
        let repository = Repository::create_repository(folder, key).unwrap();
        repository.begin_package_upload("shop-1.0-1.noarch.rpm", limit).unwrap()
    }

    #[tokio::test]
    async fn body_that_is_cut_off_or_too_long_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        let pieces = [Ok("half of it"), Err(io::Error::other("the connection is gone"))];
        let body = Body::from_stream(tokio_stream::iter(pieces));
        let error = write_body_to_upload(body, upload(&root, 100), UploadPace::default()).await.unwrap_err();
        assert!(format!("{error:?}").contains("the connection is gone"), "{error:?}");
        assert_eq!(std::fs::read_dir(root.join("incoming")).unwrap().count(), 0);
        let other = folder.path().join("other");
        let body = Body::from("x".repeat(101));
        let error = write_body_to_upload(body, upload(&other, 100), UploadPace::default()).await.unwrap_err();
        let UploadBodyError::Refused(error) = error else { panic!("{error:?}") };
        assert!(error.to_string().contains("larger than the 100 bytes"), "{error}");
    }

    /// An upload endpoint of this pace behind a real socket.
    async fn started(folder: &std::path::Path, pace: UploadPace) -> SocketAddr {
        let upload = Arc::new(Mutex::new(Some(upload(&folder.join("repository"), 1 << 20))));
        let take = async move |body: Body| {
            let upload = upload.lock().unwrap().take().unwrap();
            write_body_to_upload(body, upload, pace).await.map(|_| "taken").map_err(ProblemResponse::from)
        };
        let router = Router::new().route("/", put(take)).layer(middleware::from_fn(drain_refused_body));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = ConnectionLimits::default();
        tokio::spawn(serve_tcp_connections(listener, None, router, limits, std::future::pending()));
        address
    }

    /// Sends ten pieces with a pause after each; the answer.
    fn send(address: SocketAddr, piece: &[u8], pause: Duration) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "PUT / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            piece.len() * 10
        )
        .unwrap();
        for _ in 0..10 {
            // The other end may have hung up already.
            let _ = stream.write_all(piece);
            std::thread::sleep(pause);
        }
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn trickling_upload_is_ended_with_408_and_a_slow_one_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let pace = UploadPace { window: Duration::from_secs(1), least_bytes: 100 };
        let pause = Duration::from_millis(250);
        for (piece, expected) in [(&[0; 10][..], "HTTP/1.1 408 "), (&[0; 400][..], "HTTP/1.1 200 ")] {
            let address = started(&folder.path().join(piece.len().to_string()), pace).await;
            let answer = tokio::task::spawn_blocking(move || send(address, piece, pause)).await.unwrap();
            assert!(answer.starts_with(expected), "{answer}");
            let said =
                "bytes came in 1 seconds, and at least 100 must come in that time; nothing of it was kept";
            assert_eq!(answer.contains(said), expected.contains("408"), "{answer}");
        }
    }
}
