//! `punch apply`: reads a node file given by the user, then deploys it like `restore`.

use std::path::PathBuf;

use model::exit::Exit;

use super::{package_source_args::PackageSourceAndTrustArgs, plan::PlanArgs};
use crate::{
    agent_state::AgentStateFiles, cli::HostArgs, command_context::CommandContext,
    command_error::CommandError, deploy::CommandContextHostRootAndLock,
    removal_limit_and_deadline_options::RemovalLimitAndDeadlineOptions, rollback,
};

/// Apply a node file to this host or to a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch apply node.yaml --repository dist/ --root /tmp/try\n  \
    punch apply node.yaml --repository https://geppetto.example.org/repository/dev\n\n\
    A run that fails is rolled back to the last good node file, if its packages can be had: exit code 4.\n\n\
    A node file written by hand needs no more than this:\n\n  \
    format: geppetto/node/1\n  components:\n    shop:\n      version: 1.0.0\n      values: {http_port: 8080}")]
pub(crate) struct ApplyArgs {
    /// Node file
    #[arg(value_name = "NODEFILE")]
    node: PathBuf,
    #[command(flatten)]
    from: PackageSourceAndTrustArgs,
    #[command(flatten)]
    options: RemovalLimitAndDeadlineOptions,
    /// Only show what would be done, as `punch plan NODEFILE` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    host: HostArgs,
}

impl ApplyArgs {
    pub(super) fn run_apply_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        if self.dry_run {
            return PlanArgs::from_apply_options(self.node, self.from, self.options, self.host)
                .run_plan_command(context);
        }
        let root = self.host.open_host_files()?;
        let state = AgentStateFiles::new(&root);
        let (trusted, mut source) = self.from.open_verified_node_and_source(
            context,
            &root,
            &self.node,
            self.options.deadline(context.now),
        )?;
        let lock = state.acquire_run_lock_and_set_umask()?;
        trusted.refuse_generation_older_than_begun(state.read_highest_begun_generation()?.as_ref())?;
        let last = state.read_last_good_node()?;
        let host = CommandContextHostRootAndLock { context, root: &root, lock: &lock };
        rollback::deploy_or_roll_back(host, &trusted, last.as_ref(), &mut source, &self.options)?
            .print_requested_json_and_get_exit(context)
    }
}
