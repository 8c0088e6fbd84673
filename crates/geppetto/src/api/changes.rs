//! Changes of roles, groups, environments and servers.

use axum::{Json, extract::State};
use model::wire;

use super::{
    App, extract,
    extract::{Allowed, Large, Operator},
    problem::Problem,
};
use crate::backoffice::{Proposal, Proposed};

/// Change some objects, or say what a change would do
///
/// All of the change is committed as one revision, or nothing. A change that changes nothing makes none. With
/// `base`, a change of what others changed since that revision is refused.
#[utoipa::path(
    post, path = "/api/v1/changes", tag = "back-office", request_body = wire::Change,
    responses(
        (status = 200, description = "What it does; `revision` is absent if nothing was committed", body = wire::ChangeResult),
        (status = 409, description = "Somebody else changed the same since `base`", body = wire::Problem),
        (status = 422, description = "It cannot be accepted; the detail lists every reason", body = wire::Problem),
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    Allowed { caller, .. }: Allowed<Operator>,
    _turn: Large,
    extract::Json(change): extract::Json<wire::Change>,
) -> Result<Json<wire::ChangeResult>, Problem> {
    let wire::Change { documents, message, preview, base } = change;
    let proposal = Proposal { proposed: Proposed::Some(documents), message, preview, base };
    Ok(Json(app.office.change(proposal, &caller.actor()).await?))
}
