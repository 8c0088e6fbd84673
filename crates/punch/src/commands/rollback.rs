//! `punch rollback`: makes this host what an earlier good generation says.

use model::exit::Exit;

use super::package_source_args::PackageSourceAndTrustArgs;
use crate::{
    agent_state::{AgentStateFiles, GivenUpGeneration},
    back_office_client::BackOfficeClientOfHost,
    cli::HostArgs,
    command_context::CommandContext,
    command_error::CommandError,
    deploy::{self, CommandContextHostRootAndLock},
    membership::BackOfficeMembership,
    removal_limit_and_deadline_options::RemovalLimitAndDeadlineOptions,
    rollback,
    terminal_output::ChangeLayout,
    trusted_node::TrustedNode,
};

/// Take this host back to an earlier good generation
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch rollback --dry-run\n  punch rollback\n  punch rollback --to 41\n\n\
    The generation that is given up is not applied again until its content changes, or `punch restore --retry` asks for\n\
    it. Commands that were run (exec) and data are not taken back. The exit code is 4 when the host was taken back."
)]
pub(crate) struct RollbackArgs {
    /// The generation to go back to; else the last good one before the present
    #[arg(long, value_name = "GENERATION")]
    to: Option<u64>,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    from: PackageSourceAndTrustArgs,
    #[command(flatten)]
    host: HostArgs,
}

impl RollbackArgs {
    pub(super) fn run_rollback_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let root = self.host.open_host_files()?;
        let state = AgentStateFiles::new(&root);
        let lock = match self.dry_run {
            true => None,
            false => Some(state.acquire_run_lock_and_set_umask()?),
        };
        let last = state.read_last_good_node()?.ok_or_else(|| {
            CommandError::invalid_input_error("this host has no good generation yet")
                .with_hint("`punch status` shows what this host is")
        })?;
        let target = state.find_good_node_to_go_back_to(&last, self.to)?;
        let options = RemovalLimitAndDeadlineOptions::of_rollback();
        let deadline = options.deadline(context.now);
        let mut source = self.from.open_source_of_good_node(context, &root, &target.node, deadline)?;
        let trusted = TrustedNode::of_good_node(&target);
        let Some(lock) = lock else {
            let (plan, failure) = deploy::plan_deployment_and_fetch_packages(
                &root,
                &trusted,
                Some(&last),
                &mut source,
                &options,
                (context.now)(),
            )?;
            context.output.hold_output_for_pager();
            context.output.print_changes_unless_json(plan.to_string(), ChangeLayout::Plan);
            if let Some(failure) = failure {
                return Err(failure);
            }
            context.output.print_json_if_requested(&model::plan::plan_to_view(&plan));
            return Ok(if plan.blocked.is_empty() { Exit::Done } else { Exit::Blocked });
        };
        let given_up =
            GivenUpGeneration::new(&last.node, "somebody typed `punch rollback`".to_owned(), &target.text);
        let host = CommandContextHostRootAndLock { context, root: &root, lock: &lock };
        let mut deployed = rollback::roll_back(host, &given_up, trusted, &last, &mut source)?;
        if BackOfficeMembership::load_membership_if_joined(&root)?.is_some() {
            let back_office = BackOfficeClientOfHost::client_from_membership(&root)?;
            for report in deployed.reports() {
                back_office.queue_unsent_report_or_warn(&state, report, context);
            }
            deployed.reported = Some(back_office.send_queued_reports(&state, context));
        }
        deployed.print_requested_json_and_get_exit(context)
    }
}
