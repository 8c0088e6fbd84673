//! `punch plan`: what `restore` or `apply` would do, without doing it.

use std::path::PathBuf;

use model::{exit::Exit, plan::Limits, plan::view};

use super::{apply::From, restore::wish};
use crate::{
    cli::HostArgs,
    context::Context,
    deploy,
    failure::Failure,
    office::Office,
    root::Root,
    source::Source,
    state::{LastGood, State},
    wish::Wish,
};

/// Show what `restore` or `apply` would do
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch plan\n  punch plan --cached\n  punch plan node.yaml --repository dist/ --root /tmp/try\n\n\
    The exit code is 0 when there is nothing to do, 10 when there is, 3 when something is blocked."
)]
pub(crate) struct Args {
    /// Node file; else the back-office is asked
    #[arg(value_name = "NODEFILE")]
    node: Option<PathBuf>,
    #[command(flatten)]
    from: From,
    /// Plan with the last good node file, without asking the back-office for a newer one
    #[arg(long, conflicts_with = "node")]
    cached: bool,
    /// Refuse to remove more than this: components, and resources of components that stay
    #[arg(long, default_value_t = Limits::default().max_removals, value_name = "N")]
    max_removals: usize,
    #[command(flatten)]
    host: HostArgs,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let root = self.host.root()?;
        let last = State::new(&root).last_good()?;
        let (wish, mut source) = match &self.node {
            Some(node) => {
                let (wish, source) = self.from.open(context, &root, node)?;
                wish.accept(State::new(&root).begun()?.as_ref())?;
                (wish, source)
            }
            None => self.ask(context, &root, last.as_ref())?,
        };
        let limits = Limits { max_removals: self.max_removals };
        let plan = deploy::prepare(&root, &wish, last.as_ref(), &mut source, &limits, (context.now)())?.plan;
        context.output.line(plan.to_string());
        context.output.json(&view(&plan));
        Ok(match (plan.blocked.is_empty(), plan.changes.is_empty()) {
            (false, _) => Exit::Blocked,
            (true, false) => Exit::Changes,
            (true, true) => Exit::Done,
        })
    }
}

impl Args {
    /// The node file and the repository of the back-office.
    fn ask(
        &self,
        context: &Context,
        root: &Root,
        last: Option<&LastGood>,
    ) -> Result<(Wish, Source), Failure> {
        if self.from.needs_node_file() {
            return Err(Failure::new(Exit::Usage, "--repository and --allow-unsigned go with a node file")
                .hint("write `punch plan NODEFILE --repository URL-or-DIR`, or `punch plan` alone to ask the back-office"));
        }
        let office = Office::of(root)?;
        let (wish, trust) = wish(context, root, &office, last, self.cached)?;
        let repository = office.repository(wish.node.channel.as_str());
        let source = Source::open(&repository, root, trust.packages, &context.output)?;
        Ok((wish, source))
    }
}
