//! Whether the control plane works.

use axum::{Json, extract::State};
use serde::Serialize;

use super::{ApiState, problem::ProblemResponse};

/// That it works.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct HealthStatus {
    /// `ok`: the database answers.
    status: &'static str,
    /// The program's version.
    version: &'static str,
}

/// Whether the control plane works
#[utoipa::path(
    get, path = "/api/v1/health", tag = "control plane", security(()),
    responses((status = 200, description = "It works", body = HealthStatus))
)]
pub(super) async fn get_health_status(
    State(app): State<ApiState>,
) -> Result<Json<HealthStatus>, ProblemResponse> {
    app.back_office.ping_database().await?;
    Ok(Json(HealthStatus { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
