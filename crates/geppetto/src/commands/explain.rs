//! `geppetto explain`: why a value is what it is.

use model::{name::ServerName, resolve};

use super::DaemonContext;
use crate::{backoffice::node, daemon_error::DaemonError, output};

/// Say why a value of a server is what it is
///
/// Every place that sets or removes it, strongest first: value, revision and author.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto explain web-01 shop.http_port")]
pub struct Explain {
    /// The server
    server: ServerName,
    /// COMPONENT.PARAMETER
    key: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        let stored = back_office.signed_node(&self.server).await?;
        let node = node::read_stored_node(&self.server, &stored)?;
        let explanation =
            resolve::explain(&node, &self.key).map_err(|error| DaemonError::input(error.to_string()))?;
        match self.json {
            true => output::line(&serde_json::to_string_pretty(&explanation).unwrap_or_default()),
            false => output::line(&explanation.to_string()),
        }
        Ok(())
    }
}
