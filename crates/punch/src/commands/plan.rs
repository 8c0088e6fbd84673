//! `punch plan`: what `restore` or `apply` would do, without doing it.

use std::path::PathBuf;

use model::{exit::Exit, plan::plan_to_view};

use super::{
    fetch_trusted_node::{NodeToApply, fetch_node_to_apply},
    package_source_args::PackageSourceAndTrustArgs,
};
use crate::{
    agent_state::{AgentStateFiles, LastGoodNode},
    back_office_client::BackOfficeClientOfHost,
    cli::HostArgs,
    command_context::CommandContext,
    command_error::CommandError,
    deploy,
    host_files::HostFileAccess,
    package_source::PackageSource,
    removal_limit_and_deadline_options::RemovalLimitAndDeadlineOptions,
    terminal_output::ChangeLayout,
    trusted_node::TrustedNode,
};

/// Show what `restore` or `apply` would do
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch plan\n  punch plan --cached\n  punch plan --deep\n  punch plan node.yaml --repository dist/ --root /tmp/try\n\n\
    The exit code is 0 when there is nothing to do, 10 when there is, 3 when something is blocked."
)]
pub(crate) struct PlanArgs {
    /// Node file; else the back-office is asked
    #[arg(value_name = "NODEFILE")]
    node: Option<PathBuf>,
    #[command(flatten)]
    from: PackageSourceAndTrustArgs,
    /// Plan with the last good node file, without asking the back-office for a newer one
    #[arg(long, conflicts_with = "node")]
    cached: bool,
    /// Plan with the newest generation, although this host went back from it
    #[arg(long, conflicts_with_all = ["node", "cached"])]
    retry: bool,
    #[command(flatten)]
    options: RemovalLimitAndDeadlineOptions,
    #[command(flatten)]
    host: HostArgs,
}

impl PlanArgs {
    /// The plan of `punch restore` with these options.
    pub(super) fn from_restore_options(
        (cached, retry): (bool, bool),
        options: RemovalLimitAndDeadlineOptions,
        host: HostArgs,
    ) -> Self {
        Self { node: None, from: PackageSourceAndTrustArgs::default(), cached, retry, options, host }
    }

    /// The plan of `punch apply NODEFILE` with these options.
    pub(super) fn from_apply_options(
        node: PathBuf,
        from: PackageSourceAndTrustArgs,
        options: RemovalLimitAndDeadlineOptions,
        host: HostArgs,
    ) -> Self {
        Self { node: Some(node), from, cached: false, retry: false, options, host }
    }

    pub(super) fn run_plan_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let root = self.host.open_host_files()?;
        let last = AgentStateFiles::new(&root).read_last_good_node()?;
        let (trusted, mut source) = match &self.node {
            Some(node) => {
                let (trusted, source) = self.from.open_verified_node_and_source(
                    context,
                    &root,
                    node,
                    self.options.deadline(context.now),
                )?;
                trusted.refuse_generation_older_than_begun(
                    AgentStateFiles::new(&root).read_highest_begun_generation()?.as_ref(),
                )?;
                (trusted, source)
            }
            None => self.ask(context, &root, last.as_ref())?,
        };
        let (plan, failure) = deploy::plan_deployment_and_fetch_packages(
            &root,
            &trusted,
            last.as_ref(),
            &mut source,
            &self.options,
            (context.now)(),
        )?;
        context.output.hold_output_for_pager();
        context.output.print_changes_unless_json(plan.to_string(), ChangeLayout::Plan);
        if let Some(failure) = failure {
            return Err(failure);
        }
        context.output.print_json_if_requested(&plan_to_view(&plan));
        Ok(match (plan.blocked.is_empty(), plan.changes.is_empty()) {
            (false, _) => Exit::Blocked,
            (true, false) => Exit::Changes,
            (true, true) => Exit::Done,
        })
    }
}

impl PlanArgs {
    /// The node file and the repository of the back-office.
    fn ask(
        &self,
        context: &CommandContext,
        root: &HostFileAccess,
        last: Option<&LastGoodNode>,
    ) -> Result<(TrustedNode, PackageSource), CommandError> {
        if self.from.has_options_that_need_a_node_file() {
            return Err(CommandError::new(Exit::Usage, "--repository and --allow-unsigned go with a node file")
                .with_hint("write `punch plan NODEFILE --repository URL-or-DIR`, or `punch plan` alone to ask the back-office"));
        }
        let back_office = BackOfficeClientOfHost::client_from_membership(root)?;
        let NodeToApply { trusted, trust, .. } =
            fetch_node_to_apply(context, root, &back_office, last, (self.cached, self.retry))?;
        let repository = back_office.repository_url(trusted.node.channel.as_str());
        let source = PackageSource::open_package_source(
            &repository,
            root,
            trust.packages,
            self.options.deadline(context.now),
            &context.output,
        )?;
        Ok((trusted, source))
    }
}
