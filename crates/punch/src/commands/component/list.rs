//! `punch component list`: the published components.

use model::{component::ComponentKind, exit::Exit, wire::ComponentSummary};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// List published components with their newest version in each channel
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch component list\n  punch component list --json")]
pub(crate) struct ComponentListArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ComponentListArgs {
    pub(super) fn run_component_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let components: Vec<ComponentSummary> = self.remote.new_api_client(context)?.get_list_items_up_to(
            "/api/v1/components",
            "after",
            usize::MAX,
        )?;
        let rows: Vec<Vec<String>> = components
            .iter()
            .map(|component| {
                let newest: Vec<String> = component
                    .channels
                    .iter()
                    .map(|(channel, version)| format!("{channel}={version}"))
                    .collect();
                vec![
                    component.name.clone(),
                    kind_name(component.kind),
                    newest.join(" "),
                    component.summary.clone(),
                ]
            })
            .collect();
        context.output.print_table_unless_json(&["COMPONENT", "KIND", "NEWEST VERSIONS", "SUMMARY"], &rows);
        context.output.print_json_if_requested(&components);
        Ok(Exit::Done)
    }
}

/// The kind as `component.yaml` writes it: `web-service`.
fn kind_name(kind: ComponentKind) -> String {
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}
