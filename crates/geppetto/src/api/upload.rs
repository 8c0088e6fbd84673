//! Uploads: a body that arrives in pieces is read by a blocking thread, and never held whole.

use std::{
    future::poll_fn,
    io::{self, Read},
    pin::Pin,
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
use tokio_stream::StreamExt as _;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the rest of a refused body is still taken, so that the client gets to read the refusal.
const COURTESY: Duration = Duration::from_secs(5);

/// A reader of a body for a blocking thread. Fails when the body is cut off, or when nothing comes for a while.
pub(super) fn blocking_body_reader_with_timeout(body: Body) -> impl Read + Send + 'static {
    let pieces = body.into_data_stream().timeout(SILENCE).map(|piece| match piece {
        Ok(piece) => piece.map_err(io::Error::other),
        Err(_) => {
            let text = format!("nothing came for {} seconds", SILENCE.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
    });
    SyncIoBridge::new(Box::pin(StreamReader::new(pieces)))
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
    use super::*;

    async fn read(body: Body) -> io::Result<Vec<u8>> {
        let mut reader = blocking_body_reader_with_timeout(body);
        let reading = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn body_is_read_whole_by_a_blocking_thread() {
        let content: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        assert_eq!(read(Body::from(content.clone())).await.unwrap(), content);
    }

    #[tokio::test]
    async fn reading_a_body_that_is_cut_off_fails() {
        let pieces = [Ok("half of it"), Err(io::Error::other("the connection is gone"))];
        let error = read(Body::from_stream(tokio_stream::iter(pieces))).await.unwrap_err();
        assert!(error.to_string().contains("the connection is gone"), "{error}");
    }
}
