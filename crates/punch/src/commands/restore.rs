//! `punch restore`: fetches the node file from the back-office, then takes the path of every deployment.

use model::{exit::Exit, plan::Limits};

use crate::{
    cli::HostArgs,
    context::Context,
    deploy,
    failure::Failure,
    office::{Office, heard_words},
    root::Root,
    source::Source,
    state::{LastGood, State},
    trust::Trust,
    wish::Wish,
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
        let root = self.host.root()?;
        let state = State::new(&root);
        let office = Office::of(&root)?;
        let lock = state.lock()?;
        let last = state.last_good()?;
        let (wish, trust) = match wish(context, &root, &office, last.as_ref(), self.cached) {
            Ok(wish) => wish,
            Err(failure) => {
                // Whoever forges node files must not go unnoticed.
                if failure.exit == Exit::Blocked {
                    let report = deploy::refuse(context, &root, office.server(), last.as_ref(), &failure)?;
                    office.queue(&state, &report, context);
                    office.deliver(&state, context);
                }
                return Err(failure);
            }
        };
        if !self.cached {
            state.hear((context.now)())?;
        }
        let repository = office.repository(wish.node.channel.as_str());
        let mut source = Source::open(&repository, &root, trust.packages, &context.output)?;
        let limits = Limits { max_removals: self.max_removals };
        let mut deployed = deploy::deploy(context, &root, &lock, &wish, last.as_ref(), &mut source, &limits)?;
        for report in deployed.interrupted.iter().chain([&deployed.report]) {
            office.queue(&state, report, context);
        }
        deployed.reported = Some(office.deliver(&state, context));
        deployed.finish(context)
    }
}

/// The node file to follow, believed, and whom this host believes.
pub(super) fn wish(
    context: &Context,
    root: &Root,
    office: &Office,
    last: Option<&LastGood>,
    cached: bool,
) -> Result<(Wish, Trust), Failure> {
    let state = State::new(root);
    let trust = Trust::load(root)?;
    let heard = state.heard()?;
    if !cached {
        let wish = office.wish(last, heard, &trust, context)?;
        wish.accept(state.begun()?.as_ref()).map_err(Failure::blocks)?;
        return Ok((wish, trust));
    }
    let Some(last) = last else {
        return Err(Failure::input("this host has no last good generation yet")
            .hint("run `punch restore` when the back-office can be reached"));
    };
    context.output.warn(format!(
        "generation {} is applied from the cache; the back-office was not asked, {}",
        last.node.generation,
        heard_words(heard, context)
    ));
    // It may well be older than one that was begun and failed: that is what going back is for.
    let wish = Wish::again(last, &trust, &context.output).map_err(Failure::blocks)?;
    Ok((wish, trust))
}
