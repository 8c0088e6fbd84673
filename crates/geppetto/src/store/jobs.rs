//! Jobs: durable background work, taken by one control plane at a time.

use model::wire::ControlPlaneEvent;

use super::{Store, StoreError, TimeAndActor, WriteTransaction, audit, signed, unsigned};

/// A job to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewJob<'a> {
    /// What it does: `check-repository`.
    pub(crate) kind: &'a str,
    /// JSON.
    pub(crate) input: &'a str,
    /// Of the unfinished jobs with one key there is one.
    pub(crate) unique_key: Option<&'a str>,
    /// When it may start, in microseconds since 1970-01-01 UTC.
    pub(crate) due_us: i64,
    /// How often it is tried.
    pub(crate) max_attempts: u32,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    /// It was not taken yet, or waits to be tried again.
    Waiting,
    /// A control plane works on it.
    Running,
    /// It did what it is for.
    Done,
    /// It failed as often as it may.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl JobState {
    const ALL: [JobState; 5] =
        [JobState::Waiting, JobState::Running, JobState::Done, JobState::Failed, JobState::Cancelled];

    /// `waiting`
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRow {
    /// Its number.
    pub(crate) id: u64,
    /// What it does.
    pub(crate) kind: String,
    /// JSON.
    pub(crate) input: String,
    /// How far it is.
    pub(crate) state: JobState,
    /// When it was created, in microseconds since 1970-01-01 UTC.
    pub(crate) created_us: i64,
    /// Who created it.
    pub(crate) created_by: String,
    /// When it may start.
    pub(crate) due_us: i64,
    /// How often it was taken.
    pub(crate) attempt: u64,
    /// How often it may be taken.
    pub(crate) max_attempts: u64,
    /// The control plane that works on it.
    pub(crate) owner: Option<String>,
    /// Since when it shall stop.
    pub(crate) cancel_requested_us: Option<i64>,
    /// How much is done, of `progress_total`.
    pub(crate) progress_done: u64,
    /// How much there is to do; 0 while that is not known.
    pub(crate) progress_total: u64,
    /// What came of it: JSON, or why it failed.
    pub(crate) result: Option<String>,
    /// When it ended.
    pub(crate) finished_us: Option<i64>,
}

/// A job that this control plane works on, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeasedJob {
    /// The job.
    pub(crate) job: JobRow,
    /// The name this control plane took it under.
    pub(crate) owner: String,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobLogLine {
    /// When it was written, in microseconds since 1970-01-01 UTC.
    pub(crate) at_us: i64,
    /// The line.
    pub(crate) text: String,
}

/// The most lines of a job's log that are kept.
const MAX_LOG_LINES: i64 = 10_000;

/// The columns of a job, in the order of `columns!`.
type JobColumns = (
    i64,
    String,
    String,
    String,
    i64,
    String,
    i64,
    i64,
    i64,
    Option<String>,
    Option<i64>,
    i64,
    i64,
    Option<String>,
    Option<i64>,
);

/// The columns of [`JobColumns`], for a statement.
macro_rules! columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, kind, input, state, created_us, created_by, due_us, attempt, max_attempts, owner,
              cancel_requested_us, progress_done, progress_total, result, finished_us ",
            $after
        )
    };
}

fn job_row(columns: JobColumns) -> Result<JobRow, StoreError> {
    let (
        id,
        kind,
        input,
        state,
        created_us,
        created_by,
        due_us,
        attempt,
        max_attempts,
        owner,
        cancel_requested_us,
        progress_done,
        progress_total,
        result,
        finished_us,
    ) = columns;
    let state_of_job = JobState::ALL.into_iter().find(|known| known.as_str() == state);
    Ok(JobRow {
        id: unsigned(id, "job")?,
        kind,
        input,
        state: state_of_job.ok_or_else(|| StoreError::Corrupt(format!("the job state `{state}`")))?,
        created_us,
        created_by,
        due_us,
        attempt: unsigned(attempt, "attempt")?,
        max_attempts: unsigned(max_attempts, "attempt")?,
        owner,
        cancel_requested_us,
        progress_done: unsigned(progress_done, "progress")?,
        progress_total: unsigned(progress_total, "progress")?,
        result,
        finished_us,
    })
}

async fn insert(
    transaction: &mut WriteTransaction,
    job: &NewJob<'_>,
    created_us: i64,
    created_by: &str,
) -> Result<Option<u64>, StoreError> {
    let added: Option<(i64,)> = fetch_optional!(
        transaction,
        "storing a job",
        "INSERT INTO jobs (kind, input, unique_key, state, created_us, created_by, due_us, attempt, max_attempts,
                           progress_done, progress_total)
         VALUES ($1, $2, $3, 'waiting', $4, $5, $6, 0, $7, 0, 0) ON CONFLICT DO NOTHING RETURNING id",
        job.kind,
        job.input,
        job.unique_key,
        created_us,
        created_by,
        job.due_us,
        i64::from(job.max_attempts),
    )?;
    let id = added.map(|(id,)| unsigned(id, "job")).transpose()?;
    if let Some(id) = id {
        transaction.announce_on_commit(ControlPlaneEvent::JobChanged { job: id });
    }
    Ok(id)
}

impl Store {
    /// Stores a job that somebody asked for, and gives its number; of an unfinished job with the same key, the
    /// number that has.
    pub(crate) async fn insert_job_or_get_unfinished(
        &self,
        job: &NewJob<'_>,
        context: &TimeAndActor<'_>,
    ) -> Result<u64, StoreError> {
        let doing = "storing a job";
        loop {
            let mut transaction = self.begin(doing).await?;
            if let Some(id) = insert(&mut transaction, job, context.at_us, context.actor).await? {
                audit::insert_audit_entry(
                    &mut transaction,
                    context,
                    "create-job",
                    job.kind,
                    &format!("job {id}: {}", job.input),
                )
                .await?;
                transaction.commit_and_announce_events(doing).await?;
                return Ok(id);
            }
            let there: Option<(i64,)> = fetch_optional!(
                transaction,
                doing,
                "SELECT id FROM jobs WHERE unique_key = $1 AND finished_us IS NULL",
                job.unique_key,
            )?;
            // If it finished between the two statements, there is room for this one now.
            if let Some((id,)) = there {
                return unsigned(id, "job");
            }
        }
    }

    /// Makes sure that an unfinished job with this key exists; nobody asked for it, so it is not in the audit log.
    pub(crate) async fn ensure_unfinished_job(
        &self,
        job: &NewJob<'_>,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let doing = "storing a job";
        let mut transaction = self.begin(doing).await?;
        insert(&mut transaction, job, now_us, "geppetto").await?;
        transaction.commit_and_announce_events(doing).await
    }

    /// Lets a waiting job with this key start now.
    pub(crate) async fn start_waiting_job_now(
        &self,
        unique_key: &str,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let doing = "waking a job";
        let mut transaction = self.begin(doing).await?;
        let woken: Option<(i64,)> = fetch_optional!(
            transaction,
            doing,
            "UPDATE jobs SET due_us = $1 WHERE unique_key = $2 AND state = 'waiting' AND due_us > $1 RETURNING id",
            now_us,
            unique_key,
        )?;
        if let Some((id,)) = woken {
            transaction.announce_on_commit(ControlPlaneEvent::JobChanged { job: unsigned(id, "job")? });
        }
        transaction.commit_and_announce_events(doing).await
    }

    /// Takes the job that is due longest: a waiting one, or one whose control plane let its lease end.
    ///
    /// The condition stands in the statement that takes it, so that of two control planes one gets the job.
    pub(crate) async fn lease_due_job(
        &self,
        owner: &str,
        now_us: i64,
        lease_until_us: i64,
    ) -> Result<Option<LeasedJob>, StoreError> {
        let doing = "taking a job";
        let mut transaction = self.begin(doing).await?;
        let taken: Option<JobColumns> = fetch_optional!(
            transaction,
            doing,
            columns!(
                "UPDATE jobs SET state = 'running', owner = $1, lease_until_us = $2, attempt = attempt + 1,
                     progress_done = 0, progress_total = 0
                 WHERE id = (SELECT id FROM jobs WHERE finished_us IS NULL AND due_us <= $3
                             AND (owner IS NULL OR lease_until_us < $3) ORDER BY due_us, id LIMIT 1)
                     AND finished_us IS NULL AND (owner IS NULL OR lease_until_us < $3)
                 RETURNING",
                ""
            ),
            owner,
            lease_until_us,
            now_us,
        )?;
        let Some(columns) = taken else { return Ok(None) };
        let job = job_row(columns)?;
        transaction.announce_on_commit(ControlPlaneEvent::JobChanged { job: job.id });
        transaction.commit_and_announce_events(doing).await?;
        Ok(Some(LeasedJob { job, owner: owner.to_owned() }))
    }

    /// Prolongs the lease and stores the progress; `None` if the job was taken over by another control plane,
    /// else whether it shall stop.
    pub(crate) async fn save_progress_renew_lease_check_cancellation(
        &self,
        taken: &LeasedJob,
        lease_until_us: i64,
        progress: (u64, u64),
    ) -> Result<Option<bool>, StoreError> {
        let doing = "renewing a job's lease";
        let mut transaction = self.begin(doing).await?;
        let row: Option<(Option<i64>,)> = fetch_optional!(
            transaction,
            doing,
            "UPDATE jobs SET lease_until_us = $1, progress_done = $2, progress_total = $3
             WHERE id = $4 AND owner = $5 AND attempt = $6 AND finished_us IS NULL RETURNING cancel_requested_us",
            lease_until_us,
            signed(progress.0),
            signed(progress.1),
            signed(taken.job.id),
            &taken.owner,
            signed(taken.job.attempt),
        )?;
        transaction.announce_on_commit(ControlPlaneEvent::JobChanged { job: taken.job.id });
        transaction.commit_and_announce_events(doing).await?;
        Ok(row.map(|(cancel,)| cancel.is_some()))
    }

    /// Adds lines to a job's log, after those it has, as far as there is room.
    pub(crate) async fn append_job_log(
        &self,
        taken: &LeasedJob,
        at_us: i64,
        lines: &[String],
    ) -> Result<(), StoreError> {
        let doing = "writing a job's log";
        let mut transaction = self.begin(doing).await?;
        let (mut line,): (i64,) = fetch_one!(
            transaction,
            doing,
            "SELECT COALESCE(MAX(line), 0) FROM job_log WHERE job = $1",
            signed(taken.job.id),
        )?;
        for text in lines {
            line += 1;
            if line > MAX_LOG_LINES {
                break;
            }
            execute!(
                transaction,
                doing,
                "INSERT INTO job_log (job, line, at_us, text) VALUES ($1, $2, $3, $4)",
                signed(taken.job.id),
                line,
                at_us,
                text,
            )?;
        }
        transaction.commit_and_announce_events(doing).await
    }

    /// Ends a job, or lets it wait until `again_us`; `false` if another control plane took it over.
    ///
    /// `next` is stored in the same transaction: a reconciler's next run.
    pub(crate) async fn end_or_reschedule_job(
        &self,
        taken: &LeasedJob,
        state: JobState,
        result: Option<&str>,
        again_us: Option<i64>,
        next: Option<&NewJob<'_>>,
        now_us: i64,
    ) -> Result<bool, StoreError> {
        let doing = "ending a job";
        let mut transaction = self.begin(doing).await?;
        let ended = execute!(
            transaction,
            doing,
            "UPDATE jobs SET state = $1, result = $2, owner = NULL, lease_until_us = NULL,
                 due_us = COALESCE($3, due_us), finished_us = $4
             WHERE id = $5 AND owner = $6 AND attempt = $7 AND finished_us IS NULL",
            if again_us.is_some() { JobState::Waiting.as_str() } else { state.as_str() },
            result,
            again_us,
            again_us.is_none().then_some(now_us),
            signed(taken.job.id),
            &taken.owner,
            signed(taken.job.attempt),
        )?;
        if ended == 0 {
            return Ok(false);
        }
        if let (Some(next), None) = (next, again_us) {
            insert(&mut transaction, next, now_us, "geppetto").await?;
        }
        transaction.announce_on_commit(ControlPlaneEvent::JobChanged { job: taken.job.id });
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }

    /// Asks a job to stop; a waiting one ends at once. `None` if there is no such unfinished job.
    pub(crate) async fn request_job_cancellation(
        &self,
        id: u64,
        context: &TimeAndActor<'_>,
    ) -> Result<Option<JobState>, StoreError> {
        let doing = "cancelling a job";
        let mut transaction = self.begin(doing).await?;
        let row: Option<(String, String)> = fetch_optional!(
            transaction,
            doing,
            "UPDATE jobs SET cancel_requested_us = COALESCE(cancel_requested_us, $1),
                 finished_us = CASE state WHEN 'waiting' THEN CAST($1 AS BIGINT) ELSE finished_us END,
                 state = CASE state WHEN 'waiting' THEN 'cancelled' ELSE state END
             WHERE id = $2 AND finished_us IS NULL RETURNING kind, state",
            context.at_us,
            signed(id),
        )?;
        let Some((kind, state)) = row else { return Ok(None) };
        audit::insert_audit_entry(&mut transaction, context, "cancel-job", &kind, &format!("job {id}"))
            .await?;
        transaction.announce_on_commit(ControlPlaneEvent::JobChanged { job: id });
        transaction.commit_and_announce_events(doing).await?;
        Ok(JobState::ALL.into_iter().find(|known| known.as_str() == state))
    }

    /// Jobs before `before`, newest first.
    pub(crate) async fn read_jobs(&self, before: Option<u64>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        let doing = "reading the jobs";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<JobColumns> = fetch_all!(
            connection,
            doing,
            columns!("SELECT", "FROM jobs WHERE id < $1 ORDER BY id DESC LIMIT $2"),
            before.map_or(i64::MAX, signed),
            i64::from(limit),
        )?;
        rows.into_iter().map(job_row).collect()
    }

    /// One job.
    pub(crate) async fn read_job(&self, id: u64) -> Result<Option<JobRow>, StoreError> {
        let doing = "reading a job";
        let mut connection = self.connection(doing).await?;
        let row: Option<JobColumns> =
            fetch_optional!(connection, doing, columns!("SELECT", "FROM jobs WHERE id = $1"), signed(id))?;
        row.map(job_row).transpose()
    }

    /// A job's log, oldest line first.
    pub(crate) async fn read_job_log(&self, id: u64) -> Result<Vec<JobLogLine>, StoreError> {
        let doing = "reading a job's log";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(i64, String)> = fetch_all!(
            connection,
            doing,
            "SELECT at_us, text FROM job_log WHERE job = $1 ORDER BY line",
            signed(id),
        )?;
        Ok(rows.into_iter().map(|(at_us, text)| JobLogLine { at_us, text }).collect())
    }

    /// When the next job may start, if one waits: in microseconds since 1970-01-01 UTC.
    pub(crate) async fn read_next_job_due_us(&self) -> Result<Option<i64>, StoreError> {
        let doing = "reading when the next job is due";
        let mut connection = self.connection(doing).await?;
        let (due,): (Option<i64>,) = fetch_one!(
            connection,
            doing,
            "SELECT MIN(CASE WHEN lease_until_us > due_us THEN lease_until_us ELSE due_us END) FROM jobs
             WHERE finished_us IS NULL",
        )?;
        Ok(due)
    }

    /// Removes jobs that ended before this time, with their logs. Gives how many.
    pub(crate) async fn prune_ended_jobs(&self, before_us: i64) -> Result<u64, StoreError> {
        let doing = "removing old jobs";
        let mut transaction = self.begin(doing).await?;
        execute!(
            transaction,
            doing,
            "DELETE FROM job_log WHERE job IN (SELECT id FROM jobs WHERE finished_us < $1)",
            before_us,
        )?;
        let removed = execute!(transaction, doing, "DELETE FROM jobs WHERE finished_us < $1", before_us)?;
        transaction.commit_and_announce_events(doing).await?;
        Ok(removed)
    }
}
