//! The stream of what changed, for programs.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::wire;

use super::{ApiState, extract, problem::ProblemResponse};
use crate::{
    auth::Principal,
    event_stream::{ListenerCredential, stream_events_to_listener},
};

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
    let credential = match extract::find_bearer_secret(&headers)? {
        Some(secret) => ListenerCredential::BearerToken(secret.to_owned()),
        None => ListenerCredential::LocalSocket,
    };
    Ok(stream_events_to_listener(&app.back_office, principal, credential, app.end.clone()))
}
