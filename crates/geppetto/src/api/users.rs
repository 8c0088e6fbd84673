//! People who log in with a browser.

use axum::{Json, extract::State, http::StatusCode};
use model::wire;

use super::{
    ApiState,
    extract::{JsonBody, PathParameters, PermitHeldEverywhere},
    problem::ProblemResponse,
};
use crate::auth::{Admin, UnscopedPermit};

/// Create a user, who sets a password with the link
#[utoipa::path(
    post, path = "/api/v1/users", tag = "control plane", request_body = wire::UserRequest,
    responses(
        (status = 201, description = "The link; it is shown once", body = wire::IssuedPasswordLink),
        (status = 409, description = "There is a user of this name", body = wire::ProblemDetails),
        (status = 422, description = "The name or a grant is malformed", body = wire::ProblemDetails),
    )
)]
pub(super) async fn create_user(
    State(app): State<ApiState>,
    PermitHeldEverywhere(permit): PermitHeldEverywhere<Admin>,
    JsonBody(request): JsonBody<wire::UserRequest>,
) -> Result<(StatusCode, Json<wire::IssuedPasswordLink>), ProblemResponse> {
    Ok((StatusCode::CREATED, Json(app.back_office.create_user(&permit, &request, &app.address.url).await?)))
}

/// All users, by name
#[utoipa::path(
    get, path = "/api/v1/users", tag = "control plane",
    responses((status = 200, description = "The users, without their passwords", body = wire::UserList))
)]
pub(super) async fn list_all_users(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Admin>,
) -> Result<Json<wire::UserList>, ProblemResponse> {
    Ok(Json(app.back_office.list_all_users(&permit).await?))
}

/// Give a user these grants, and no others
#[utoipa::path(
    put, path = "/api/v1/users/{name}/grants", tag = "control plane", request_body = wire::UserGrantsRequest,
    params(("name" = String, Path, description = "The user")),
    responses(
        (status = 204, description = "The user may do this from now on"),
        (status = 404, description = "There is no such user", body = wire::ProblemDetails),
        (status = 422, description = "A grant is malformed", body = wire::ProblemDetails),
    )
)]
pub(super) async fn replace_user_grants(
    State(app): State<ApiState>,
    PermitHeldEverywhere(permit): PermitHeldEverywhere<Admin>,
    PathParameters(name): PathParameters<String>,
    JsonBody(request): JsonBody<wire::UserGrantsRequest>,
) -> Result<StatusCode, ProblemResponse> {
    app.back_office.replace_user_grants(&permit, &name, &request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Create a new link with which a user sets a password; earlier ones are spoiled
#[utoipa::path(
    post, path = "/api/v1/users/{name}/password-link", tag = "control plane",
    params(("name" = String, Path, description = "The user")),
    responses(
        (status = 201, description = "The link; it is shown once", body = wire::IssuedPasswordLink),
        (status = 404, description = "There is no such user, or it is disabled", body = wire::ProblemDetails),
    )
)]
pub(super) async fn create_password_link(
    State(app): State<ApiState>,
    PermitHeldEverywhere(permit): PermitHeldEverywhere<Admin>,
    PathParameters(name): PathParameters<String>,
) -> Result<(StatusCode, Json<wire::IssuedPasswordLink>), ProblemResponse> {
    let link = app.back_office.create_password_link(&permit, &name, &app.address.url).await?;
    Ok((StatusCode::CREATED, Json(link)))
}

/// Keep anybody from logging in as this user, at once
#[utoipa::path(
    delete, path = "/api/v1/users/{name}", tag = "control plane",
    params(("name" = String, Path, description = "The user")),
    responses(
        (status = 204, description = "The user is disabled, and nobody is logged in as this user any more"),
        (status = 404, description = "There is no such user, or it is disabled already", body = wire::ProblemDetails),
    )
)]
pub(super) async fn disable_user(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Admin>,
    PathParameters(name): PathParameters<String>,
) -> Result<StatusCode, ProblemResponse> {
    app.back_office.disable_user(&permit, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
