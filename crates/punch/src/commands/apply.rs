//! `punch apply`: takes a node file from the user, then the path of every deployment.

use std::path::{Path, PathBuf};

use model::{exit::Exit, plan::PlanLimits};

use crate::{
    cli::HostArgs, context::CommandContext, deploy, failure::CommandError, membership::Membership,
    office::BackOfficeLink, root::HostPaths, source::PackageSource, state::AgentState, trust::TrustedKeys,
    wish::TrustedNode,
};

/// Make this host, or a folder, what a node file says
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
    from: NodeFileArgs,
    /// Refuse to remove more than this: components, and resources of components that stay
    #[arg(long, default_value_t = PlanLimits::default().max_removals, value_name = "N")]
    max_removals: usize,
    #[command(flatten)]
    host: HostArgs,
}

/// Where packages come from when the user says so.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct NodeFileArgs {
    /// Folder of packages, or address of a YUM repository; else the back-office this host joined
    #[arg(long, value_name = "URL-or-DIR")]
    repository: Option<String>,
    /// Follow node files and install packages that nobody this host trusts has signed
    #[arg(long)]
    allow_unsigned: bool,
}

impl NodeFileArgs {
    /// Whether something was asked for that only makes sense with a node file of the user.
    pub(super) fn needs_node_file(&self) -> bool {
        self.repository.is_some() || self.allow_unsigned
    }

    /// The user's node file, believed, and where its packages come from. Ask under the lock whether it
    /// is new enough, when anything is going to change.
    pub(super) fn open(
        &self,
        context: &CommandContext,
        root: &HostPaths,
        node: &Path,
    ) -> Result<(TrustedNode, PackageSource), CommandError> {
        let trust = if self.allow_unsigned {
            context.output.warn(
                "--allow-unsigned: nobody checks who made the node file and the packages; they are installed as they are",
            );
            TrustedKeys::anybody()
        } else {
            TrustedKeys::load(root)?
        };
        let wish = TrustedNode::read(node, &trust, &context.output)?;
        let repository = match &self.repository {
            Some(place) => place.clone(),
            None if Membership::load(root)?.is_some() => {
                BackOfficeLink::of(root)?.repository(wish.node.channel.as_str())
            }
            None => {
                return Err(CommandError::input(
                    "where do packages come from? This host has not joined a back-office",
                )
                .hint(
                    "give `--repository FOLDER`, the folder `punch package` wrote to, or `--repository URL`",
                ));
            }
        };
        let source = PackageSource::open(&repository, root, trust.packages, &context.output)?;
        Ok((wish, source))
    }
}

impl ApplyArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let root = self.host.root()?;
        let state = AgentState::new(&root);
        let (wish, mut source) = self.from.open(context, &root, &self.node)?;
        let lock = state.lock()?;
        wish.accept(state.begun()?.as_ref())?;
        let last = state.last_good()?;
        let limits = PlanLimits { max_removals: self.max_removals };
        deploy::deploy(context, &root, &lock, &wish, last.as_ref(), &mut source, &limits)?.finish(context)
    }
}
