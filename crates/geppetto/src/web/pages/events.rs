//! `/events`: open pages hear of what changed and look again.

use axum::{extract::State, http::HeaderMap, response::Response};

use crate::{
    event_stream::{ListenerCredential, stream_events_to_listener},
    web::{page_state::PageState, session_cookie, visitor::Visitor},
};

/// Streams what changes and the person may see, until the session ends.
pub(super) async fn stream_events(
    State(state): State<PageState>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Response {
    let secret = session_cookie::session_secret_of_request(&headers, state.is_reached_by_tls());
    let credential = ListenerCredential::Session(secret.unwrap_or_default().to_owned());
    stream_events_to_listener(&state.back_office, visitor.user.principal, credential, state.end.clone())
}
