//! Changes of roles, groups, environments and servers, and the whole estate.

use axum::{Json, extract::State};
use model::wire;
use serde::Deserialize;

use super::{
    ApiState,
    extract::{JsonBody, LargeBodyMemorySlot, QueryParameters},
    problem::ProblemResponse,
};
use crate::{
    auth::{Operator, UnscopedPermit, Viewer},
    backoffice::{EstateChangeSubmission, SubmittedEstate},
};

/// Change some places or the whole estate, or preview a change
///
/// All of the change is committed as one revision, or nothing. A change that changes nothing makes none. With
/// `base`, a change of what others changed since that revision is refused. It needs a grant of an operator wherever
/// its effects fall: in the environment of each server whose node file changes, for each component that does.
#[utoipa::path(
    post, path = "/api/v1/changes", tag = "back-office", request_body = wire::EstateChangeRequest,
    responses(
        (status = 200, description = "What it does; `revision` is absent if nothing was committed", body = wire::EstateChangeResult),
        (status = 404, description = "There is no revision `base`", body = wire::ProblemDetails),
        (status = 409, description = "The same place was changed since `base`", body = wire::ProblemDetails),
        (status = 422, description = "It cannot be accepted; `faults` lists the reasons, the first thousand of them", body = wire::ProblemDetails),
        (status = 429, description = "The token has too many changes in progress; `Retry-After` says when to try again", body = wire::ProblemDetails),
    )
)]
pub(super) async fn submit_change(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    _turn: LargeBodyMemorySlot,
    JsonBody(change): JsonBody<wire::EstateChangeRequest>,
) -> Result<Json<wire::EstateChangeResult>, ProblemResponse> {
    let wire::EstateChangeRequest { documents, whole, allow_empty, message, preview, base, diffs } = change;
    let proposed = match whole {
        true => {
            let removed = documents.iter().find(|(_, text)| text.is_none());
            if let Some((path, _)) = removed {
                return Err(ProblemResponse::unprocessable_entity(format!(
                    "`{path}` is null in a change of the whole estate; leave out what is to be removed"
                )));
            }
            let documents = documents.into_iter().filter_map(|(path, text)| Some((path, text?))).collect();
            SubmittedEstate::Whole { documents, allow_empty }
        }
        false => SubmittedEstate::Some(documents),
    };
    let proposal = EstateChangeSubmission { proposed, message, preview, base, diffs };
    Ok(Json(app.back_office.commit_or_preview_change(&permit, proposal).await?))
}

/// Which revision is exported.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EstateExportQuery {
    /// The revision; the newest if absent.
    revision: Option<u64>,
}

/// The documents of the whole estate
///
/// What the token may not see is left out or masked; `complete` says whether that happened.
#[utoipa::path(
    get, path = "/api/v1/estate", tag = "back-office", params(EstateExportQuery),
    responses(
        (status = 200, description = "The documents", body = wire::EstateExport),
        (status = 404, description = "There is no such revision", body = wire::ProblemDetails),
    )
)]
pub(super) async fn export_estate(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    QueryParameters(query): QueryParameters<EstateExportQuery>,
) -> Result<Json<wire::EstateExport>, ProblemResponse> {
    Ok(Json(app.back_office.export_estate(&permit, query.revision).await?))
}
