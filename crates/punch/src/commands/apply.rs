//! `punch apply`: takes a node file from the user, then the path of every deployment.

use std::path::PathBuf;

use model::{exit::Exit, plan::Limits};

use super::restore::finish;
use crate::{
    cli::HostArgs,
    context::Context,
    deploy,
    failure::Failure,
    source::Source,
    state::State,
    trust::Trust,
    wish::Wish,
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
    /// Refuse to remove more packages and resources than this
    #[arg(long, default_value_t = Limits::default().max_removals, value_name = "N")]
    max_removals: usize,
    #[command(flatten)]
    host: HostArgs,
}

/// Where packages come from when the user says so.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct From {
    /// Folder of packages, or address of a YUM repository
    #[arg(long, value_name = "URL-or-DIR")]
    pub(super) repository: String,
    /// Follow node files and install packages that nobody this host trusts has signed
    #[arg(long)]
    pub(super) allow_unsigned: bool,
}

impl From {
    /// Whom to believe: nobody in particular when the user insists.
    pub(super) fn trust(&self, root: &crate::root::Root, context: &Context) -> Result<Trust, Failure> {
        if self.allow_unsigned {
            context.output.warn("--allow-unsigned: neither the node file nor the packages are checked for who made them");
            return Ok(Trust::default());
        }
        Trust::load(root)
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let root = self.host.root();
        let state = State::new(&root);
        let wish = Wish::read(&self.node)?;
        let trust = self.from.trust(&root, context)?;
        wish.check(&root, &trust, state.last_good()?.as_ref(), &context.output)?;
        let mut source = Source::open(&self.from.repository, &root, trust.packages, &context.output)?;
        let _lock = state.lock()?;
        let limits = Limits { max_removals: self.max_removals };
        let deployed = deploy::deploy(context, &root, &wish, &mut source, &limits)?;
        Ok(finish(context, &deployed))
    }
}
