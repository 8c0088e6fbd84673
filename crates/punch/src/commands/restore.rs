//! `punch restore`: fetches the node file from the back-office, then takes the path of every deployment.

use model::{exit::Exit, plan::PlanLimits};

use crate::{
    cli::HostArgs,
    context::CommandContext,
    deploy,
    failure::CommandError,
    office::{BackOfficeLink, heard_words},
    root::HostPaths,
    source::PackageSource,
    state::{AgentState, LastGood},
    trust::TrustedKeys,
    wish::TrustedNode,
};

/// Make this host what the back-office says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch restore\n  punch restore --cached\n\n\
    With the back-office unreachable nothing is changed and the exit code is 6.")]
pub(crate) struct RestoreArgs {
    /// Apply the last good node file again, without asking the back-office for a newer one
    #[arg(long)]
    cached: bool,
    /// Refuse to remove more than this: components, and resources of components that stay
    #[arg(long, default_value_t = PlanLimits::default().max_removals, value_name = "N")]
    max_removals: usize,
    #[command(flatten)]
    host: HostArgs,
}

impl RestoreArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let root = self.host.root()?;
        let state = AgentState::new(&root);
        let office = BackOfficeLink::of(&root)?;
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
        let mut source = PackageSource::open(&repository, &root, trust.packages, &context.output)?;
        let limits = PlanLimits { max_removals: self.max_removals };
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
    context: &CommandContext,
    root: &HostPaths,
    office: &BackOfficeLink,
    last: Option<&LastGood>,
    cached: bool,
) -> Result<(TrustedNode, TrustedKeys), CommandError> {
    let state = AgentState::new(root);
    let trust = TrustedKeys::load(root)?;
    let heard = state.heard()?;
    if !cached {
        let wish = office.wish(last, heard, &trust, context)?;
        wish.accept(state.begun()?.as_ref()).map_err(CommandError::blocks)?;
        return Ok((wish, trust));
    }
    let Some(last) = last else {
        return Err(CommandError::input("this host has no last good generation yet")
            .hint("run `punch restore` when the back-office can be reached"));
    };
    context.output.warn(format!(
        "generation {} is applied from the cache; the back-office was not asked, {}",
        last.node.generation,
        heard_words(heard, context)
    ));
    // It may well be older than one that was begun and failed: that is what going back is for.
    let wish = TrustedNode::again(last, &trust, &context.output).map_err(CommandError::blocks)?;
    Ok((wish, trust))
}
