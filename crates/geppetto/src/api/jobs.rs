//! Background work: created, looked at, cancelled and tried again.

use axum::{Json, extract::State, http::StatusCode};
use model::wire;
use serde::Deserialize;

use super::{
    ApiState, extract,
    extract::{HistoryPageQuery, JsonBody, PathParameters, PermitHeldEverywhere, QueryParameters},
    problem::ProblemResponse,
};
use crate::auth::{Operator, UnscopedPermit, Viewer};

/// Create a job
///
/// A job that needs no input and waits already is started instead.
#[utoipa::path(
    post, path = "/api/v1/jobs", tag = "control plane", request_body = wire::JobRequest,
    responses(
        (status = 202, description = "It waits for a control plane to take it", body = wire::Job),
        (status = 404, description = "There is no such channel", body = wire::ProblemDetails),
        (status = 422, description = "There is no such job, or its input is wrong", body = wire::ProblemDetails),
    )
)]
pub(super) async fn request_job_run(
    State(app): State<ApiState>,
    PermitHeldEverywhere(permit): PermitHeldEverywhere<Operator>,
    JsonBody(request): JsonBody<wire::JobRequest>,
) -> Result<(StatusCode, Json<wire::Job>), ProblemResponse> {
    Ok((StatusCode::ACCEPTED, Json(app.back_office.request_job_run(&permit, &request).await?)))
}

/// How many versions a retention keeps.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RetentionQuery {
    /// How many of the newest versions of each component are kept in any case.
    #[param(minimum = 1)]
    keep: u32,
}

/// What the job `retain-versions` would remove now
#[utoipa::path(
    get, path = "/api/v1/retention-preview", tag = "control plane", params(RetentionQuery),
    responses(
        (status = 200, description = "The versions that no kept node file needs", body = wire::RetentionPreview),
        (status = 422, description = "`keep` is 0", body = wire::ProblemDetails),
    )
)]
pub(super) async fn preview_retention(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    QueryParameters(retention): QueryParameters<RetentionQuery>,
) -> Result<Json<wire::RetentionPreview>, ProblemResponse> {
    Ok(Json(app.back_office.preview_removal_of_unneeded_versions(&permit, retention.keep).await?))
}

/// Jobs, newest first
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "control plane", params(HistoryPageQuery),
    responses((status = 200, description = "A page of jobs, without their logs", body = wire::JobPage))
)]
pub(super) async fn list_jobs(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    QueryParameters(page): QueryParameters<HistoryPageQuery>,
) -> Result<Json<wire::JobPage>, ProblemResponse> {
    Ok(Json(
        app.back_office
            .list_jobs(&permit, page.before, extract::checked_page_limit_or_default(page.limit)?)
            .await?,
    ))
}

/// One job with its log
#[utoipa::path(
    get, path = "/api/v1/jobs/{job}", tag = "control plane",
    params(("job" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "The job", body = wire::Job),
        (status = 404, description = "There is none", body = wire::ProblemDetails),
    )
)]
pub(super) async fn get_job(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Viewer>,
    PathParameters(job): PathParameters<u64>,
) -> Result<Json<wire::Job>, ProblemResponse> {
    Ok(Json(app.back_office.get_job(&permit, job).await?))
}

/// Ask a job to stop
#[utoipa::path(
    post, path = "/api/v1/jobs/{job}/cancel", tag = "control plane",
    params(("job" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "It ended, or will be stopped within seconds", body = wire::Job),
        (status = 404, description = "There is none", body = wire::ProblemDetails),
        (status = 409, description = "It ended already", body = wire::ProblemDetails),
    )
)]
pub(super) async fn request_job_cancellation(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    PathParameters(job): PathParameters<u64>,
) -> Result<Json<wire::Job>, ProblemResponse> {
    Ok(Json(app.back_office.request_job_cancellation(&permit, job).await?))
}

/// Create a job that does again what one that ended should have done
#[utoipa::path(
    post, path = "/api/v1/jobs/{job}/retry", tag = "control plane",
    params(("job" = u64, Path, description = "The number of the one that ended")),
    responses(
        (status = 202, description = "The new job", body = wire::Job),
        (status = 404, description = "There is none", body = wire::ProblemDetails),
        (status = 409, description = "It has not ended yet", body = wire::ProblemDetails),
    )
)]
pub(super) async fn retry_job_as_new_job(
    State(app): State<ApiState>,
    permit: UnscopedPermit<Operator>,
    PathParameters(job): PathParameters<u64>,
) -> Result<(StatusCode, Json<wire::Job>), ProblemResponse> {
    Ok((StatusCode::ACCEPTED, Json(app.back_office.retry_ended_job_as_new_job(&permit, job).await?)))
}
