//! The stream of what changed, as server-sent events (WHATWG HTML, "Server-sent events").

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event as Message, KeepAlive, Sse},
    },
};
use model::wire::{self, ControlPlaneEvent};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;

use super::{ApiState, extract, problem::ProblemResponse};
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

/// What changes from now on, as server-sent events
///
/// Each event is a JSON object of identifiers (schema `ControlPlaneEvent`); its contents are fetched where they are wanted. The
/// stream begins with `resynchronize`, and has it again whenever events may have been missed: look at everything
/// then. Events are filtered by what the token may see, and the stream ends when the token does.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "control plane",
    responses((status = 200, description = "The stream", body = wire::ControlPlaneEvent, content_type = "text/event-stream"))
)]
pub(super) async fn stream_events(
    State(app): State<ApiState>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let secret = extract::find_bearer_secret(&headers)?.map(str::to_owned);
    let (sender, receiver) = mpsc::channel(WAITING);
    let listener = Listener { principal, secret, sender };
    let mut end = app.end.clone();
    tokio::spawn(async move {
        tokio::select! {
            result = listener.forward(&app.back_office) => if let Err(error) = result {
                tracing::debug!(%error, "a stream of events ended");
            },
            _ = end.wait_for(|end| *end) => {}
        }
    });
    let stream = Sse::new(ReceiverStream::new(receiver));
    Ok(stream.keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

struct Listener {
    principal: Principal,
    /// What it authenticated with; nothing through the Unix socket.
    secret: Option<String>,
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

    /// Whether the listener's token is still valid; what it may see is then read anew.
    async fn is_still_allowed(&mut self, back_office: &BackOffice) -> Result<bool, BackOfficeError> {
        let Some(secret) = &self.secret else { return Ok(true) };
        match back_office.authenticate_bearer_secret(secret).await? {
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
