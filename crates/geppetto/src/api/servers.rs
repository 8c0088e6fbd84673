//! The credentials of servers: shown, revoked.

use axum::{Json, extract::State, http::StatusCode};
use model::{name::ServerName, wire};

use super::{ApiState, extract::PathParameters, problem::ProblemResponse};
use crate::auth::{Operator, UnscopedPermit};

/// What revoking a server's credential takes away
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/credential", tag = "servers",
    params(("server" = String, Path, description = "The server, also one that is not in the estate any more")),
    responses(
        (status = 200, description = "Whether it has a credential, and when it last reported", body = wire::ServerCredentialStatus),
        (status = 404, description = "There is no such server", body = wire::ProblemDetails),
    )
)]
pub(super) async fn get_server_credential_status(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    PathParameters(server): PathParameters<ServerName>,
) -> Result<Json<wire::ServerCredentialStatus>, ProblemResponse> {
    Ok(Json(app.back_office.get_server_credential_status(&permit, &server).await?))
}

/// Revoke a server's credential and join tokens; it must join again
#[utoipa::path(
    delete, path = "/api/v1/servers/{server}/credential", tag = "servers",
    params(("server" = String, Path, description = "The server, also one that is not in the estate any more")),
    responses(
        (status = 204, description = "It has none"),
        (status = 404, description = "There is no such server", body = wire::ProblemDetails),
    )
)]
pub(super) async fn revoke_server_credential_and_join_tokens(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    PathParameters(server): PathParameters<ServerName>,
) -> Result<StatusCode, ProblemResponse> {
    app.back_office.revoke_server_credential_and_join_tokens(&permit, &server).await?;
    Ok(StatusCode::NO_CONTENT)
}
