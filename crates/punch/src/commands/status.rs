//! `punch status`: what this host is, as far as it knows itself. No network unless asked.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    exit::Exit,
    name::Name,
    report::{RepairOfInterruptedWork, RunOutcome},
};
use serde::Serialize;

use crate::{
    agent_state::{AgentStateFiles, HostHold},
    api_client::ApiClient,
    cli::HostArgs,
    command_context::CommandContext,
    command_error::CommandError,
    membership::BackOfficeMembership,
    report_text, time_text,
};

/// Show which server this host is, its last good generation and how the last run ended
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch status\n  punch status --check --json\n\n\
    Without --check nothing is sent over the network. With it the exit code is 6 when the back-office\n\
    cannot be reached.")]
pub(crate) struct StatusArgs {
    /// Also ask whether the back-office can be reached
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    host: HostArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Status {
    /// Its name in the back-office, or in the node file it was given.
    server: Option<String>,
    /// The back-office it joined.
    back_office: Option<String>,
    /// Only with `--check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reachable: Option<bool>,
    /// When the back-office last answered for this host.
    last_contact_us: Option<i64>,
    last_good: Option<Good>,
    /// The generation that this host went back from.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_up: Option<GivenUp>,
    /// Somebody keeps the timer away.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HostHold>,
    last_run: Option<Run>,
    /// Reports that wait for the back-office.
    unsent_reports: usize,
}

#[derive(Serialize)]
struct Good {
    generation: u64,
    environment: String,
    channel: String,
    components: BTreeMap<String, String>,
    confirmed_us: i64,
    age_seconds: i64,
}

#[derive(Serialize)]
struct GivenUp {
    generation: u64,
    because: String,
}

#[derive(Serialize)]
struct Run {
    number: u64,
    outcome: RunOutcome,
    generation: u64,
    started_us: i64,
    age_seconds: i64,
    /// Components that a run which ended `partly` did not make what they must be.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    not_completed: BTreeSet<Name>,
    /// What interrupted work had left half done, and the run made whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repairs: Vec<RepairOfInterruptedWork>,
}

impl StatusArgs {
    pub(super) fn run_status_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let root = self.host.open_host_files()?;
        let now = (context.now)();
        let state = AgentStateFiles::new(&root);
        let membership = BackOfficeMembership::load_membership_if_joined(&root)?;
        let good = state.read_last_good_node()?;
        let unreachable = match (&membership, self.check) {
            (Some(membership), true) => {
                let authorities = root.find_custom_ca_certificates_file()?;
                ApiClient::new(&membership.url, None, authorities.as_deref())?
                    .check_back_office_answers()
                    .err()
            }
            _ => None,
        };
        let status = Status {
            server: membership
                .as_ref()
                .map(|membership| &membership.server)
                .or(good.as_ref().map(|good| &good.node.server))
                .map(ToString::to_string),
            back_office: membership.as_ref().map(|membership| membership.url.clone()),
            reachable: (self.check && membership.is_some()).then_some(unreachable.is_none()),
            last_contact_us: state.read_last_back_office_contact()?,
            last_good: good.map(|good| Good {
                generation: good.node.generation,
                environment: good.node.environment.to_string(),
                channel: good.node.channel.to_string(),
                components: good
                    .node
                    .components
                    .iter()
                    .map(|(name, component)| (name.to_string(), component.version.to_string()))
                    .collect(),
                confirmed_us: good.at,
                age_seconds: (now - good.at).max(0) / 1_000_000,
            }),
            given_up: state
                .read_given_up_generation()?
                .map(|given_up| GivenUp { generation: given_up.generation, because: given_up.because }),
            held: state.read_hold_lasting_at(now)?,
            last_run: state.read_latest_reports(1)?.pop().map(|(number, report)| Run {
                number,
                outcome: report.outcome,
                generation: report.generation,
                started_us: report.started_us,
                age_seconds: (now - report.started_us).max(0) / 1_000_000,
                not_completed: report.components_left_by_partial_run(),
                repairs: report.repairs,
            }),
            unsent_reports: state.count_unsent_reports()?,
        };
        print(context, &status, now);
        context.output.print_json_if_requested(&status);
        match unreachable {
            Some(error) => {
                context.output.print_note_to_stderr(error.to_string());
                Ok(if error.is_unavailable() { Exit::Unreachable } else { Exit::Done })
            }
            None => Ok(Exit::Done),
        }
    }
}

fn print(context: &CommandContext, status: &Status, now: time_text::UnixMicros) {
    let line = |name: &str, text: String| context.output.print_line_unless_json(format!("{name:12} {text}"));
    line("server", status.server.clone().unwrap_or_else(|| "(none yet)".to_owned()));
    let reachable = match status.reachable {
        Some(true) => ", reachable",
        Some(false) => ", NOT reachable",
        None => "",
    };
    line(
        "back-office",
        match &status.back_office {
            Some(url) => format!("{url}{reachable}"),
            None => "(not joined)".to_owned(),
        },
    );
    if let Some(last_contact) = status.last_contact_us {
        line(
            "last answer",
            format!(
                "{} ago, {}",
                time_text::format_time_between(last_contact, now),
                time_text::format_utc(last_contact)
            ),
        );
    }
    match &status.last_good {
        Some(good) => {
            line("generation", good.generation.to_string());
            line(
                "confirmed",
                format!(
                    "{} ago, {}",
                    time_text::format_time_between(good.confirmed_us, now),
                    time_text::format_utc(good.confirmed_us)
                ),
            );
            line("environment", format!("{} (channel {})", good.environment, good.channel));
            for (name, version) in &good.components {
                line("component", format!("{name} {version}"));
            }
        }
        None => line("generation", "(no run has succeeded yet)".to_owned()),
    }
    if let Some(given_up) = &status.given_up {
        let text = format!(
            "generation {}: {}; `punch restore --retry` tries it again",
            given_up.generation, given_up.because
        );
        line("given up", text);
    }
    if let Some(hold) = &status.held {
        line("held", format!("{}; `punch hold --release` ends it", hold.describe()));
    }
    match &status.last_run {
        Some(run) => line(
            "last run",
            format!(
                "number {}, {}, generation {}, {} ago",
                run.number,
                report_text::run_outcome_name(run.outcome),
                run.generation,
                time_text::format_time_between(run.started_us, now)
            ),
        ),
        None => line("last run", "(never)".to_owned()),
    }
    for name in status.last_run.iter().flat_map(|run| &run.not_completed) {
        line("not complete", format!("{name}; `punch history` says why"));
    }
    for repair in status.last_run.iter().flat_map(|run| &run.repairs) {
        line("repaired", repair.what.clone());
    }
    if status.unsent_reports > 0 {
        let reports = if status.unsent_reports == 1 { "report waits" } else { "reports wait" };
        line("unsent", format!("{} {reports} for the back-office", status.unsent_reports));
    }
}
