//! How servers join.

use axum::{extract::State, http::StatusCode};
use model::{name::ServerName, wire};

use super::{ApiState, extract::JsonBody, problem::ProblemResponse};
use crate::auth::{Operator, UnscopedPermit};

/// Make a one-time token for a server to join with
#[utoipa::path(
    post, path = "/api/v1/join-tokens", tag = "servers", request_body = wire::JoinTokenRequest,
    responses(
        (status = 201, description = "The token; it is shown once", body = wire::IssuedJoinToken),
        (status = 404, description = "There is no such server", body = wire::ProblemDetails),
    )
)]
pub(super) async fn create_join_token(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    JsonBody(new): JsonBody<wire::JoinTokenRequest>,
) -> Result<(StatusCode, axum::Json<wire::IssuedJoinToken>), ProblemResponse> {
    let server = ServerName::new(&new.server)
        .map_err(|error| ProblemResponse::unprocessable_entity(error.to_string()))?;
    let token = app.back_office.create_join_token(&permit, &server, new.seconds, &app.address).await?;
    Ok((StatusCode::CREATED, axum::Json(token)))
}

/// Join with a one-time token
///
/// An earlier credential of the same server is good no longer.
#[utoipa::path(
    post, path = "/api/v1/join", tag = "servers", request_body = wire::JoinRequest, security(()),
    responses(
        (status = 200, description = "What the server needs from now on", body = wire::JoinResponse),
        (status = 403, description = "The join token is not good for this server", body = wire::ProblemDetails),
    )
)]
pub(super) async fn exchange_join_token_for_credential(
    State(app): State<ApiState>,
    JsonBody(join): JsonBody<wire::JoinRequest>,
) -> Result<axum::Json<wire::JoinResponse>, ProblemResponse> {
    let joined = app.back_office.exchange_join_token_for_credential(&join).await?.ok_or_else(|| {
        ProblemResponse::forbidden_problem(
            "the join token is not good for this server: it may be used up, expired, or made for another server \
             name. Ask an operator for a new one (`punch server join-token SERVER`)",
        )
    })?;
    Ok(axum::Json(joined))
}
