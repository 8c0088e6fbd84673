//! Background work.

use serde::{Deserialize, Serialize};

shape! {
    /// `POST /api/v1/jobs`: work on the repository.
    pub struct JobRequest {
        /// `check-repository`, `retain-versions`, `rebuild-channel`, `prune-history` or `remove-leftovers`.
        pub kind: String,
        /// With `retain-versions`: how many of the newest versions of each component are kept in any case.
        #[serde(default)]
        pub keep: Option<u32>,
        /// With `rebuild-channel`: the channel.
        #[serde(default)]
        pub channel: Option<String>,
    }

    /// Background work of the control plane.
    pub struct Job {
        /// Its number.
        pub id: u64,
        /// What it does.
        pub kind: String,
        /// `waiting`, `running`, `done`, `failed` or `cancelled`.
        pub state: String,
        /// When it was created, in microseconds since 1970-01-01 UTC.
        pub created_us: i64,
        /// Who created it.
        pub created_by: String,
        /// When it may start, or be tried again.
        pub due_us: i64,
        /// How often it was tried.
        pub attempt: u64,
        /// How often it is tried.
        pub max_attempts: u64,
        /// The control plane that works on it.
        pub owner: Option<String>,
        /// Whether somebody asked it to stop.
        pub cancel_requested: bool,
        /// How much is done.
        pub progress_done: u64,
        /// How much there is to do; 0 while that is not known.
        pub progress_total: u64,
        /// What came of it, in one line.
        pub result: Option<String>,
        /// When it ended.
        pub finished_us: Option<i64>,
        /// What it said while it ran; absent in lists.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub log: Vec<JobLogEntry>,
    }

    /// A line of a job's log.
    pub struct JobLogEntry {
        /// When it was written, in microseconds since 1970-01-01 UTC.
        pub at_us: i64,
        /// The line.
        pub text: String,
    }

    /// A page of jobs.
    pub struct JobPage {
        /// Newest first.
        pub items: Vec<Job>,
        /// Give this as `before` to get the next page.
        pub next: Option<u64>,
    }
}
