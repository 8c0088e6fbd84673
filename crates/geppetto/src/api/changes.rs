//! Changes of roles, groups, environments and servers.

use axum::{Json, extract::State};
use model::wire;

use super::{
    App, extract,
    extract::{Allowed, Operator},
    problem::Problem,
};

/// Change some objects, or say what a change would do
///
/// All of the change is committed as one revision, or nothing. A change that changes nothing makes none.
#[utoipa::path(
    post, path = "/api/v1/changes", tag = "back-office", request_body = wire::Change,
    responses(
        (status = 200, description = "What it does; `revision` is absent if nothing was committed", body = wire::ChangeResult),
        (status = 409, description = "Somebody else committed meanwhile", body = wire::Problem),
        (status = 422, description = "It cannot be accepted; the detail lists every reason", body = wire::Problem),
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    Allowed { caller, .. }: Allowed<Operator>,
    extract::Json(change): extract::Json<wire::Change>,
) -> Result<Json<wire::ChangeResult>, Problem> {
    Ok(Json(app.office.change_some(change, &caller.actor()).await?))
}
