//! `punch server show`: the document of a server.

use model::{exit::Exit, name::ServerName, wire::PlaceDocument};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Show the document of a server: its environment, groups, roles and values
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch server show web-01")]
pub(crate) struct ServerShowArgs {
    /// Server
    server: ServerName,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ServerShowArgs {
    pub(super) fn run_server_show_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let document: PlaceDocument =
            self.remote.new_api_client(context)?.get_json(&format!("/api/v1/servers/{}", self.server))?;
        context.output.hold_output_for_pager();
        context.output.print_line_unless_json(&document.document);
        context.output.print_note_to_stderr(format!("{} of revision {}", document.path, document.revision));
        context.output.print_json_if_requested(&document);
        Ok(Exit::Done)
    }
}
