//! What `punch plan`, `apply` and `restore` can be told alike.

use converge::PayloadVerification;
use model::plan::PlanLimits;

use crate::{package_source::FetchDeadline, time_text::UnixMicros};

/// How long fetching may take unless told otherwise.
const DEFAULT_DEADLINE_SECONDS: u64 = 3600;

/// How a deployment is planned.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RemovalLimitAndDeadlineOptions {
    /// Refuse to remove more than this: components, and resources of components that stay
    #[arg(long, default_value_t = PlanLimits::default().max_removals, value_name = "N")]
    max_removals: usize,
    /// Compare the content of every installed file with its package, also of files that look unchanged
    #[arg(long)]
    deep: bool,
    /// How many seconds fetching packages may take in all; nothing is changed when they are over
    #[arg(long, default_value_t = DEFAULT_DEADLINE_SECONDS, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: u64,
}

impl RemovalLimitAndDeadlineOptions {
    /// Going back undoes what was done: it may remove as much as that was.
    pub(crate) fn of_rollback() -> Self {
        Self { max_removals: usize::MAX, deep: false, deadline: DEFAULT_DEADLINE_SECONDS }
    }

    /// What a plan may do at most.
    pub(crate) fn plan_limits(&self) -> PlanLimits {
        PlanLimits { max_removals: self.max_removals }
    }

    /// Until when packages are fetched, counted from now.
    pub(crate) fn deadline(&self, now: fn() -> UnixMicros) -> FetchDeadline {
        FetchDeadline::in_seconds(self.deadline, now)
    }

    /// How installed files are compared.
    pub(crate) fn verification(&self) -> PayloadVerification {
        if self.deep { PayloadVerification::Deep } else { PayloadVerification::Changed }
    }
}
