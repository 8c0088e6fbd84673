//! Reports as text: used after a run, in the history and in the status.

use model::report::{Report, ReportEntryResult, RunOutcome};

/// How a run ended, in one word.
pub(crate) fn run_outcome_name(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Unchanged => "unchanged",
        RunOutcome::Changed => "changed",
        RunOutcome::Blocked => "blocked",
        RunOutcome::Partly => "partly",
        RunOutcome::Failed => "failed",
        RunOutcome::RolledBack => "rolled back",
        RunOutcome::Held => "held",
        RunOutcome::Interrupted => "interrupted",
    }
}

/// The result of one entry, in one or two words.
pub(crate) fn entry_result_name(result: ReportEntryResult) -> &'static str {
    match result {
        ReportEntryResult::Done => "done",
        ReportEntryResult::Failed => "failed",
        ReportEntryResult::Blocked => "blocked",
        ReportEntryResult::Interrupted => "interrupted",
        ReportEntryResult::Skipped => "not tried",
    }
}

/// `5 done, 1 failed, 2 not tried, 12 right already`.
pub(crate) fn format_result_counts(report: &Report) -> String {
    let all = [
        ReportEntryResult::Done,
        ReportEntryResult::Failed,
        ReportEntryResult::Blocked,
        ReportEntryResult::Interrupted,
        ReportEntryResult::Skipped,
    ];
    let mut parts: Vec<String> = all
        .into_iter()
        .map(|result| (result, report.entries.iter().filter(|entry| entry.result == result).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{count} {}", entry_result_name(kind)))
        .collect();
    parts.push(format!("{} right already", report.unchanged));
    parts.join(", ")
}
