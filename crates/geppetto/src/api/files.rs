//! The repository's files: plain static YUM trees, and the keys that sign them, for everybody.
//!
//! They need no token: packages carry no secrets, `dnf` and `rpm` read them as they are, and what guards them
//! from being changed is their signatures.

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::services::ServeDir;

use super::{App, problem::Problem};

/// The routes below `/repository`.
pub(super) fn routes(app: &App) -> Router<App> {
    let files = ServeDir::new(app.office.served()).append_index_html_on_directories(false);
    Router::new()
        .route("/repository/keys.asc", get(keys))
        .nest_service("/repository", files)
        .layer(middleware::from_fn(no_hidden_files))
}

async fn keys(State(app): State<App>) -> Result<Response, Problem> {
    let keys = app.office.package_keys().await?;
    Ok(([(header::CONTENT_TYPE, "application/pgp-keys")], keys).into_response())
}

/// Files whose names start with a dot are somebody's work in progress, never part of a repository.
async fn no_hidden_files(request: Request, next: Next) -> Response {
    let hidden = request.uri().path().split('/').any(|part| {
        part.starts_with('.') || part.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2e"))
    });
    if hidden { StatusCode::NOT_FOUND.into_response() } else { next.run(request).await }
}
