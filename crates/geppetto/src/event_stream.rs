//! A stream of what changed for one listener, as server-sent events (WHATWG HTML, "Server-sent events"): programs listen through
//! the API, browsers through a page.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event as Message, KeepAlive, Sse},
};
use model::wire::ControlPlaneEvent;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    auth::Principal,
    backoffice::{BackOffice, BackOfficeError},
};

/// How often a comment is sent while nothing happens, so that a connection that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After how long it is looked again whether the listener may still listen.
const CHECK_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How many messages wait for a client that reads slowly.
const WAITING: usize = 64;

/// What a listener authenticated with.
pub(crate) enum ListenerCredential {
    /// Nothing: it listens through the Unix socket.
    LocalSocket,
    /// A bearer token.
    BearerToken(String),
    /// The session of a browser.
    Session(String),
}

/// The stream of what changes from now on and `principal` may see. It ends with the credential, the client or the program.
pub(crate) fn stream_events_to_listener(
    back_office: &Arc<BackOffice>,
    principal: Principal,
    credential: ListenerCredential,
    mut end: watch::Receiver<bool>,
) -> Response {
    let (sender, receiver) = mpsc::channel(WAITING);
    let listener = Listener { principal, credential, sender };
    let back_office = Arc::clone(back_office);
    tokio::spawn(async move {
        tokio::select! {
            result = listener.forward(&back_office) => if let Err(error) = result {
                tracing::debug!(%error, "a stream of events ended");
            },
            _ = end.wait_for(|end| *end) => {}
        }
    });
    let stream = Sse::new(ReceiverStream::new(receiver));
    stream.keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

struct Listener {
    principal: Principal,
    credential: ListenerCredential,
    sender: mpsc::Sender<Result<Message, Infallible>>,
}

impl Listener {
    /// Sends events until the client is gone or may not listen any more.
    async fn forward(mut self, back_office: &BackOffice) -> Result<(), BackOfficeError> {
        let mut events = back_office.subscribe_to_events();
        let mut check_at = Instant::now() + CHECK_AGAIN_AFTER;
        let mut next = ControlPlaneEvent::Resynchronize {};
        loop {
            let access_changed = next == ControlPlaneEvent::AccessChanged {};
            if access_changed || Instant::now() >= check_at {
                if !self.is_still_allowed(back_office).await? {
                    return Ok(());
                }
                check_at = Instant::now() + CHECK_AGAIN_AFTER;
            }
            if back_office.can_receive_event(&self.principal, &next).await?
                && self.sender.send(Ok(message(&next))).await.is_err()
            {
                return Ok(());
            }
            next = tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => event,
                    Err(RecvError::Lagged(_)) => ControlPlaneEvent::Resynchronize {},
                    Err(RecvError::Closed) => return Ok(()),
                },
                () = self.sender.closed() => return Ok(()),
                () = tokio::time::sleep_until(check_at) => ControlPlaneEvent::AccessChanged {},
            };
        }
    }

    /// Whether the listener's credential is still good; what it may see is then read anew.
    async fn is_still_allowed(&mut self, back_office: &BackOffice) -> Result<bool, BackOfficeError> {
        let principal = match &self.credential {
            ListenerCredential::LocalSocket => return Ok(true),
            ListenerCredential::BearerToken(secret) => back_office.authenticate_bearer_secret(secret).await?,
            ListenerCredential::Session(secret) => {
                back_office.authenticate_session(secret).await?.map(|user| user.principal)
            }
        };
        match principal {
            Some(Principal::Server(server)) if !back_office.has_server(&server).await? => Ok(false),
            Some(principal) => {
                self.principal = principal;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

fn message(event: &ControlPlaneEvent) -> Message {
    // Identifiers and numbers always have a JSON form.
    Message::default().json_data(event).unwrap_or_default()
}
