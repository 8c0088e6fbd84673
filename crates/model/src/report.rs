//! The report: what a restore did. Written by punch, stored and shown by the back-office.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// The server.
    pub server: String,
    /// The node file's generation.
    pub generation: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it started, in microseconds since 1970-01-01 UTC.
    pub started_us: i64,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// How many things were right already.
    pub unchanged: usize,
    /// What was done or tried, in order.
    pub entries: Vec<ReportEntry>,
    /// What interrupted work had left half done, and was made whole before the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<RepairOfInterruptedWork>,
}

/// Something that was left half done on the host, and was made whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepairOfInterruptedWork {
    /// What was half done.
    pub kind: RepairKind,
    /// What was found and what was done, in one sentence.
    pub what: String,
}

/// What can be left half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RepairKind {
    /// rpm's database.
    RpmDatabase,
    /// An installation of packages of ours.
    RpmTransaction,
    /// The packages of Debian.
    Dpkg,
    /// A user or group.
    Account,
}

impl Report {
    /// The components that a partly successful run left as they were, or did not complete.
    pub fn components_left_by_partial_run(&self) -> BTreeSet<Name> {
        use ReportEntryResult::{Blocked, Failed, Skipped};
        let left = |entry: &&ReportEntry| matches!(entry.result, Blocked | Failed | Skipped);
        let entries = self.entries.iter().filter(|_| self.outcome == RunOutcome::Partly);
        entries.filter(left).flat_map(|entry| &entry.components).cloned().collect()
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Nothing to do.
    Unchanged,
    /// All done.
    Changed,
    /// Something could not be observed or decided; nothing was changed.
    Blocked,
    /// Some components are as they must be; others could not be observed safely, or failed, and with them
    /// those that depend on them.
    Partly,
    /// Something failed; what came after it was not tried.
    Failed,
    /// Something failed, and the host is in its last good generation again.
    RolledBack,
    /// Somebody keeps the timer away from the host; nothing was looked at.
    Held,
    /// The run has begun and has not ended: seen only when it was killed.
    Interrupted,
}

impl RunOutcome {
    /// Its name in reports: `rolled-back`.
    pub fn as_str(self) -> &'static str {
        match self {
            RunOutcome::Unchanged => "unchanged",
            RunOutcome::Changed => "changed",
            RunOutcome::Blocked => "blocked",
            RunOutcome::Partly => "partly",
            RunOutcome::Failed => "failed",
            RunOutcome::RolledBack => "rolled-back",
            RunOutcome::Held => "held",
            RunOutcome::Interrupted => "interrupted",
        }
    }
}

/// One thing done or tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportEntry {
    /// The action, as in the plan: `change file:/etc/motd`.
    pub action: String,
    /// The components it is of: several for a package transaction.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub components: BTreeSet<Name>,
    /// How it went.
    pub result: ReportEntryResult,
    /// Why, when it was blocked or failed; what differed, when it was done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How long it took, in microseconds.
    #[serde(default)]
    pub duration_us: i64,
}

/// How one thing went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReportEntryResult {
    /// Done.
    Done,
    /// Tried, without success.
    Failed,
    /// Not decided.
    Blocked,
    /// Not tried, because something before it failed.
    Skipped,
    /// Begun when the run was killed: seen only in the report of such a run.
    Interrupted,
}
