//! `punch promote`: makes a version visible in the next channel, with everything it needs.

use model::{exit::Exit, name::Name, wire::PromotionRequest};

use crate::component_spec::ComponentSpec;
use crate::{context::CommandContext, failure::CommandError, settings::RemoteArgs};

/// Make a version visible in another channel, with the components it requires
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch promote shop@1.2.0 --from dev --to staging\n\n\
    Both packages and the closure of required components move together, or nothing does.")]
pub(crate) struct PromoteArgs {
    /// Component and version
    #[arg(value_name = "NAME@VERSION")]
    component: ComponentSpec,
    /// Channel it is in
    #[arg(long, value_name = "CHANNEL")]
    from: Name,
    /// Channel it shall be in too
    #[arg(long, value_name = "CHANNEL")]
    to: Name,
    #[command(flatten)]
    remote: RemoteArgs,
}

impl PromoteArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let published = self.remote.client(context.settings.as_deref())?.promote(&PromotionRequest {
            name: self.component.name.to_string(),
            version: self.component.version.to_string(),
            from: self.from.to_string(),
            to: self.to.to_string(),
        })?;
        for file in &published.added {
            context.output.line(format!("{file} is now in {}", published.channel));
        }
        if published.added.is_empty() {
            context.output.line(format!("everything was in {} already", published.channel));
        }
        context.output.json(&published);
        Ok(Exit::Done)
    }
}
