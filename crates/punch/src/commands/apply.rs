//! `punch apply`: takes a node file from the user, then the path of every deployment.

use std::path::{Path, PathBuf};

use model::{exit::Exit, plan::Limits};

use crate::{
    cli::HostArgs, context::Context, deploy, failure::Failure, membership::Membership, office::Office,
    root::Root, source::Source, state::State, trust::Trust, wish::Wish,
};

/// Make this host, or a folder, what a node file says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch apply node.yaml --repository dist/ --root /tmp/try\n  \
    punch apply node.yaml --repository https://geppetto.example.org/repository/dev\n\n\
    A node file written by hand needs no more than this:\n\n  \
    format: geppetto/node/1\n  components:\n    shop:\n      version: 1.0.0\n      values: {http_port: 8080}")]
pub(crate) struct Args {
    /// Node file
    #[arg(value_name = "NODEFILE")]
    node: PathBuf,
    #[command(flatten)]
    from: From,
    /// Refuse to remove more than this: components, and resources of components that stay
    #[arg(long, default_value_t = Limits::default().max_removals, value_name = "N")]
    max_removals: usize,
    #[command(flatten)]
    host: HostArgs,
}

/// Where packages come from when the user says so.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct From {
    /// Folder of packages, or address of a YUM repository; else the back-office this host joined
    #[arg(long, value_name = "URL-or-DIR")]
    repository: Option<String>,
    /// Follow node files and install packages that nobody this host trusts has signed
    #[arg(long)]
    allow_unsigned: bool,
}

impl From {
    /// Whether something was asked for that only makes sense with a node file of the user.
    pub(super) fn needs_node_file(&self) -> bool {
        self.repository.is_some() || self.allow_unsigned
    }

    /// The user's node file, believed, and where its packages come from. Ask under the lock whether it
    /// is new enough, when anything is going to change.
    pub(super) fn open(
        &self,
        context: &Context,
        root: &Root,
        node: &Path,
    ) -> Result<(Wish, Source), Failure> {
        let trust = if self.allow_unsigned {
            context.output.warn(
                "--allow-unsigned: nobody checks who made the node file and the packages; they are installed as they are",
            );
            Trust::anybody()
        } else {
            Trust::load(root)?
        };
        let wish = Wish::read(node, &trust, &context.output)?;
        let repository = match &self.repository {
            Some(place) => place.clone(),
            None if Membership::load(root)?.is_some() => {
                Office::of(root)?.repository(wish.node.channel.as_str())
            }
            None => {
                return Err(Failure::input(
                    "where do packages come from? This host has not joined a back-office",
                )
                .hint(
                    "give `--repository FOLDER`, the folder `punch package` wrote to, or `--repository URL`",
                ));
            }
        };
        let source = Source::open(&repository, root, trust.packages, &context.output)?;
        Ok((wish, source))
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let root = self.host.root()?;
        let state = State::new(&root);
        let (wish, mut source) = self.from.open(context, &root, &self.node)?;
        let lock = state.lock()?;
        wish.accept(state.begun()?.as_ref())?;
        let last = state.last_good()?;
        let limits = Limits { max_removals: self.max_removals };
        deploy::deploy(context, &root, &lock, &wish, last.as_ref(), &mut source, &limits)?.finish(context)
    }
}
