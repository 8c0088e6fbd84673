//! `punch history`: what earlier runs did on this host.

use std::collections::BTreeSet;

use model::{exit::Exit, name::Name, report::Report};
use serde::Serialize;

use crate::{
    agent_state::AgentStateFiles, cli::HostArgs, command_context::CommandContext,
    command_error::CommandError, report_text, time_text,
};

/// Show what earlier runs did on this host
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch history\n  punch history 12\n  punch history --json --limit 1")]
pub(crate) struct HistoryArgs {
    /// Show this run in full
    number: Option<u64>,
    /// Show at most so many runs, newest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    #[command(flatten)]
    host: HostArgs,
}

/// One run, as `--json` prints it.
#[derive(Serialize)]
struct Run {
    number: u64,
    #[serde(flatten)]
    report: Report,
}

impl HistoryArgs {
    pub(super) fn run_host_history_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        context.output.hold_output_for_pager();
        let state = AgentStateFiles::new(&self.host.open_host_files()?);
        let Some(number) = self.number else {
            let runs = state.read_latest_reports(self.limit)?;
            for (number, report) in &runs {
                context.output.print_line_unless_json(line(*number, report));
            }
            if runs.is_empty() {
                context.output.print_note_to_stderr("no run yet on this host");
            }
            let runs: Vec<Run> = runs.into_iter().map(|(number, report)| Run { number, report }).collect();
            context.output.print_json_if_requested(&runs);
            return Ok(Exit::Done);
        };
        let report = state.read_report_by_number(number)?.ok_or_else(|| {
            CommandError::invalid_input_error(format!("run {number} is not in the history of this host"))
                .with_hint("`punch history` lists the runs that are still kept")
        })?;
        context.output.print_line_unless_json(line(number, &report));
        for repair in &report.repairs {
            context.output.print_line_unless_json(format!("  repaired    {}", repair.what));
        }
        for entry in &report.entries {
            context.output.print_line_unless_json(format!(
                "  {:11} {}{}",
                report_text::entry_result_name(entry.result),
                entry.action,
                of(&entry.components)
            ));
            for detail in entry.detail.lines() {
                context.output.print_line_unless_json(format!("              {detail}"));
            }
        }
        context.output.print_json_if_requested(&Run { number, report });
        Ok(Exit::Done)
    }
}

fn line(number: u64, report: &Report) -> String {
    format!(
        "{number:5}  {}  {:11}  generation {}  {}  in {}",
        time_text::format_utc(report.started_us),
        report_text::run_outcome_name(report.outcome),
        report.generation,
        report_text::format_result_counts(report),
        time_text::format_duration(report.duration_us)
    )
}

/// ` (shop)`; nothing for what belongs to no component.
fn of(components: &BTreeSet<Name>) -> String {
    let names: Vec<&str> = components.iter().map(Name::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}
