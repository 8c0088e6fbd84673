//! `punch hold`: keeps the timer from restoring this host.

use model::exit::Exit;
use serde::Serialize;

use crate::{
    agent_state::{AgentStateFiles, HostHold},
    back_office_client::BackOfficeClientOfHost,
    cli::HostArgs,
    command_context::CommandContext,
    command_error::CommandError,
    deploy,
    membership::BackOfficeMembership,
    time_text,
};

/// The longest reason, in characters: it is in every status.
const MAX_REASON_CHARACTERS: usize = 500;

/// Keep the timer from restoring this host, for some time or until the hold is released
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch hold --until 4h --reason \"disk is being replaced\"\n  \
    punch hold --until 2026-12-24T08:00Z\n  punch hold --release\n\n\
    The host stays as it is. `punch restore` typed by a person still restores it; the timer does nothing and the\n\
    back-office shows the host as held.")]
pub(crate) struct HoldArgs {
    /// How long (30m, 4h, 2d), or until when in UTC (2026-12-24, 2026-12-24T08:00Z); else until it is released
    #[arg(long, value_name = "TIME", conflicts_with = "release")]
    until: Option<String>,
    /// Why, for everybody who looks at the host's status
    #[arg(long, value_name = "TEXT", conflicts_with = "release")]
    reason: Option<String>,
    /// End the hold
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    host: HostArgs,
}

/// What `--json` prints, also of a restore that did nothing because of a hold.
#[derive(Serialize)]
pub(super) struct HoldResult {
    /// The hold that lasts now.
    pub(super) held: Option<HostHold>,
    /// Whether the back-office knows of it; absent where the host has not joined one, or nothing was to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reported: Option<bool>,
}

impl HoldArgs {
    pub(super) fn run_hold_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let now = (context.now)();
        let hold = match self.release {
            true => None,
            false => Some(self.new_hold(now)?),
        };
        let root = self.host.open_host_files()?;
        let state = AgentStateFiles::new(&root);
        let Some(hold) = hold else {
            // Also a hold that cannot be read is one.
            let was_held = state.read_hold_lasting_at(now).map_or(true, |hold| hold.is_some());
            state.remove_hold()?;
            context.output.print_note_to_stderr(match was_held {
                true => {
                    "the hold has ended: the timer restores this host again, and `punch restore` does it now"
                }
                false => "this host was not held",
            });
            context.output.print_json_if_requested(&HoldResult { held: None, reported: None });
            return Ok(Exit::Done);
        };
        state.save_hold(&hold)?;
        context.output.print_note_to_stderr(format!("this host is held {}", hold.describe()));
        let mut reported = None;
        if BackOfficeMembership::load_membership_if_joined(&root)?.is_some() {
            let back_office = BackOfficeClientOfHost::client_from_membership(&root)?;
            let report =
                deploy::save_held_report_to_history(context, &root, back_office.joined_server_name(), &hold)?;
            back_office.queue_unsent_report_or_warn(&state, &report, context);
            reported = Some(back_office.send_queued_reports(&state, context));
        }
        context.output.print_json_if_requested(&HoldResult { held: Some(hold), reported });
        Ok(Exit::Done)
    }

    fn new_hold(&self, now: time_text::UnixMicros) -> Result<HostHold, CommandError> {
        let until_us = match &self.until {
            None => None,
            Some(text) => Some(time_text::parse_duration_or_utc(text, now).ok_or_else(|| {
                CommandError::invalid_input_error(format!("`{text}` is no time that punch knows")).with_hint(
                    "write how long (30m, 4h, 2d) or until when in UTC (2026-12-24, 2026-12-24T08:00Z)",
                )
            })?),
        };
        if let Some(until) = until_us.filter(|until| *until <= now) {
            return Err(CommandError::invalid_input_error(format!(
                "{} is over; it is {} now",
                time_text::format_utc(until),
                time_text::format_utc(now)
            ))
            .with_hint("times are in UTC"));
        }
        if let Some(reason) = &self.reason
            && (reason.chars().count() > MAX_REASON_CHARACTERS || reason.contains(['\n', '\r']))
        {
            return Err(CommandError::invalid_input_error(format!(
                "the reason must be one line of at most {MAX_REASON_CHARACTERS} characters"
            )));
        }
        Ok(HostHold { since_us: now, until_us, reason: self.reason.clone() })
    }
}
