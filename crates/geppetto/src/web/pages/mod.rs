//! One file a page, and the addresses of all of them.

mod account;
mod audit;
mod components;
mod edit;
mod events;
mod jobs;
mod log_in;
mod overview;
mod password;
mod places;
mod revisions;
mod role_graph;
mod roles;
mod server;
mod servers;
mod users;

use axum::{
    Router,
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{page_error::PageError, page_state::PageState, security_headers::add_security_headers};

const STYLE: &str = include_str!("../../../assets/pages.css");
const ICON: &str = include_str!("../../../assets/icon.svg");
const LIVE_SCRIPT: &str = include_str!("../../../assets/live.js");

/// How many rows a page of a list has.
const ROWS: usize = 100;

/// The routes of all pages.
pub(crate) fn page_routes(state: PageState) -> Router {
    Router::new()
        .route("/", get(overview::show_overview))
        .route("/log-in", get(log_in::show_log_in_form).post(log_in::log_in))
        .route("/log-out", post(log_in::log_out))
        .route("/password/{secret}", get(password::show_password_form).post(password::set_password))
        .route("/account", get(account::show_account))
        .route("/account/sessions/{session}/end", post(account::end_session))
        .route("/servers", get(servers::list_servers))
        .route("/servers/{server}", get(server::show_server))
        .route("/servers/{server}/values", get(server::show_values))
        .route("/servers/{server}/reports", get(server::list_reports))
        .route("/servers/{server}/reports/{report}", get(server::show_report))
        .route("/roles", get(roles::list_roles))
        .route("/roles/{role}", get(roles::show_role))
        .route("/groups", get(places::list_groups))
        .route("/groups/{group}", get(places::show_group))
        .route("/environments", get(places::list_environments))
        .route("/environments/{environment}", get(places::show_environment))
        .route("/edit/{folder}/{name}", get(edit::show_edit_form).post(edit::preview_or_commit))
        .route("/components", get(components::list_components))
        .route("/components/{component}", get(components::show_component))
        .route("/revisions", get(revisions::list_revisions))
        .route("/revisions/{revision}", get(revisions::show_revision))
        .route("/jobs", get(jobs::list_jobs))
        .route("/jobs/{job}", get(jobs::show_job))
        .route("/audit", get(audit::list_audit_entries))
        .route("/users", get(users::list_users).post(users::create_user))
        .route("/users/{user}/grants", post(users::replace_grants))
        .route("/users/{user}/password-link", post(users::create_password_link))
        .route("/users/{user}/disable", post(users::disable_user))
        .route("/assets/pages.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/assets/icon.svg", get(async || asset("image/svg+xml", ICON)))
        .route("/assets/live.js", get(async || asset("text/javascript; charset=utf-8", LIVE_SCRIPT)))
        .method_not_allowed_fallback(async || PageError::no_such_page())
        .layer(middleware::from_fn(add_security_headers))
        .with_state(state)
}

/// The stream by which open pages hear of changes.
pub(crate) fn event_routes(state: PageState) -> Router {
    Router::new()
        .route("/events", get(events::stream_events))
        .layer(middleware::from_fn(add_security_headers))
        .with_state(state)
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
