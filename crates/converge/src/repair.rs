//! Repairs: programs of the host that were killed half-way leave states in which nothing can be planned. They are made
//! whole first, and the report says so.

use model::report::{RepairOfInterruptedWork, RunOutcome};

use crate::{Host, HostError, PunchStateFolder};

/// Why a host is looked at for what was left half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairOccasion {
    /// A run begins. What costs nothing to see is repaired; all, if the run before was interrupted or failed.
    RunBegins,
    /// Installed packages could not be looked at: all is checked.
    PackagesUnreadable,
}

/// Makes whole what killed programs left half done; an error says what cannot be, and what to type.
/// Call it only while holding the lock.
pub fn repair_interrupted_work(
    host: &mut dyn Host,
    state: &PunchStateFolder,
    occasion: RepairOccasion,
) -> Result<Vec<RepairOfInterruptedWork>, HostError> {
    let unknown = |error: crate::PunchStateFolderError| HostError::Other(error.to_string());
    let thorough = occasion == RepairOccasion::PackagesUnreadable
        || state.read_interrupted_report().map_err(unknown)?.is_some()
        || !state.load_begun_installations().map_err(unknown)?.is_empty()
        // A report that cannot be read any more keeps nothing from being repaired.
        || state.read_latest_reports(1).unwrap_or_default().iter().any(|(_, report)| {
            matches!(report.outcome, RunOutcome::Failed | RunOutcome::Interrupted | RunOutcome::Partly)
        });
    host.repair_interrupted_work(thorough)
}
