//! `/jobs`: what the control plane does in the background; `/jobs/NUMBER`: one of them with its log.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Html,
};
use model::wire::Job;

use super::{ROWS, revisions::BeforeQuery};
use crate::{
    auth::Viewer,
    web::{
        frame::Frame,
        page_error::PageError,
        page_state::PageState,
        time_text::{TimeText, time_text},
        visitor::Visitor,
    },
};

struct JobLine {
    job: Job,
    created: TimeText,
    due: TimeText,
    finished: Option<TimeText>,
    log: Vec<(TimeText, String)>,
}

#[derive(Template)]
#[template(path = "pages/jobs.html")]
struct JobsTemplate {
    frame: Frame,
    jobs: Vec<JobLine>,
    next: Option<u64>,
}

#[derive(Template)]
#[template(path = "pages/job.html")]
struct JobTemplate {
    frame: Frame,
    line: JobLine,
}

/// Lists the jobs.
pub(super) async fn list_jobs(
    State(state): State<PageState>,
    visitor: Visitor,
    Query(query): Query<BeforeQuery>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let now_us = state.back_office.clock.now_us();
    let found = state.back_office.list_jobs(&permit, query.before, ROWS as u32).await?;
    let page = JobsTemplate {
        frame: Frame::new(&visitor, "/jobs", "Jobs", "punch job list"),
        jobs: found.items.into_iter().map(|job| job_line(job, now_us)).collect(),
        next: found.next,
    };
    Ok(Html(page.render()?))
}

/// Shows one job.
pub(super) async fn show_job(
    State(state): State<PageState>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Html<String>, PageError> {
    let permit = visitor.require_access_level_somewhere::<Viewer>()?;
    let now_us = state.back_office.clock.now_us();
    let job = state.back_office.get_job(&permit, id).await?;
    let page = JobTemplate {
        frame: Frame::new(
            &visitor,
            "/jobs",
            format!("Job {id}: {}", job.kind),
            format!("punch job show {id}"),
        ),
        line: job_line(job, now_us),
    };
    Ok(Html(page.render()?))
}

fn job_line(job: Job, now_us: i64) -> JobLine {
    JobLine {
        created: time_text(job.created_us, now_us),
        due: time_text(job.due_us, now_us),
        finished: job.finished_us.map(|at_us| time_text(at_us, now_us)),
        log: job.log.iter().map(|entry| (time_text(entry.at_us, now_us), entry.text.clone())).collect(),
        job,
    }
}
