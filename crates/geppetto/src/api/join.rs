//! How servers join.

use axum::{extract::State, http::StatusCode};
use model::{name::ServerName, wire};

use super::{
    App,
    extract::{Allowed, Json, Operator},
    problem::Problem,
};

/// Make a one-time token for a server to join with
#[utoipa::path(
    post, path = "/api/v1/join-tokens", tag = "servers", request_body = wire::NewJoinToken,
    responses((status = 201, description = "The token; it is shown once", body = wire::JoinToken))
)]
pub(super) async fn create_join_token(
    State(app): State<App>,
    Allowed { caller, .. }: Allowed<Operator>,
    Json(new): Json<wire::NewJoinToken>,
) -> Result<(StatusCode, axum::Json<wire::JoinToken>), Problem> {
    let server = ServerName::new(&new.server).map_err(|error| Problem::bad_request(error.to_string()))?;
    let token = app.office.create_join_token(&server, new.seconds, &caller.actor()).await?;
    Ok((StatusCode::CREATED, axum::Json(token)))
}

/// Join with a one-time token
///
/// An earlier credential of the same server is good no longer.
#[utoipa::path(
    post, path = "/api/v1/join", tag = "servers", request_body = wire::Join, security(()),
    responses((status = 200, description = "What the server needs from now on", body = wire::Joined))
)]
pub(super) async fn join(
    State(app): State<App>,
    Json(join): Json<wire::Join>,
) -> Result<axum::Json<wire::Joined>, Problem> {
    let joined = app.office.join(&join).await?.ok_or_else(|| {
        Problem::forbidden(
            "the join token is not good for this server: it may be used up, expired, or made for another server \
             name. Ask an operator for a new one (`geppetto join-token SERVER`)",
        )
    })?;
    Ok(axum::Json(joined))
}
