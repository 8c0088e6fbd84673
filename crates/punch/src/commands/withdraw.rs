//! `punch withdraw`: takes a version out of a channel.

use model::{exit::Exit, name::Name, wire::WithdrawalRequest};

use crate::{
    command_context::CommandContext, command_error::CommandError, component_version_arg::ComponentVersionArg,
    effect_text::print_effects, settings::ControlPlaneArgs,
};

/// Take a version out of a channel, and show which servers get another one
///
/// The packages stay in other channels and in the repository. A version that another one in the channel requires is
/// refused.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch withdraw shop@1.1.0 --from prod --dry-run\n  punch withdraw shop@1.1.0 --from prod"
)]
pub(crate) struct WithdrawArgs {
    /// Component and version
    #[arg(value_name = "NAME@VERSION")]
    component: ComponentVersionArg,
    /// Channel it is taken out of
    #[arg(long, value_name = "CHANNEL")]
    from: Name,
    /// Only show what it would do to servers
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl WithdrawArgs {
    pub(super) fn run_withdraw_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let change = self.remote.new_api_client(context)?.withdraw_version(&WithdrawalRequest {
            name: self.component.name.to_string(),
            version: self.component.version.to_string(),
            from: self.from.to_string(),
            preview: self.dry_run,
        })?;
        for file in &change.removed {
            let becomes = if self.dry_run { "would not be" } else { "is not" };
            context.output.print_line_unless_json(format!("{file} {becomes} in {} any more", change.channel));
        }
        print_effects(context, &change.effects);
        context.output.print_json_if_requested(&change);
        Ok(Exit::Done)
    }
}
