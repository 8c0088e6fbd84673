//! Node files, and why values are what they are.
//!
//! A node file holds secret values, so its signed text goes to the server itself and to operators only. Whoever
//! may look but not see secrets gets the same node with secrets masked and without a signature: no server
//! would take it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    format,
    name::ServerName,
    resolve,
    wire::{self, Explanation},
};
use serde::Deserialize;

use super::{
    ApiState, etag,
    extract::{PathParameters, QueryParameters, require_level},
    problem::ProblemResponse,
};
use crate::{
    auth::{AccessLevel, Principal},
    backoffice::{NodeVersion, node},
    store::StoredNode,
};

/// The node file a server must be made like now
///
/// The signed text for the server itself and operators; masked and unsigned for others.
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/node", tag = "servers",
    params(
        ("server" = String, Path, description = "The server"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the one you have"),
    ),
    responses(
        (status = 200, description = "The node file", body = String, content_type = "text/yaml"),
        (status = 304, description = "It is the one you have"),
        (status = 404, description = "There is no such server", body = wire::ProblemDetails),
        (status = 409, description = "It cannot be made: versions or values contradict each other", body = wire::ProblemDetails),
    )
)]
pub(super) async fn node(
    State(app): State<ApiState>,
    caller: Principal,
    PathParameters(server): PathParameters<ServerName>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let sight = visibility_of(&caller, &server)?;
    let version = app.back_office.current_node_version(&server).await?;
    // Principals that may see secrets are answered from the generation number alone.
    if sight == Visibility::Signed && etag::matches_if_none_match(&headers, &node_etag(&version)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, node_etag(&version))]).into_response());
    }
    let stored = app.back_office.signed_generation(&server, version.generation).await?;
    node_response(&server, &stored, sight, &headers)
}

/// One generation of a server's node file
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/node/{generation}", tag = "servers",
    params(
        ("server" = String, Path, description = "The server"),
        ("generation" = u64, Path, description = "Counted from 1"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the one you have"),
    ),
    responses(
        (status = 200, description = "The node file", body = String, content_type = "text/yaml"),
        (status = 304, description = "It is the one you have"),
        (status = 404, description = "It was never made", body = wire::ProblemDetails),
    )
)]
pub(super) async fn generation(
    State(app): State<ApiState>,
    caller: Principal,
    PathParameters((server, generation)): PathParameters<(ServerName, u64)>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let sight = visibility_of(&caller, &server)?;
    let stored = app.back_office.signed_generation(&server, generation).await?;
    node_response(&server, &stored, sight, &headers)
}

/// What is asked about.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// `COMPONENT.PARAMETER`: `shop.http_port`
    key: String,
}

/// Why a value is what it is
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/explain", tag = "servers",
    params(("server" = String, Path, description = "The server"), ExplainQuery),
    responses(
        (status = 200, description = "The provenance; secrets are never shown", body = Explanation),
        (status = 404, description = "There is no such server or key", body = wire::ProblemDetails),
    )
)]
pub(super) async fn explain(
    State(app): State<ApiState>,
    caller: Principal,
    PathParameters(server): PathParameters<ServerName>,
    QueryParameters(question): QueryParameters<ExplainQuery>,
) -> Result<Json<Explanation>, ProblemResponse> {
    visibility_of(&caller, &server)?;
    let stored = app.back_office.signed_node(&server).await?;
    let node = node::read_stored_node(&server, &stored)?;
    Ok(Json(
        resolve::explain(&node, &question.key)
            .map_err(|error| ProblemResponse::not_found(error.to_string()))?,
    ))
}

/// How much of a node file a principal sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visibility {
    /// All of it.
    Signed,
    /// All but the secrets.
    Masked,
}

/// The tag of a signed text: its number, and the digest of its content.
fn node_etag(version: &NodeVersion) -> HeaderValue {
    etag::quote_etag(&format!("{}-{}", version.generation, version.digest))
}

/// Who may see a server's node, and how much of it.
fn visibility_of(caller: &Principal, server: &ServerName) -> Result<Visibility, ProblemResponse> {
    if caller.is_server(server) || caller.has_level(AccessLevel::Operator) {
        return Ok(Visibility::Signed);
    }
    if let Principal::Server(other) = caller {
        return Err(ProblemResponse::forbidden(format!(
            "this is the credential of {other}; it opens nothing of {server}"
        )));
    }
    require_level(caller, AccessLevel::Viewer)?;
    Ok(Visibility::Masked)
}

fn node_response(
    server: &ServerName,
    stored: &StoredNode,
    sight: Visibility,
    headers: &HeaderMap,
) -> Result<Response, ProblemResponse> {
    let (text, tag) = match sight {
        Visibility::Signed => (stored.text.clone(), node_etag(&stored.into())),
        Visibility::Masked => {
            let text = format::node::write(&node::masked_text(server, stored)?);
            // Not the digest of the whole: that would let a secret be guessed at.
            let tag = etag::etag_of(text.as_bytes());
            (text, tag)
        }
    };
    if etag::matches_if_none_match(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let headers = [
        (header::ETAG, tag),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/yaml; charset=utf-8")),
        (header::CACHE_CONTROL, etag::PRIVATE),
    ];
    Ok((headers, text).into_response())
}
