//! What happened: revisions, what differs between two, and the audit log.

use axum::{Json, extract::State};
use model::wire;
use serde::Deserialize;

use super::{
    ApiState, extract,
    extract::{HistoryPageQuery, QueryParameters},
    problem::ProblemResponse,
};
use crate::auth::{Operator, UnscopedPermit, Viewer};

/// Revisions, newest first
#[utoipa::path(
    get, path = "/api/v1/revisions", tag = "back-office", params(HistoryPageQuery),
    responses((status = 200, description = "A page of revisions", body = wire::RevisionPage))
)]
pub(super) async fn list_revisions(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    QueryParameters(page): QueryParameters<HistoryPageQuery>,
) -> Result<Json<wire::RevisionPage>, ProblemResponse> {
    Ok(Json(
        app.back_office
            .list_revisions(&permit, page.before, extract::checked_page_limit_or_default(page.limit)?)
            .await?,
    ))
}

/// Which revisions are compared.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RevisionDiffQuery {
    /// The older revision.
    from: u64,
    /// The newer revision.
    to: u64,
}

/// What differs between two revisions
#[utoipa::path(
    get, path = "/api/v1/revisions/diff", tag = "back-office", params(RevisionDiffQuery),
    responses(
        (status = 200, description = "The places that differ; secrets are masked where the token may not see them", body = wire::RevisionDiff),
        (status = 404, description = "There is no such revision", body = wire::ProblemDetails),
    )
)]
pub(super) async fn diff_revisions(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    QueryParameters(query): QueryParameters<RevisionDiffQuery>,
) -> Result<Json<wire::RevisionDiff>, ProblemResponse> {
    Ok(Json(app.back_office.diff_revisions(&permit, query.from, query.to).await?))
}

/// The audit log, newest first
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "control plane", params(HistoryPageQuery),
    responses((status = 200, description = "A page of the audit log", body = wire::AuditPage))
)]
pub(super) async fn list_audit_entries(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    QueryParameters(page): QueryParameters<HistoryPageQuery>,
) -> Result<Json<wire::AuditPage>, ProblemResponse> {
    Ok(Json(
        app.back_office
            .list_audit_entries(&permit, page.before, extract::checked_page_limit_or_default(page.limit)?)
            .await?,
    ))
}
