//! `geppetto openapi`: the API's description.

use super::DaemonContext;
use crate::{api, daemon_error::DaemonError, output};

/// Print the OpenAPI document of the API
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto openapi > openapi.json")]
pub struct Openapi {}

impl Openapi {
    /// Runs the command.
    pub async fn run(self, _context: &DaemonContext) -> Result<(), DaemonError> {
        output::data(&text()?);
        Ok(())
    }
}

/// The document as it is printed and committed.
pub fn text() -> Result<String, DaemonError> {
    let text = serde_json::to_string_pretty(&api::document())
        .map_err(|error| DaemonError::failed(format!("the API's description has no JSON form: {error}")))?;
    Ok(text + "\n")
}
