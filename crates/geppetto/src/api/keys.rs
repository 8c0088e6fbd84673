//! The keys that packages are trusted by.

use axum::{Json, extract::State};
use model::wire;

use super::{ApiState, extract::JsonBody, problem::ProblemResponse};
use crate::auth::{Admin, UnscopedPermit, Viewer};

/// The keys that packages and metadata are trusted by
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "packages",
    responses((status = 200, description = "Their fingerprints", body = wire::TrustedKeyList))
)]
pub(super) async fn list_trusted_package_key_fingerprints(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
) -> Result<Json<wire::TrustedKeyList>, ProblemResponse> {
    Ok(Json(app.back_office.list_trusted_package_key_fingerprints(&permit).await?))
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
    permit: UnscopedPermit<Admin>,
    JsonBody(request): JsonBody<wire::KeyTrustRequest>,
) -> Result<Json<wire::TrustedKeyList>, ProblemResponse> {
    Ok(Json(app.back_office.trust_package_keys(&permit, request.armored).await?))
}
