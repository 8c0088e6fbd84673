//! Whether the control plane works.

use axum::{Json, extract::State};
use serde::Serialize;

use super::{App, problem::Problem};

/// A sign of life.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Health {
    /// `ok`: the database answers.
    status: &'static str,
    /// The program's version.
    version: &'static str,
}

/// A sign of life
#[utoipa::path(
    get, path = "/api/v1/health", tag = "control plane", security(()),
    responses((status = 200, description = "It works", body = Health))
)]
pub(super) async fn health(State(app): State<App>) -> Result<Json<Health>, Problem> {
    app.office.store.ping().await?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
