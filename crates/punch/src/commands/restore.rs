//! `punch restore`: fetches the node file from the back-office, then takes the path of every deployment.

use model::{exit::Exit, plan::Limits};

use crate::{
    cli::HostArgs, context::Context, deploy, failure::Failure, office::Office, root::Root, source::Source,
    state::State, trust::Trust, when, wish::Wish,
};

/// Make this host what the back-office says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch restore\n  punch restore --cached\n\n\
    With the back-office unreachable nothing is changed and the exit code is 6.")]
pub(crate) struct Args {
    /// Apply the last good node file again, without asking the back-office for a newer one
    #[arg(long)]
    cached: bool,
    /// Refuse to remove more than this: components, and resources of components that stay
    #[arg(long, default_value_t = Limits::default().max_removals, value_name = "N")]
    max_removals: usize,
    #[command(flatten)]
    host: HostArgs,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let root = self.host.root();
        let state = State::new(&root);
        let office = Office::of(&root)?;
        let _lock = state.lock()?;
        let wish = wish(context, &root, &state, &office, self.cached)?;
        let keys = Trust::load(&root)?.packages;
        let repository = office.repository(wish.node.channel.as_str());
        let mut source = Source::open(&repository, &root, keys, &context.output)?;
        let limits = Limits { max_removals: self.max_removals };
        let mut deployed = deploy::deploy(context, &root, &wish, &mut source, &limits)?;
        for report in deployed.interrupted.iter().chain([&deployed.report]) {
            office.queue(&state, report, context);
        }
        deployed.reported = Some(office.deliver(&state, context)?);
        deployed.finish(context)
    }
}

/// The node file to follow, believed.
pub(super) fn wish(
    context: &Context,
    root: &Root,
    state: &State,
    office: &Office,
    cached: bool,
) -> Result<Wish, Failure> {
    let trust = Trust::load(root)?;
    let last = state.last_good()?;
    let wish = match (cached, last) {
        (true, Some(last)) => {
            context.output.warn(format!(
                "generation {} is applied from the cache, confirmed {} ago; the back-office was not asked",
                last.node.generation,
                when::age(last.at, (context.now)())
            ));
            Wish::again(last)
        }
        (true, None) => {
            return Err(Failure::input("this host has no last good generation yet")
                .hint("run `punch restore` when the back-office can be reached"));
        }
        (false, last) => office.wish(last, context)?,
    };
    wish.check(root, &trust, state.last_good()?.as_ref(), &context.output)?;
    Ok(wish)
}
