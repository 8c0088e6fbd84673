//! Which steps of a run cannot be taken back.

use super::{Plan, PlannedAction};
use crate::{
    report::{Report, ReportEntryResult},
    resource::ResourceBody,
};

/// The steps of `plan` that the run of `report` tried and that going back to an earlier generation would not undo:
/// commands that are not declared `reversible` and have no downgrade guard, which is asked then. One that runs only
/// when notified is run again when what it follows is changed back.
pub fn find_irreversible_steps_tried(plan: &Plan, report: &Report) -> Vec<String> {
    let tried = |title: &str| {
        report.entries.iter().any(|entry| {
            let was_tried = matches!(entry.result, ReportEntryResult::Done | ReportEntryResult::Failed);
            entry.action == title && was_tried
        })
    };
    let titles = plan.changes.iter().filter_map(|change| match &change.action {
        PlannedAction::Apply(resource) => match &resource.body {
            ResourceBody::Exec(exec)
                if !exec.reversible && !exec.refresh_only && exec.downgrade_guard.is_none() =>
            {
                Some(change.change_title_line())
            }
            _ => None,
        },
        _ => None,
    });
    titles.filter(|title| tried(title)).collect()
}
