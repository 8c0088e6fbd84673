//! `geppetto node`: the node file of a server.

use model::{format, name::ServerName};

use super::DaemonContext;
use crate::{backoffice::node, daemon_error::DaemonError, output};

/// Print the node file of a server: everything it must be
///
/// Makes a new generation if roles, values or packages changed since the last one, as the server's own
/// request does. Secrets are masked and the text is unsigned unless --show-secrets is given.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto node web-01\n  geppetto node web-01 --generation 3 --format json"
)]
pub struct Node {
    /// The server
    server: ServerName,
    /// How to print it
    #[arg(long, default_value = "yaml")]
    format: Format,
    /// An older generation
    #[arg(long)]
    generation: Option<u64>,
    /// Print the signed file as the server gets it, secrets included
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Yaml,
    Json,
}

impl Node {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        let stored = match self.generation {
            Some(generation) => back_office.signed_generation(&self.server, generation).await?,
            None => back_office.signed_node(&self.server).await?,
        };
        if self.show_secrets && self.format == Format::Yaml {
            output::data(&stored.text);
            return Ok(());
        }
        let node = match self.show_secrets {
            true => node::read_stored_node(&self.server, &stored)?,
            false => node::masked_text(&self.server, &stored)?,
        };
        match self.format {
            Format::Yaml => output::data(&format::node::write(&node)),
            Format::Json => output::line(&format!("{:#}", format::node::to_json(&node))),
        }
        Ok(())
    }
}
