//! Uploads: a body that arrives bit by bit becomes something a thread can read, and is never held whole.

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
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many pieces wait for the disk before the client has to.
const WAITING: usize = 8;
/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the rest of a refused body is still taken, so that the client gets to read the refusal.
const COURTESY: Duration = Duration::from_secs(5);

/// The end that is read from: blocks until the next piece comes.
pub(super) struct BodyReader {
    pieces: Receiver<io::Result<Bytes>>,
    piece: Bytes,
    /// The body came to its end; if it was cut off instead, reading must fail, not end.
    ended: bool,
}

/// Splits a body into a reader for a blocking thread and the work that feeds it.
///
/// Both must run at the same time. The work ends when the body does, or after the reader is dropped.
pub(super) fn body_reader(body: Body) -> (BodyReader, impl Future<Output = ()>) {
    let (sender, pieces) = channel(WAITING);
    (BodyReader { pieces, piece: Bytes::new(), ended: false }, feed(body, sender))
}

async fn feed(mut body: Body, sender: Sender<io::Result<Bytes>>) {
    loop {
        let piece = match tokio::time::timeout(SILENCE, next(&mut body)).await {
            Ok(Some(Ok(piece))) => Ok(piece),
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Ok(None) => {
                // An empty chunk marks the end.
                let _ = sender.send(Ok(Bytes::new())).await;
                return;
            }
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("nothing came for {} seconds", SILENCE.as_secs()),
            )),
        };
        let failed = piece.is_err();
        if matches!(&piece, Ok(bytes) if bytes.is_empty()) {
            continue;
        }
        if sender.send(piece).await.is_err() || failed {
            return;
        }
    }
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

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => {
                    self.ended = piece.is_empty();
                    self.piece = piece;
                }
                Some(Err(error)) => return Err(error),
                // The work was dropped in the middle: the client went away.
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the client went away")),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(reader: BodyReader, feeding: impl Future<Output = ()>) -> io::Result<Vec<u8>> {
        let mut reader = reader;
        let reading = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        feeding.await;
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn a_body_is_read_whole_through_the_bridge() {
        let content: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let (reader, feeding) = body_reader(Body::from(content.clone()));
        assert_eq!(read(reader, feeding).await.unwrap(), content);
    }

    #[tokio::test]
    async fn a_reader_whose_client_went_away_fails_instead_of_ending() {
        let (reader, feeding) = body_reader(Body::from("half of it"));
        drop(feeding);
        let error = read(reader, async {}).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
