//! What happened: revisions, and the audit log.

use axum::{Json, extract::State};
use model::wire;

use super::{
    ApiState, extract,
    extract::{Allowed, HistoryQuery, Operator, QueryParameters, Viewer},
    problem::ProblemResponse,
};

/// Revisions, newest first
#[utoipa::path(
    get, path = "/api/v1/revisions", tag = "back-office", params(HistoryQuery),
    responses((status = 200, description = "A page of revisions", body = wire::RevisionPage))
)]
pub(super) async fn revisions(
    State(app): State<ApiState>,
    _caller: Allowed<Viewer>,
    QueryParameters(page): QueryParameters<HistoryQuery>,
) -> Result<Json<wire::RevisionPage>, ProblemResponse> {
    let limit = extract::limit(page.limit)?;
    let found = app.back_office.store.revisions(page.before, limit).await?;
    let next = found.last().filter(|last| found.len() == limit as usize && last.number > 1);
    let next = next.map(|last| last.number);
    let items = found
        .into_iter()
        .map(|r| wire::Revision {
            number: r.number,
            created_us: r.created_us,
            author: r.author,
            message: r.message,
        })
        .collect();
    Ok(Json(wire::RevisionPage { items, next }))
}

/// The audit log, newest first
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "control plane", params(HistoryQuery),
    responses((status = 200, description = "A page of the audit log", body = wire::AuditPage))
)]
pub(super) async fn audit(
    State(app): State<ApiState>,
    _caller: Allowed<Operator>,
    QueryParameters(page): QueryParameters<HistoryQuery>,
) -> Result<Json<wire::AuditPage>, ProblemResponse> {
    let limit = extract::limit(page.limit)?;
    let found = app.back_office.store.audit(page.before, limit).await?;
    let next = found.last().filter(|last| found.len() == limit as usize && last.id > 1).map(|last| last.id);
    let items = found
        .into_iter()
        .map(|a| wire::AuditEntry {
            id: a.id,
            at_us: a.at_us,
            actor: a.actor,
            action: a.action,
            subject: a.subject,
            detail: a.detail,
        })
        .collect();
    Ok(Json(wire::AuditPage { items, next }))
}
