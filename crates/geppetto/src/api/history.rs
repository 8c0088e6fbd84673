//! What happened: revisions, and the audit log.

use axum::{Json, extract::State};
use model::wire;

use super::{
    App, extract,
    extract::{Allowed, HistoryPage, Operator, Query, Viewer},
    problem::Problem,
};

/// Revisions, newest first
#[utoipa::path(
    get, path = "/api/v1/revisions", tag = "back-office", params(HistoryPage),
    responses((status = 200, description = "A page of revisions", body = wire::Revisions))
)]
pub(super) async fn revisions(
    State(app): State<App>,
    _caller: Allowed<Viewer>,
    Query(page): Query<HistoryPage>,
) -> Result<Json<wire::Revisions>, Problem> {
    let limit = extract::limit(page.limit)?;
    let found = app.office.store.revisions(page.before, limit).await?;
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
    Ok(Json(wire::Revisions { items, next }))
}

/// The audit log, newest first
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "control plane", params(HistoryPage),
    responses((status = 200, description = "A page of the audit log", body = wire::AuditLog))
)]
pub(super) async fn audit(
    State(app): State<App>,
    _caller: Allowed<Operator>,
    Query(page): Query<HistoryPage>,
) -> Result<Json<wire::AuditLog>, Problem> {
    let limit = extract::limit(page.limit)?;
    let found = app.office.store.audit(page.before, limit).await?;
    let next = found.last().filter(|last| found.len() == limit as usize && last.id > 1).map(|last| last.id);
    let items = found
        .into_iter()
        .map(|a| wire::Audited {
            id: a.id,
            at_us: a.at_us,
            actor: a.actor,
            action: a.action,
            subject: a.subject,
            detail: a.detail,
        })
        .collect();
    Ok(Json(wire::AuditLog { items, next }))
}
