//! Node files, and why values are what they are.
//!
//! A node file holds secret values, so its signed text goes to the server itself and to operators of its environment
//! only. Others that may see the server get the same node with secrets masked and without a signature.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    format,
    name::ServerName,
    wire::{self, Explanation},
};
use serde::Deserialize;

use super::{
    ApiState, etag,
    extract::{PathParameters, QueryParameters},
    problem::ProblemResponse,
};
use crate::{
    auth::Principal,
    backoffice::{NodeGenerationAndDigest, SignedOrMaskedNode},
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
pub(super) async fn get_node_file(
    State(app): State<ApiState>,
    principal: Principal,
    PathParameters(server): PathParameters<ServerName>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    // Principals that may see secrets are answered from the generation number alone, if they have one already.
    if headers.contains_key(header::IF_NONE_MATCH)
        && let Some(version) =
            app.back_office.get_or_create_generation_if_permitted(&principal, &server).await?
        && etag::matches_if_none_match(&headers, &node_etag(&version))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, node_etag(&version))]).into_response());
    }
    let node = app.back_office.get_or_create_node_file(&principal, &server, None).await?;
    Ok(node_response(&node, &headers))
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
pub(super) async fn get_node_file_of_generation(
    State(app): State<ApiState>,
    principal: Principal,
    PathParameters((server, generation)): PathParameters<(ServerName, u64)>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let node = app.back_office.get_or_create_node_file(&principal, &server, Some(generation)).await?;
    Ok(node_response(&node, &headers))
}

/// What is asked about.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ValueExplanationQuery {
    /// `COMPONENT.PARAMETER`, `COMPONENT.PARAMETER.ENTRY` or `COMPONENT`: `shop.http_port`
    key: String,
}

/// Why a value is what it is
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/explain", tag = "servers",
    params(("server" = String, Path, description = "The server"), ValueExplanationQuery),
    responses(
        (status = 200, description = "The provenance; secrets are never shown", body = Explanation),
        (status = 404, description = "There is no such server or key", body = wire::ProblemDetails),
        (status = 409, description = "Its node file cannot be made: versions or values contradict each other", body = wire::ProblemDetails),
    )
)]
pub(super) async fn explain_value(
    State(app): State<ApiState>,
    principal: Principal,
    PathParameters(server): PathParameters<ServerName>,
    QueryParameters(question): QueryParameters<ValueExplanationQuery>,
) -> Result<Json<Explanation>, ProblemResponse> {
    Ok(Json(app.back_office.explain_value(&principal, &server, &question.key).await?))
}

/// Why every value is what it is
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/explanations", tag = "servers",
    params(("server" = String, Path, description = "The server")),
    responses(
        (status = 200, description = "All components and values with their provenance; secrets are never shown", body = Vec<Explanation>),
        (status = 404, description = "There is no such server", body = wire::ProblemDetails),
        (status = 409, description = "Its node file cannot be made: versions or values contradict each other", body = wire::ProblemDetails),
    )
)]
pub(super) async fn explain_all_versions_and_values(
    State(app): State<ApiState>,
    principal: Principal,
    PathParameters(server): PathParameters<ServerName>,
) -> Result<Json<Vec<Explanation>>, ProblemResponse> {
    Ok(Json(app.back_office.explain_all_versions_and_values(&principal, &server).await?))
}

/// A node file to try on another machine
///
/// Unsigned, generation 0, and with a placeholder for each secret.
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/local-node", tag = "servers",
    params(("server" = String, Path, description = "The server")),
    responses(
        (status = 200, description = "The node file", body = String, content_type = "text/yaml"),
        (status = 404, description = "There is no such server", body = wire::ProblemDetails),
        (status = 409, description = "Its node file cannot be made: versions or values contradict each other", body = wire::ProblemDetails),
    )
)]
pub(super) async fn get_unsigned_node_file_without_secrets(
    State(app): State<ApiState>,
    principal: Principal,
    PathParameters(server): PathParameters<ServerName>,
) -> Result<Response, ProblemResponse> {
    let text = app.back_office.build_unsigned_node_file_without_secrets(&principal, &server).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/yaml; charset=utf-8")),
        (header::CACHE_CONTROL, etag::CACHE_CONTROL_PRIVATE_NO_CACHE),
    ];
    Ok((headers, text).into_response())
}

/// The tag of a signed text: its epoch and number, and the digest of its content.
fn node_etag(version: &NodeGenerationAndDigest) -> HeaderValue {
    etag::quote_etag(&format!("{}-{}-{}", version.epoch, version.generation, version.digest))
}

fn node_response(node: &SignedOrMaskedNode, headers: &HeaderMap) -> Response {
    let (text, tag) = match node {
        SignedOrMaskedNode::Signed(stored) => (stored.text.clone(), node_etag(&stored.into())),
        SignedOrMaskedNode::Masked(node) => {
            let text = format::node::node_to_yaml(node);
            // Not the digest of the whole: that would let a secret be guessed at.
            let tag = etag::compute_etag(text.as_bytes());
            (text, tag)
        }
    };
    if etag::matches_if_none_match(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let headers = [
        (header::ETAG, tag),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/yaml; charset=utf-8")),
        (header::CACHE_CONTROL, etag::CACHE_CONTROL_PRIVATE_NO_CACHE),
    ];
    (headers, text).into_response()
}
