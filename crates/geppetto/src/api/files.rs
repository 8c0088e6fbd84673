//! The repository's files: plain static YUM trees, and the keys that sign them, for everybody.
//!
//! They need no token: packages carry no secrets, `dnf` and `rpm` read them as they are, and what guards them
//! from being changed is their signatures.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use model::name::Name;
use tower_http::services::ServeDir;

use super::{
    ApiState,
    pairs::{Client, Pairs},
    problem::ProblemResponse,
};
use crate::serve::Connection;

/// The routes below `/repository`.
pub(super) fn routes(app: &ApiState) -> Router<ApiState> {
    let files = ServeDir::new(app.office.served()).append_index_html_on_directories(false);
    let pairs = (app.clone(), Arc::new(Pairs::default()));
    Router::new()
        .route("/repository/keys.asc", get(keys))
        .nest_service("/repository", files)
        .layer(middleware::from_fn_with_state(pairs, both_of_one_generation))
        .layer(middleware::from_fn(no_hidden_files))
}

async fn keys(State(app): State<ApiState>) -> Result<Response, ProblemResponse> {
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

/// Answers `repomd.xml`, and then its signature, out of the same generation, also when a publication comes
/// between the two requests.
async fn both_of_one_generation(
    State((app, pairs)): State<(ApiState, Arc<Pairs>)>,
    mut request: Request,
    next: Next,
) -> Result<Response, ProblemResponse> {
    let Some((channel, file)) = pair_of(request.uri().path()) else { return Ok(next.run(request).await) };
    let Some(now) = app.office.repomd_folder(channel.clone()).await? else {
        return Ok(next.run(request).await);
    };
    let folder = match request.extensions().get::<Connection>() {
        Some(connection) => {
            let client = Client::of(request.headers(), *connection);
            let now_us = app.office.clock.now_us();
            match file {
                "repomd.xml" => pairs.remember(client, channel, now, now_us),
                _ => pairs.recall(&client, &channel, now_us).unwrap_or(now),
            }
        }
        None => now,
    };
    let path = format!("/repository/{}/{file}", folder.display());
    if let Ok(path) = path.parse() {
        *request.uri_mut() = path;
    }
    Ok(next.run(request).await)
}

/// The channel whose `repomd.xml`, or the signature of it, is at `path`.
fn pair_of(path: &str) -> Option<(Name, &'static str)> {
    let (channel, file) = path.strip_prefix("/repository/")?.split_once("/repodata/")?;
    let file = ["repomd.xml", "repomd.xml.asc"].into_iter().find(|pair| *pair == file)?;
    Some((Name::new(channel).ok()?, file))
}
