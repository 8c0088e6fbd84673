//! Jobs as people see them: created, listed, cancelled and tried again.

use model::{name::Name, wire};

use super::{BackOffice, BackOfficeError};
use crate::{
    auth::{Operator, UnscopedPermit, Viewer},
    jobs::{InvalidJobRequestError, JobKind},
    store::{JobRow, JobState, NewJob},
};

/// How often a job that somebody asked for is tried.
const MAX_ATTEMPTS: u32 = 3;

impl BackOffice {
    /// Creates a job; one that needs no input and waits already is started instead.
    pub(crate) async fn request_job_run(
        &self,
        permit: &UnscopedPermit<Operator>,
        request: &wire::JobRequest,
    ) -> Result<wire::Job, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let channel = request.channel.as_deref().map(Name::new).transpose();
        let channel = channel.map_err(|error| BackOfficeError::Refused(error.to_string()))?;
        let kind = JobKind::job_kind_from_request(&request.kind, request.keep, channel)
            .map_err(|error: InvalidJobRequestError| BackOfficeError::Refused(error.to_string()))?;
        if let (_, Some(channel)) = kind.input_keep_count_and_channel() {
            self.run_blocking_with_repository(move |repository| repository.check_channel_exists(&channel))
                .await?;
        }
        let (input, now_us) = (kind.input_json(), self.clock.now_us());
        let new = NewJob {
            kind: kind.job_kind_name(),
            input: &input,
            unique_key: kind.unique_key_while_unfinished(),
            due_us: now_us,
            max_attempts: MAX_ATTEMPTS,
        };
        let id =
            self.store.insert_job_or_get_unfinished(&new, &self.audit_context(&permit.audit_actor())).await?;
        if let Some(key) = kind.unique_key_while_unfinished() {
            self.store.start_waiting_job_now(key, now_us).await?;
        }
        self.stored_job(id).await
    }

    /// Jobs before `before`, newest first.
    pub(crate) async fn list_jobs(
        &self,
        permit: &UnscopedPermit<Viewer>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<wire::JobPage, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let found = self.store.read_jobs(before, limit).await?;
        let next =
            found.last().filter(|last| found.len() == limit as usize && last.id > 1).map(|last| last.id);
        Ok(wire::JobPage { items: found.into_iter().map(wire_job).collect(), next })
    }

    /// One job with its log.
    pub(crate) async fn get_job(
        &self,
        permit: &UnscopedPermit<Viewer>,
        id: u64,
    ) -> Result<wire::Job, BackOfficeError> {
        permit.require_grant_everywhere()?;
        self.stored_job(id).await
    }

    /// Asks a job to stop.
    pub(crate) async fn request_job_cancellation(
        &self,
        permit: &UnscopedPermit<Operator>,
        id: u64,
    ) -> Result<wire::Job, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let cancelled =
            self.store.request_job_cancellation(id, &self.audit_context(&permit.audit_actor())).await?;
        let job = self.stored_job(id).await?;
        match cancelled {
            Some(_) => Ok(job),
            None => Err(BackOfficeError::Conflict(format!(
                "job {id} is {} already; it cannot be cancelled",
                job.state
            ))),
        }
    }

    /// Creates a job that does again what a job that ended should have done.
    pub(crate) async fn retry_ended_job_as_new_job(
        &self,
        permit: &UnscopedPermit<Operator>,
        id: u64,
    ) -> Result<wire::Job, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let job = self.store.read_job(id).await?.ok_or_else(|| unknown_job(id))?;
        if matches!(job.state, JobState::Waiting | JobState::Running) {
            let state = job.state.as_str();
            return Err(BackOfficeError::Conflict(format!(
                "job {id} is {state}; it can be tried again once it ended"
            )));
        }
        let kind = JobKind::from_stored_name_and_input(&job.kind, &job.input)
            .map_err(|error| BackOfficeError::Refused(format!("job {id} cannot be tried again: {error}")))?;
        let (keep, channel) = kind.input_keep_count_and_channel();
        let request =
            wire::JobRequest { kind: job.kind, keep, channel: channel.map(|name| name.to_string()) };
        self.request_job_run(permit, &request).await
    }

    async fn stored_job(&self, id: u64) -> Result<wire::Job, BackOfficeError> {
        let job = self.store.read_job(id).await?.ok_or_else(|| unknown_job(id))?;
        let log = self.store.read_job_log(id).await?;
        let log =
            log.into_iter().map(|line| wire::JobLogEntry { at_us: line.at_us, text: line.text }).collect();
        Ok(wire::Job { log, ..wire_job(job) })
    }
}

fn unknown_job(id: u64) -> BackOfficeError {
    BackOfficeError::Absent(format!("there is no job {id}; `punch job list` lists those of the last 30 days"))
}

fn wire_job(job: JobRow) -> wire::Job {
    wire::Job {
        id: job.id,
        kind: job.kind,
        state: job.state.as_str().to_owned(),
        created_us: job.created_us,
        created_by: job.created_by,
        due_us: job.due_us,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        owner: job.owner,
        cancel_requested: job.cancel_requested_us.is_some(),
        progress_done: job.progress_done,
        progress_total: job.progress_total,
        result: job.result,
        finished_us: job.finished_us,
        log: Vec::new(),
    }
}
