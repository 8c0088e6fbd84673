//! Tokens of people and programs, and who asks.

use axum::{Json, extract::State, http::StatusCode};
use model::wire;

use super::{
    ApiState,
    extract::{JsonBody, PathParameters, PermitHeldEverywhere},
    problem::ProblemResponse,
};
use crate::auth::{Admin, Principal, UnscopedPermit};

/// Who asks, and what it may do
#[utoipa::path(
    get, path = "/api/v1/whoami", tag = "control plane",
    responses((status = 200, description = "The principal", body = wire::PrincipalInfo))
)]
pub(super) async fn whoami(
    State(app): State<ApiState>,
    principal: Principal,
) -> Result<Json<wire::PrincipalInfo>, ProblemResponse> {
    Ok(Json(app.back_office.whoami(&principal)))
}

/// Create a token
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "control plane", request_body = wire::TokenRequest,
    responses(
        (status = 201, description = "The token; it is shown once", body = wire::IssuedToken),
        (status = 409, description = "There is a token of this name", body = wire::ProblemDetails),
        (status = 422, description = "The name or a grant is malformed", body = wire::ProblemDetails),
    )
)]
pub(super) async fn create_token(
    State(app): State<ApiState>,
    PermitHeldEverywhere(permit): PermitHeldEverywhere<Admin>,
    JsonBody(request): JsonBody<wire::TokenRequest>,
) -> Result<(StatusCode, Json<wire::IssuedToken>), ProblemResponse> {
    Ok((StatusCode::CREATED, Json(app.back_office.create_token(&permit, &request, &app.address).await?)))
}

/// All tokens ever made, newest first
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "control plane",
    responses((status = 200, description = "The tokens, without their secrets", body = wire::TokenList))
)]
pub(super) async fn list_all_tokens(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Admin>,
) -> Result<Json<wire::TokenList>, ProblemResponse> {
    Ok(Json(app.back_office.list_all_tokens(&permit).await?))
}

/// Revoke a token
#[utoipa::path(
    delete, path = "/api/v1/tokens/{name}", tag = "control plane",
    params(("name" = String, Path, description = "Whose it is")),
    responses(
        (status = 204, description = "It is refused from now on"),
        (status = 404, description = "There is no valid token of this name", body = wire::ProblemDetails),
    )
)]
pub(super) async fn revoke_token(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Admin>,
    PathParameters(name): PathParameters<String>,
) -> Result<StatusCode, ProblemResponse> {
    app.back_office.revoke_token(&permit, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
