//! Uploads: a body is written to the disk as it arrives, never held whole, and no thread waits for the client.

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError, Weak},
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::StreamExt as _;

/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the rest of a refused body is still taken, so that the client gets to read the refusal.
const COURTESY: Duration = Duration::from_secs(5);

/// So much of a body is collected before it is written: a client that sends little by little costs few writes.
const PIECE_BYTES: usize = 256 * 1024;
/// How many uploads of one principal are taken at once; further ones wait.
const UPLOADS_PER_PRINCIPAL: usize = 4;

/// The upload slots of each principal.
#[derive(Debug, Default)]
pub(super) struct UploadSlots(Mutex<HashMap<String, Weak<Semaphore>>>);

impl UploadSlots {
    /// Waits for a free upload slot of this principal. A waiting upload holds no thread and does not delay other principals.
    pub(super) async fn acquire_upload_slot(&self, principal: String) -> Option<OwnedSemaphorePermit> {
        let slots = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, slots| slots.strong_count() > 0);
            let slots = known.get(&principal).and_then(Weak::upgrade);
            slots.unwrap_or_else(|| {
                let slots = Arc::new(Semaphore::new(UPLOADS_PER_PRINCIPAL));
                known.insert(principal, Arc::downgrade(&slots));
                slots
            })
        };
        // The semaphore is never closed, so this never fails.
        slots.acquire_owned().await.ok()
    }
}

/// Writes a body to an upload as it comes. No thread waits for the client meanwhile. Fails when the body is cut off, or
/// when nothing comes for a while.
pub(super) async fn write_body_to_upload(
    body: Body,
    mut upload: PackageUpload,
) -> Result<PackageUpload, RepositoryError> {
    let mut pieces = pin!(body.into_data_stream().timeout(SILENCE));
    let mut collected = Vec::with_capacity(PIECE_BYTES);
    loop {
        let piece = match pieces.next().await {
            Some(Ok(Ok(piece))) => Some(piece),
            Some(Ok(Err(error))) => return Err(upload.broken_off_error(io::Error::other(error))),
            Some(Err(_)) => {
                let text = format!("nothing came for {} seconds", SILENCE.as_secs());
                return Err(upload.broken_off_error(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
            None => None,
        };
        let is_last = piece.is_none();
        collected.extend_from_slice(&piece.unwrap_or_default());
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
        }
        if is_last {
            return Ok(upload);
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

#[cfg(test)]
mod tests {
    use packaging::{openpgp::SecretKey, repository::Repository};

    use super::*;

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
        let error = write_body_to_upload(body, upload(&root, 100)).await.unwrap_err();
        assert!(error.to_string().contains("the connection is gone"), "{error}");
        assert_eq!(std::fs::read_dir(root.join("incoming")).unwrap().count(), 0);
        let other = folder.path().join("other");
        let error = write_body_to_upload(Body::from("x".repeat(101)), upload(&other, 100)).await.unwrap_err();
        assert!(error.to_string().contains("larger than the 100 bytes"), "{error}");
    }

    #[tokio::test]
    async fn uploads_of_one_principal_wait_for_each_other_and_for_nobody_else() {
        let slots = UploadSlots::default();
        let mut held = Vec::new();
        for _ in 0..UPLOADS_PER_PRINCIPAL {
            held.push(slots.acquire_upload_slot("token mallory".to_owned()).await);
        }
        let soon = Duration::from_millis(50);
        let next = slots.acquire_upload_slot("token mallory".to_owned());
        tokio::time::timeout(soon, next).await.unwrap_err();
        tokio::time::timeout(soon, slots.acquire_upload_slot("token ann".to_owned())).await.unwrap();
        held.pop();
        tokio::time::timeout(soon, slots.acquire_upload_slot("token mallory".to_owned())).await.unwrap();
    }
}
