//! `punch server show`: the document of a server.

use model::{exit::Exit, name::ServerName, wire::PlaceDocument};

use crate::{command_error::CommandError, context::CommandContext, settings::RemoteArgs};

/// Show the document of a server: its environment, groups, roles and values
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch server show web-01")]
pub(crate) struct ServerShowArgs {
    /// Server
    server: ServerName,
    #[command(flatten)]
    remote: RemoteArgs,
}

impl ServerShowArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let document: PlaceDocument =
            self.remote.client(context)?.get_json(&format!("/api/v1/servers/{}", self.server))?;
        context.output.line(&document.document);
        context.output.note(format!("{} of revision {}", document.path, document.revision));
        context.output.json(&document);
        Ok(Exit::Done)
    }
}
