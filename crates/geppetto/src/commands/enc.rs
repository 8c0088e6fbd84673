//! `geppetto enc`: the node for Puppet.

use model::{name::ServerName, resolve};

use super::DaemonContext;
use crate::{backoffice::node, daemon_error::DaemonError, output};

/// Print a server's classes and parameters for Puppet (external node classifier)
///
/// For `external_nodes` in puppet.conf. Secrets are in it, because Puppet needs them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto enc web-01")]
pub struct Enc {
    /// The server
    server: ServerName,
}

impl Enc {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        let stored = back_office.signed_node(&self.server).await?;
        output::data(&resolve::enc(&node::read_stored_node(&self.server, &stored)?));
        Ok(())
    }
}
