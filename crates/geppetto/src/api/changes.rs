//! Changes of roles, groups, environments and servers.

use axum::{Json, extract::State};
use model::wire;

use super::{
    ApiState, extract,
    extract::{Allowed, LargeBody, Operator},
    problem::ProblemResponse,
};
use crate::backoffice::{ChangeProposal, ProposedEstate};

/// Change some places, or preview a change
///
/// All of the change is committed as one revision, or nothing. A change that changes nothing makes none. With
/// `base`, a change of what others changed since that revision is refused.
#[utoipa::path(
    post, path = "/api/v1/changes", tag = "back-office", request_body = wire::ChangeRequest,
    responses(
        (status = 200, description = "What it does; `revision` is absent if nothing was committed", body = wire::ChangeResult),
        (status = 409, description = "The same place was changed since `base`", body = wire::ProblemDetails),
        (status = 422, description = "It cannot be accepted; the detail lists every reason", body = wire::ProblemDetails),
    )
)]
pub(super) async fn change(
    State(app): State<ApiState>,
    Allowed { caller, .. }: Allowed<Operator>,
    _turn: LargeBody,
    extract::JsonBody(change): extract::JsonBody<wire::ChangeRequest>,
) -> Result<Json<wire::ChangeResult>, ProblemResponse> {
    let wire::ChangeRequest { documents, message, preview, base } = change;
    let proposal = ChangeProposal { proposed: ProposedEstate::Some(documents), message, preview, base };
    Ok(Json(app.back_office.change(proposal, &caller.actor()).await?))
}
