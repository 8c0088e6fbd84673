//! What servers report, and what they reported.

use axum::{Json, extract::State, http::StatusCode};
use model::{name::ServerName, report::Report, wire};

use super::{
    App, extract,
    extract::{HistoryPage, Path, Query, needs},
    problem::Problem,
};
use crate::auth::{Caller, Role};

/// Report what a run did
#[utoipa::path(
    post, path = "/api/v1/servers/{server}/reports", tag = "servers", request_body = Report,
    params(("server" = String, Path, description = "The server that reports")),
    responses((status = 201, description = "It is stored", body = wire::StoredReport))
)]
pub(super) async fn add_report(
    State(app): State<App>,
    caller: Caller,
    Path(server): Path<ServerName>,
    extract::Json(report): extract::Json<Report>,
) -> Result<(StatusCode, Json<wire::StoredReport>), Problem> {
    if !caller.is_server(&server) {
        return Err(Problem::forbidden(format!("only {server} itself may report for {server}")));
    }
    if report.server != server.as_str() {
        return Err(Problem::bad_request(format!(
            "the report is about `{}` and was sent as one of {server}; report for the server that ran",
            report.server
        )));
    }
    let stored = app.office.add_report(&server, report, &caller.actor()).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// A server's reports, newest first
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/reports", tag = "servers",
    params(("server" = String, Path, description = "The server"), HistoryPage),
    responses((status = 200, description = "A page of reports", body = wire::Reports))
)]
pub(super) async fn reports(
    State(app): State<App>,
    caller: Caller,
    Path(server): Path<ServerName>,
    Query(page): Query<HistoryPage>,
) -> Result<Json<wire::Reports>, Problem> {
    if !caller.is_server(&server) {
        needs(&caller, Role::Viewer)?;
    }
    let limit = extract::limit(page.limit)?;
    Ok(Json(app.office.reports(&server, page.before, limit).await?))
}
