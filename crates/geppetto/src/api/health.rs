//! Whether the control plane works.

use axum::{Json, extract::State};
use model::wire;
use serde::Serialize;

use super::{ApiState, problem::ProblemResponse};

/// That it works.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct HealthStatus {
    /// `ok`: the database can be written to.
    status: &'static str,
    /// The program's version.
    version: &'static str,
}

/// Whether the control plane works
#[utoipa::path(
    get, path = "/api/v1/health", tag = "control plane", security(()),
    responses(
        (status = 200, description = "It works", body = HealthStatus),
        (status = 503, description = "The database is busy", body = wire::ProblemDetails),
        (status = 507, description = "Its disk is full", body = wire::ProblemDetails),
    )
)]
pub(super) async fn get_health_status(
    State(app): State<ApiState>,
) -> Result<Json<HealthStatus>, ProblemResponse> {
    app.back_office.check_database_is_writable().await?;
    Ok(Json(HealthStatus { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
