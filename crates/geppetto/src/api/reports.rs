//! What servers report, and what they reported.

use axum::{Json, extract::State, http::StatusCode};
use model::{name::ServerName, report::Report, wire};

use super::{
    ApiState, extract,
    extract::{AuthenticatedServerInPath, HistoryPageQuery, PathParameters, QueryParameters},
    problem::ProblemResponse,
};
use crate::auth::Principal;

/// Report what a run did
///
/// A run is identified by its start time: a repeated report is ignored. Of each server the newest 500
/// reports are kept, and the newest 50 of runs that did not succeed.
#[utoipa::path(
    post, path = "/api/v1/servers/{server}/reports", tag = "servers", request_body = Report,
    params(("server" = String, Path, description = "The server that reports")),
    responses((status = 201, description = "It is stored", body = wire::StoredReport))
)]
pub(super) async fn receive_report(
    State(app): State<ApiState>,
    AuthenticatedServerInPath { principal, server }: AuthenticatedServerInPath,
    extract::JsonBody(report): extract::JsonBody<Report>,
) -> Result<(StatusCode, Json<wire::StoredReport>), ProblemResponse> {
    if report.server != server.as_str() {
        return Err(ProblemResponse::unprocessable_entity(format!(
            "the report is about `{}` and was sent as one of {server}; report for the server that ran",
            report.server
        )));
    }
    let stored = app.back_office.receive_report(&principal, &server, report).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// A server's reports, newest first
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/reports", tag = "servers",
    params(("server" = String, Path, description = "The server"), HistoryPageQuery),
    responses(
        (status = 200, description = "A page of reports, without what was done", body = wire::ReportPage),
        (status = 404, description = "There is no such server", body = wire::ProblemDetails),
    )
)]
pub(super) async fn list_reports_of_server(
    State(app): State<ApiState>,
    principal: Principal,
    PathParameters(server): PathParameters<ServerName>,
    QueryParameters(page): QueryParameters<HistoryPageQuery>,
) -> Result<Json<wire::ReportPage>, ProblemResponse> {
    let limit = extract::checked_page_limit_or_default(page.limit)?;
    Ok(Json(app.back_office.list_reports_of_server(&principal, &server, page.before, limit).await?))
}

/// One report, whole
#[utoipa::path(
    get, path = "/api/v1/servers/{server}/reports/{report}", tag = "servers",
    params(
        ("server" = String, Path, description = "The server"),
        ("report" = u64, Path, description = "Its number"),
    ),
    responses(
        (status = 200, description = "All of it", body = wire::StoredReport),
        (status = 404, description = "There is none, or it is too old to be kept", body = wire::ProblemDetails),
    )
)]
pub(super) async fn get_report(
    State(app): State<ApiState>,
    principal: Principal,
    PathParameters((server, report)): PathParameters<(ServerName, u64)>,
) -> Result<Json<wire::StoredReport>, ProblemResponse> {
    Ok(Json(app.back_office.get_report(&principal, &server, report).await?))
}
