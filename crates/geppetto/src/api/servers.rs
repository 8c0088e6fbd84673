//! What a server shows when it asks: taken from it.

use axum::{extract::State, http::StatusCode};
use model::{name::ServerName, wire};

use super::{
    App,
    extract::{Allowed, Operator, Path},
    problem::Problem,
};

/// Revoke a server's credential and join tokens; it must join again
#[utoipa::path(
    delete, path = "/api/v1/servers/{server}/credential", tag = "servers",
    params(("server" = String, Path, description = "The server, also one that is not in the estate any more")),
    responses(
        (status = 204, description = "It has none"),
        (status = 404, description = "There is no such server", body = wire::Problem),
    )
)]
pub(super) async fn revoke(
    State(app): State<App>,
    Allowed { caller, .. }: Allowed<Operator>,
    Path(server): Path<ServerName>,
) -> Result<StatusCode, Problem> {
    app.office.revoke_server(&server, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
