//! `punch promote`: makes a version visible in the next channel, with everything it needs.

use model::{exit::Exit, name::Name, wire::PromotionRequest};

use crate::component_version_arg::ComponentVersionArg;
use crate::{
    command_context::CommandContext,
    command_error::CommandError,
    effect_text::print_effects,
    settings::{ControlPlaneArgs, Setting, SettingsResolver},
};

/// Make a version visible in another channel, with the components it requires
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch promote shop@1.2.0\n  punch promote shop@1.2.0 --from dev --to staging\n  punch promote shop@1.2.0 --from staging --to prod --dry-run\n\n\
    Both packages and the closure of required components move together, or nothing does.\n\
    Without --from it is the channel that `punch publish` publishes to, without --to the next one in the order of promotion."
)]
pub(crate) struct PromoteArgs {
    /// Component and version
    #[arg(value_name = "NAME@VERSION")]
    component: ComponentVersionArg,
    /// Channel it is in; the one `channel` sets when nothing sets this [env: PUNCH_PROMOTE_FROM] [config: promote.from]
    #[arg(long, value_name = "CHANNEL")]
    from: Option<Name>,
    /// Channel to make it visible in; the next one after --from when nothing sets it [env: PUNCH_PROMOTE_TO] [config: promote.to]
    #[arg(long, value_name = "CHANNEL")]
    to: Option<Name>,
    /// Only show what it would do to servers
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl PromoteArgs {
    pub(super) fn run_promote_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let settings = SettingsResolver::new_with_config_file(context)?;
        let from = settings.resolve_channel_to_promote_from(self.from.map(|name| name.to_string()));
        let to = settings.resolve_setting_value(Setting::PromoteTo, self.to.map(|name| name.to_string()));
        let published = self.remote.new_api_client(context)?.promote_version(&PromotionRequest {
            name: self.component.name.to_string(),
            version: self.component.version.to_string(),
            from,
            to,
            preview: self.dry_run,
        })?;
        for file in &published.added {
            let becomes = if self.dry_run { "would be" } else { "is now" };
            context.output.print_line_unless_json(format!("{file} {becomes} in {}", published.channel));
        }
        print_effects(context, &published.effects);
        if published.added.is_empty() {
            context
                .output
                .print_line_unless_json(format!("all packages are already in {}", published.channel));
        }
        context.output.print_json_if_requested(&published);
        Ok(Exit::Done)
    }
}
