//! The repository's files: plain static YUM trees, the mirrorlist of each channel, and the keys that sign them.
//!
//! They need no token: packages carry no secrets, `dnf` and `rpm` read them as they are, and their signatures
//! guard them against changes. `repomd.xml` and its signature are two requests; a reader that starts from
//! `/repository/CHANNEL/mirrorlist` makes both in the folder of one generation, which never changes.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use model::name::Name;
use tower_http::services::ServeDir;

use super::{ApiState, extract::PathParameters, problem::ProblemResponse};

/// How long caches may keep a file of a generation: a generation stays for an hour at most when the next one
/// took its place.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=3600, immutable");

/// The routes below `/repository`.
pub(super) fn repository_file_routes(app: &ApiState) -> Router<ApiState> {
    let files = ServeDir::new(app.back_office.channels_folder_path()).append_index_html_on_directories(false);
    let inside = Router::new()
        .route("/keys.asc", get(keys))
        .route("/{channel}/mirrorlist", get(mirrorlist))
        .fallback_service(files)
        .layer(middleware::from_fn(generations))
        .layer(middleware::from_fn(no_hidden_files));
    Router::new().nest("/repository", inside)
}

async fn keys(State(app): State<ApiState>) -> Result<Response, ProblemResponse> {
    let keys = app.back_office.read_trusted_keys_armored().await?;
    Ok(([(header::CONTENT_TYPE, "application/pgp-keys")], keys).into_response())
}

/// Answers one line: the URL of the generation that the channel shows now.
///
/// The URL begins with what `--advertise` declares, else with the address that the client itself used.
async fn mirrorlist(
    State(app): State<ApiState>,
    PathParameters(channel): PathParameters<Name>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let base = match &app.advertised_url {
        Some(url) => url.clone(),
        None => format!("{}://{}", app.url_scheme(), requested_host(&headers)?),
    };
    let folder = app.back_office.relative_path_of_channel_generation(channel).await?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, format!("{base}/repository/{}/\n", folder.display())).into_response())
}

/// The `Host` of a request: a host with or without port, nothing else.
fn requested_host(headers: &HeaderMap) -> Result<Authority, ProblemResponse> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.filter(|host| !host.as_str().contains('@')).ok_or_else(|| {
        ProblemResponse::bad_request(
            "the request names no host, so the URL of the repository is not known: send a `Host` header, or set \
             `geppetto serve --advertise`",
        )
    })
}

/// Files whose names start with a dot are unfinished, never part of a repository.
async fn no_hidden_files(request: Request, next: Next) -> Response {
    let hidden = request.uri().path().split('/').any(|part| {
        part.starts_with('.') || part.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2e"))
    });
    if hidden { StatusCode::NOT_FOUND.into_response() } else { next.run(request).await }
}

/// Marks the metadata of generations as immutable, and finds their packages when the generation itself is gone:
/// clients keep metadata, and the base URL it came from, for days.
async fn generations(mut request: Request, next: Next) -> Response {
    let Some((channel, file)) = generation_file(request.uri().path()) else { return next.run(request).await };
    let immutable = file.starts_with("repodata/");
    if !immutable && let Ok(uri) = format!("/{channel}/{file}").parse() {
        *request.uri_mut() = uri;
    }
    let mut response = next.run(request).await;
    if immutable && response.status().is_success() {
        response.headers_mut().insert(header::CACHE_CONTROL, IMMUTABLE);
    }
    response
}

/// The channel and the file, relative to the generation's folder, of a path inside a generation:
/// `/CHANNEL/generations/N/FILE`.
fn generation_file(path: &str) -> Option<(Name, &str)> {
    let (channel, path) = path.strip_prefix('/')?.split_once("/generations/")?;
    let (generation, file) = path.split_once('/')?;
    let is_file = file.starts_with("repodata/") || file.starts_with("packages/");
    (is_file && generation.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    Some((Name::new(channel).ok()?, file))
}
