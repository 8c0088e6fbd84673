//! The keys that packages are trusted by.

use axum::{Json, extract::State, http::StatusCode};
use model::wire;

use super::{
    ApiState,
    extract::{JsonBody, PathParameters, PermitHeldEverywhere},
    problem::ProblemResponse,
};
use crate::auth::{Admin, UnscopedPermit, Viewer};

/// The keys that packages and metadata are or were trusted by
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "packages",
    responses((status = 200, description = "The keys", body = wire::TrustedKeyList))
)]
pub(super) async fn list_package_key_statuses(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
) -> Result<Json<wire::TrustedKeyList>, ProblemResponse> {
    Ok(Json(app.back_office.list_package_key_statuses(&permit).await?))
}

/// Trust packages signed by these keys
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "packages", request_body = wire::KeyTrustRequest,
    responses(
        (status = 200, description = "Their fingerprints", body = wire::TrustedKeyList),
        (status = 422, description = "It is no OpenPGP certificate", body = wire::ProblemDetails),
    )
)]
pub(super) async fn trust_package_keys(
    State(app): State<ApiState>,
    PermitHeldEverywhere(permit): PermitHeldEverywhere<Admin>,
    JsonBody(request): JsonBody<wire::KeyTrustRequest>,
) -> Result<Json<wire::TrustedKeyList>, ProblemResponse> {
    Ok(Json(app.back_office.trust_package_keys(&permit, request.armored).await?))
}

/// Accept no new package signed by this key
///
/// Packages that were received before stay, and servers go on trusting them. `punch key trust` accepts the key again.
#[utoipa::path(
    delete, path = "/api/v1/keys/{fingerprint}", tag = "packages",
    params(("fingerprint" = String, Path, description = "The key, in hexadecimal")),
    responses(
        (status = 204, description = "The key is withdrawn"),
        (status = 404, description = "There is no such key", body = wire::ProblemDetails),
        (status = 422, description = "It is the key of the repository itself", body = wire::ProblemDetails),
    )
)]
pub(super) async fn withdraw_package_key(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Admin>,
    PathParameters(fingerprint): PathParameters<String>,
) -> Result<StatusCode, ProblemResponse> {
    app.back_office.withdraw_package_key(&permit, &fingerprint).await?;
    Ok(StatusCode::NO_CONTENT)
}
