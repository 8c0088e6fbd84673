//! Whether the control plane works.

use axum::{Json, extract::State};
use serde::Serialize;

use super::{ApiState, problem::ProblemResponse};

/// A sign of life.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct HealthStatus {
    /// `ok`: the database answers.
    status: &'static str,
    /// The program's version.
    version: &'static str,
}

/// A sign of life
#[utoipa::path(
    get, path = "/api/v1/health", tag = "control plane", security(()),
    responses((status = 200, description = "It works", body = HealthStatus))
)]
pub(super) async fn health(State(app): State<ApiState>) -> Result<Json<HealthStatus>, ProblemResponse> {
    app.back_office.store.ping().await?;
    Ok(Json(HealthStatus { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
