//! `punch component show`: the published versions of a component.

use model::{exit::Exit, name::Name, wire::ComponentVersionSummary};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Show the published versions of a component and their channels, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch component show shop\n  punch component show shop --json")]
pub(crate) struct ComponentShowArgs {
    /// Component
    name: Name,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ComponentShowArgs {
    pub(super) fn run_component_show_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let path = format!("/api/v1/components/{}/versions", self.name);
        let versions: Vec<ComponentVersionSummary> =
            self.remote.new_api_client(context)?.get_list_items_up_to(&path, "after", usize::MAX)?;
        let rows: Vec<Vec<String>> = versions
            .iter()
            .map(|version| {
                let channels =
                    if version.channels.is_empty() { "-".to_owned() } else { version.channels.join(" ") };
                vec![version.version.clone(), channels, version.summary.clone()]
            })
            .collect();
        context.output.print_table_unless_json(&["VERSION", "CHANNELS", "SUMMARY"], &rows);
        if versions.is_empty() {
            context.output.print_note_to_stderr(format!("no version of {} is published", self.name));
        }
        context.output.print_json_if_requested(&versions);
        Ok(Exit::Done)
    }
}
