//! `punch plan`: what `restore` or `apply` would do, without doing it.

use std::path::PathBuf;

use model::{exit::Exit, plan::Limits, plan::view};

use crate::{
    cli::HostArgs,
    context::Context,
    deploy,
    failure::Failure,
    office::Office,
    source::Source,
    state::State,
    trust::Trust,
    wish::Wish,
};

/// Show what `restore` or `apply` would do
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch plan\n  punch plan --cached\n  punch plan node.yaml --repository dist/ --root /tmp/try\n\n\
    The exit code is 0 when there is nothing to do, 10 when there is, 3 when something is blocked.")]
pub(crate) struct Args {
    /// Node file; else the back-office is asked
    #[arg(value_name = "NODEFILE", requires = "repository")]
    node: Option<PathBuf>,
    /// Folder of packages, or address of a YUM repository
    #[arg(long, value_name = "URL-or-DIR", requires = "node")]
    repository: Option<String>,
    /// Follow node files and read packages that nobody this host trusts has signed
    #[arg(long, requires = "node")]
    allow_unsigned: bool,
    /// Plan with the last good node file, without asking the back-office for a newer one
    #[arg(long, conflicts_with = "node")]
    cached: bool,
    /// Refuse to remove more packages and resources than this
    #[arg(long, default_value_t = Limits::default().max_removals, value_name = "N")]
    max_removals: usize,
    #[command(flatten)]
    host: HostArgs,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let root = self.host.root();
        let state = State::new(&root);
        let (wish, mut source) = match (&self.node, &self.repository) {
            (Some(node), Some(repository)) => {
                let from = super::apply::From { repository: repository.clone(), allow_unsigned: self.allow_unsigned };
                let trust = from.trust(&root, context)?;
                let wish = Wish::read(node)?;
                wish.check(&root, &trust, state.last_good()?.as_ref(), &context.output)?;
                (wish, Source::open(repository, &root, trust.packages, &context.output)?)
            }
            _ => {
                let office = Office::of(&root)?;
                let wish = super::restore::wish(context, &root, &state, &office, self.cached)?;
                let keys = Trust::load(&root)?.packages;
                let source = Source::open(&office.repository(wish.node.channel.as_str()), &root, keys, &context.output)?;
                (wish, source)
            }
        };
        let limits = Limits { max_removals: self.max_removals };
        let plan = deploy::prepare(&root, &wish, &mut source, &limits)?.plan;
        context.output.line(plan.to_string());
        context.output.json(&view(&plan));
        Ok(match (plan.blocked.is_empty(), plan.changes.is_empty()) {
            (false, _) => Exit::Blocked,
            (true, false) => Exit::Changes,
            (true, true) => Exit::Done,
        })
    }
}
