//! The worker: takes jobs that are due, runs them, and keeps their leases while it does.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use model::wire::ControlPlaneEvent;
use tokio::sync::{broadcast, watch};

use super::JobKind;
use crate::{
    auth::{Admin, UnscopedPermit},
    backoffice::{BackOffice, BackOfficeError},
    command_error::join_error_and_sources,
    store::{JobState, LeasedJob, NewJob, StoreError},
};

/// How long a job belongs to the control plane that took it, in microseconds. When that was killed, another one
/// takes the job over after this time.
const LEASE_US: i64 = 30 * 1_000_000;
/// How often a lease is renewed.
const RENEW_AFTER: Duration = Duration::from_secs(5);
/// How long a worker sleeps at most: another control plane's job may have lost its lease.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(15);
/// How long after its first failure a job is tried again, in microseconds; twice as long after each further one.
const RETRY_AFTER_US: i64 = 10 * 1_000_000;
/// How often a reconciler's run is tried before it waits for its next turn.
const RECONCILER_ATTEMPTS: u32 = 3;

/// What a control plane does by itself, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RepositoryReconcilerSettings {
    /// Every how many hours the repository is checked; never if absent.
    pub(crate) check_repository_every: Option<u32>,
    /// How many of the newest versions of each component are kept; all if absent.
    pub(crate) keep_versions: Option<u32>,
}

/// What a running job works with.
pub(crate) struct RunningJobContext {
    /// The back-office.
    pub(crate) back_office: Arc<BackOffice>,
    /// On whose behalf it works.
    pub(crate) permit: UnscopedPermit<Admin>,
    /// What this control plane does by itself.
    pub(crate) schedule: RepositoryReconcilerSettings,
    log: Mutex<Vec<String>>,
    done: AtomicU64,
    total: AtomicU64,
    /// Set when it is cancelled, interrupted or taken over.
    stopped: AtomicBool,
}

impl RunningJobContext {
    /// Adds a line to the job's log.
    pub(crate) fn append_log_line(&self, line: String) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Tells how much is done, of how much; `false` when the job shall stop.
    pub(crate) fn report_progress_and_may_continue(&self, done: u64, total: u64) -> bool {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        !self.stopped.load(Ordering::Relaxed)
    }

    fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn progress(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Takes jobs and runs them, one after the other, until `end` is true.
pub(crate) async fn run_job_worker(
    back_office: Arc<BackOffice>,
    owner: String,
    schedule: RepositoryReconcilerSettings,
    mut end: watch::Receiver<bool>,
) {
    let mut events = back_office.subscribe_to_events();
    while !*end.borrow() {
        let worker = Worker { back_office: &back_office, owner: &owner, schedule };
        let pause = match worker.take_and_run(&mut end).await {
            Ok(Taken::Job) => continue,
            Ok(Taken::NothingUntil(pause)) => pause,
            Err(error) => {
                tracing::warn!(error = %join_error_and_sources(&error), "jobs cannot be taken; trying again");
                LOOK_AGAIN_AFTER
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = job_changed(&mut events) => {}
            _ = end.changed() => {}
        }
    }
}

/// Is ready when some job changed, or may have.
async fn job_changed(events: &mut broadcast::Receiver<ControlPlaneEvent>) {
    loop {
        match events.recv().await {
            Ok(ControlPlaneEvent::JobChanged { .. } | ControlPlaneEvent::Resynchronize {})
            | Err(broadcast::error::RecvError::Lagged(_)) => {
                return;
            }
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

enum Taken {
    Job,
    NothingUntil(Duration),
}

/// How a run of a job ended.
enum Ended {
    Finished(Result<String, BackOfficeError>),
    Cancelled,
    /// Another control plane took the job over: it is no longer this one's to end.
    LeaseLost,
    /// This program ends: another one can go on at once.
    Interrupted,
}

struct Worker<'a> {
    back_office: &'a Arc<BackOffice>,
    owner: &'a str,
    schedule: RepositoryReconcilerSettings,
}

impl Worker<'_> {
    async fn take_and_run(&self, end: &mut watch::Receiver<bool>) -> Result<Taken, StoreError> {
        let store = &self.back_office.store;
        let now_us = self.back_office.clock.now_us();
        for kind in JobKind::scheduled_reconcilers(&self.schedule) {
            self.ensure(&kind, now_us).await?;
        }
        let Some(taken) = store.lease_due_job(self.owner, now_us, now_us + LEASE_US).await? else {
            let due_us = store.read_next_job_due_us().await?.unwrap_or(i64::MAX);
            let pause = Duration::from_micros(u64::try_from(due_us.saturating_sub(now_us)).unwrap_or(0));
            return Ok(Taken::NothingUntil(pause.clamp(Duration::from_millis(50), LOOK_AGAIN_AFTER)));
        };
        let job = Arc::new(RunningJobContext {
            back_office: Arc::clone(self.back_office),
            permit: UnscopedPermit::permit_for_job(&taken.job.created_by),
            schedule: self.schedule,
            log: Mutex::default(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let ended = self.run(&taken, &job, end).await;
        // What still runs on a thread of its own ends at its next look.
        job.stopped.store(true, Ordering::Relaxed);
        self.store_end(&taken, &job, ended).await?;
        Ok(Taken::Job)
    }

    async fn ensure(&self, kind: &JobKind, now_us: i64) -> Result<(), StoreError> {
        let input = kind.input_json();
        let first = NewJob {
            kind: kind.job_kind_name(),
            input: &input,
            unique_key: kind.unique_key_while_unfinished(),
            due_us: now_us + kind.repeat_interval_us(&self.schedule).unwrap_or(0),
            max_attempts: RECONCILER_ATTEMPTS,
        };
        self.back_office.store.ensure_unfinished_job(&first, now_us).await
    }

    /// Runs a job and renews its lease until it is done.
    async fn run(
        &self,
        taken: &LeasedJob,
        job: &Arc<RunningJobContext>,
        end: &mut watch::Receiver<bool>,
    ) -> Ended {
        if taken.job.attempt > taken.job.max_attempts {
            // Its control plane was killed each time: it may well be the job that does it.
            let why = format!("it was begun {} times and never ended", taken.job.max_attempts);
            return Ended::Finished(Err(BackOfficeError::Refused(why)));
        }
        let kind = match JobKind::from_stored_name_and_input(&taken.job.kind, &taken.job.input) {
            Ok(kind) => kind,
            Err(error) => return Ended::Finished(Err(BackOfficeError::Refused(error.to_string()))),
        };
        let work = {
            let job = Arc::clone(job);
            tokio::spawn(async move { kind.run_job(&job).await })
        };
        let abort = work.abort_handle();
        let mut work = work;
        loop {
            tokio::select! {
                done = &mut work => return Ended::Finished(done.unwrap_or_else(|error| {
                    Err(BackOfficeError::Broken(format!("the job broke off: {error}")))
                })),
                () = tokio::time::sleep(RENEW_AFTER) => {}
                _ = end.changed() => {
                    abort.abort();
                    return Ended::Interrupted;
                }
            }
            match self.renew(taken, job).await {
                Ok(Some(false)) => {}
                Ok(Some(true)) => {
                    abort.abort();
                    return Ended::Cancelled;
                }
                Ok(None) => {
                    abort.abort();
                    return Ended::LeaseLost;
                }
                // The lease holds for some time yet.
                Err(error) => {
                    tracing::warn!(error = %join_error_and_sources(&error), "a job's lease is not renewed")
                }
            }
        }
    }

    async fn renew(&self, taken: &LeasedJob, job: &RunningJobContext) -> Result<Option<bool>, StoreError> {
        let now_us = self.back_office.clock.now_us();
        let renewed = self
            .back_office
            .store
            .save_progress_renew_lease_check_cancellation(taken, now_us + LEASE_US, job.progress())
            .await?;
        if renewed.is_some() {
            self.flush_log(taken, job).await?;
        }
        Ok(renewed)
    }

    async fn flush_log(&self, taken: &LeasedJob, job: &RunningJobContext) -> Result<(), StoreError> {
        let lines = job.take_log();
        match lines.is_empty() {
            true => Ok(()),
            false => {
                self.back_office.store.append_job_log(taken, self.back_office.clock.now_us(), &lines).await
            }
        }
    }

    async fn store_end(
        &self,
        taken: &LeasedJob,
        job: &RunningJobContext,
        ended: Ended,
    ) -> Result<(), StoreError> {
        let now_us = self.back_office.clock.now_us();
        let kind = JobKind::from_stored_name_and_input(&taken.job.kind, &taken.job.input).ok();
        let (state, result, again_us) = match ended {
            Ended::LeaseLost => return Ok(()),
            Ended::Interrupted => (JobState::Waiting, None, Some(now_us)),
            Ended::Cancelled => (JobState::Cancelled, None, None),
            Ended::Finished(Ok(result)) => (JobState::Done, Some(result), None),
            Ended::Finished(Err(error)) => {
                let again = error.is_internal_failure() && taken.job.attempt < taken.job.max_attempts;
                let doublings = u32::try_from(taken.job.attempt.saturating_sub(1).min(10)).unwrap_or(10);
                let again_us = again.then(|| now_us + (RETRY_AFTER_US << doublings));
                tracing::warn!(job = taken.job.id, kind = taken.job.kind, error = %join_error_and_sources(&error), "a job failed");
                (JobState::Failed, Some(error.to_string()), again_us)
            }
        };
        self.flush_log(taken, job).await?;
        let next_us = kind.as_ref().and_then(|kind| kind.repeat_interval_us(&self.schedule));
        let input = kind.as_ref().map(JobKind::input_json).unwrap_or_default();
        let next = kind.as_ref().zip(next_us).map(|(kind, after_us)| NewJob {
            kind: kind.job_kind_name(),
            input: &input,
            unique_key: kind.unique_key_while_unfinished(),
            due_us: now_us + after_us,
            max_attempts: RECONCILER_ATTEMPTS,
        });
        let store = &self.back_office.store;
        if !store
            .end_or_reschedule_job(taken, state, result.as_deref(), again_us, next.as_ref(), now_us)
            .await?
        {
            tracing::warn!(job = taken.job.id, "a job was taken over before its end was stored");
        }
        Ok(())
    }
}
