//! `punch restore`: fetches the node file from the back-office, then deploys it.

use converge::RunPurpose;
use model::{exit::Exit, report::RunOutcome};

use super::{
    fetch_trusted_node::{NodeToApply, fetch_node_to_apply},
    hold::HoldResult,
    plan::PlanArgs,
};
use crate::{
    agent_state::{AgentStateFiles, HostHold},
    back_office_client::BackOfficeClientOfHost,
    cli::HostArgs,
    command_context::CommandContext,
    command_error::CommandError,
    deploy::{self, CommandContextHostRootAndLock},
    host_files::HostFileAccess,
    package_source::PackageSource,
    removal_limit_and_deadline_options::RemovalLimitAndDeadlineOptions,
    rollback,
};

/// Fetch this host's node file from the back-office and apply it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch restore\n  punch restore --cached\n\n\
    With the back-office unreachable nothing is changed and the exit code is 6. A run that fails is rolled back to\n\
    the last good generation: exit code 4. The generation that failed is not tried again until its content changes.")]
pub(crate) struct RestoreArgs {
    /// Apply the last good node file again, without asking the back-office for a newer one
    #[arg(long)]
    cached: bool,
    /// Try the newest generation again, although this host went back from it
    #[arg(long, conflicts_with = "cached")]
    retry: bool,
    /// Do nothing while the host is held (`punch hold`): the timer restores so
    #[arg(long)]
    unless_held: bool,
    #[command(flatten)]
    options: RemovalLimitAndDeadlineOptions,
    /// Only show what would be done, as `punch plan` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    host: HostArgs,
}

impl RestoreArgs {
    pub(super) fn run_restore_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        if self.dry_run {
            return PlanArgs::from_restore_options((self.cached, self.retry), self.options, self.host)
                .run_plan_command(context);
        }
        let root = self.host.open_host_files()?;
        let state = AgentStateFiles::new(&root);
        let back_office = BackOfficeClientOfHost::client_from_membership(&root)?;
        if let Some(hold) = state.read_hold_lasting_at((context.now)())? {
            context.output.print_note_to_stderr(format!("this host is held {}", hold.describe()));
            if self.unless_held {
                return keep_held(context, &root, &back_office, hold);
            }
        }
        let lock = state.acquire_run_lock_and_set_umask()?;
        let last = state.read_last_good_node()?;
        let fetched =
            fetch_node_to_apply(context, &root, &back_office, last.as_ref(), (self.cached, self.retry));
        let NodeToApply { trusted, purpose, trust } = match fetched {
            Ok(fetched) => fetched,
            Err(failure) => {
                // A forged node file must be reported.
                if failure.exit == Exit::Blocked {
                    let report = deploy::save_refused_node_report_to_history(
                        context,
                        &root,
                        back_office.joined_server_name(),
                        last.as_ref(),
                        &failure,
                    )?;
                    back_office.queue_unsent_report_or_warn(&state, &report, context);
                    back_office.send_queued_reports(&state, context);
                }
                return Err(failure);
            }
        };
        if !self.cached {
            state.record_back_office_contact((context.now)())?;
        }
        let repository = back_office.repository_url(trusted.node.channel.as_str());
        let options = &self.options;
        let mut source = PackageSource::open_package_source(
            &repository,
            &root,
            trust.packages,
            options.deadline(context.now),
            &context.output,
        )?;
        let host = CommandContextHostRootAndLock { context, root: &root, lock: &lock };
        let mut deployed = match purpose {
            RunPurpose::Deploy => {
                rollback::deploy_or_roll_back(host, &trusted, last.as_ref(), &mut source, options)?
            }
            purpose => deploy::run_deployment(host, &trusted, last.as_ref(), &mut source, options, purpose)?,
        };
        for report in deployed.reports() {
            back_office.queue_unsent_report_or_warn(&state, report, context);
        }
        deployed.reported = Some(back_office.send_queued_reports(&state, context));
        deployed.print_requested_json_and_get_exit(context)
    }
}

/// Leaves the host as it is, and says so where the last report says something else.
fn keep_held(
    context: &CommandContext,
    root: &HostFileAccess,
    back_office: &BackOfficeClientOfHost,
    hold: HostHold,
) -> Result<Exit, CommandError> {
    let state = AgentStateFiles::new(root);
    let last = state.read_latest_reports(1)?.pop();
    if last.is_none_or(|(_, report)| report.outcome != RunOutcome::Held) {
        let report =
            deploy::save_held_report_to_history(context, root, back_office.joined_server_name(), &hold)?;
        back_office.queue_unsent_report_or_warn(&state, &report, context);
    }
    let reported = Some(back_office.send_queued_reports(&state, context));
    context.output.print_json_if_requested(&HoldResult { held: Some(hold), reported });
    Ok(Exit::Done)
}
