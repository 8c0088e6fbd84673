//! `punch apply`: reads a node file given by the user, then deploys it like `restore`.

use std::path::{Path, PathBuf};

use model::{exit::Exit, plan::PlanLimits};

use super::plan::PlanArgs;
use crate::{
    agent_state::AgentStateFiles, back_office_client::BackOfficeClientOfHost, cli::HostArgs,
    command_context::CommandContext, command_error::CommandError, deploy, host_files::HostFileAccess,
    membership::BackOfficeMembership, package_source::PackageSource, trusted_keys::TrustSettingsOfHost,
    trusted_node::TrustedNode,
};

/// Apply a node file to this host or to a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch apply node.yaml --repository dist/ --root /tmp/try\n  \
    punch apply node.yaml --repository https://geppetto.example.org/repository/dev\n\n\
    A node file written by hand needs no more than this:\n\n  \
    format: geppetto/node/1\n  components:\n    shop:\n      version: 1.0.0\n      values: {http_port: 8080}")]
pub(crate) struct ApplyArgs {
    /// Node file
    #[arg(value_name = "NODEFILE")]
    node: PathBuf,
    #[command(flatten)]
    from: PackageSourceAndTrustArgs,
    /// Refuse to remove more than this: components, and resources of components that stay
    #[arg(long, default_value_t = PlanLimits::default().max_removals, value_name = "N")]
    max_removals: usize,
    /// Only show what would be done, as `punch plan NODEFILE` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    host: HostArgs,
}

/// Options that say where packages come from and whether signatures are checked.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct PackageSourceAndTrustArgs {
    /// Folder of packages, or address of a YUM repository; else the back-office this host joined
    #[arg(long, value_name = "URL-or-DIR")]
    repository: Option<String>,
    /// Accept node files and packages without a signature of a trusted key
    #[arg(long)]
    allow_unsigned: bool,
}

impl PackageSourceAndTrustArgs {
    /// Whether an option was given that needs a node file on the command line.
    pub(super) fn has_options_that_need_a_node_file(&self) -> bool {
        self.repository.is_some() || self.allow_unsigned
    }

    /// Returns the user's node file, verified, and the source of its packages. Before changing anything the
    /// caller must check its generation while holding the lock.
    pub(super) fn open_node_file_and_source(
        &self,
        context: &CommandContext,
        root: &HostFileAccess,
        node: &Path,
    ) -> Result<(TrustedNode, PackageSource), CommandError> {
        let trust = if self.allow_unsigned {
            context.output.print_warning(
                "--allow-unsigned: signatures of the node file and the packages are not checked",
            );
            TrustSettingsOfHost::accept_unsigned_nodes_and_packages()
        } else {
            TrustSettingsOfHost::load_trusted_keys(root)?
        };
        let trusted = TrustedNode::read_and_verify_node_file(node, &trust, &context.output)?;
        let repository = match &self.repository {
            Some(place) => place.clone(),
            None if BackOfficeMembership::load_membership_if_joined(root)?.is_some() => {
                BackOfficeClientOfHost::client_from_membership(root)?
                    .repository_url(trusted.node.channel.as_str())
            }
            None => {
                return Err(CommandError::invalid_input_error(
                    "no repository is known for the packages: this host has not joined a back-office",
                )
                .with_hint(
                    "give `--repository FOLDER`, the folder `punch package` wrote to, or `--repository URL`",
                ));
            }
        };
        let source = PackageSource::open_package_source(&repository, root, trust.packages, &context.output)?;
        Ok((trusted, source))
    }
}

impl ApplyArgs {
    pub(super) fn run_apply_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        if self.dry_run {
            return PlanArgs::plan_of_apply(self.node, self.from, self.max_removals, self.host)
                .run_plan_command(context);
        }
        let root = self.host.open_host_files()?;
        let state = AgentStateFiles::new(&root);
        let (trusted, mut source) = self.from.open_node_file_and_source(context, &root, &self.node)?;
        let lock = state.acquire_run_lock_and_set_umask()?;
        trusted.refuse_generation_older_than_begun(state.read_highest_begun_generation()?.as_ref())?;
        let last = state.read_last_good_node()?;
        let limits = PlanLimits { max_removals: self.max_removals };
        deploy::apply_trusted_node(context, &root, &lock, &trusted, last.as_ref(), &mut source, &limits)?
            .print_requested_json_and_get_exit(context)
    }
}
