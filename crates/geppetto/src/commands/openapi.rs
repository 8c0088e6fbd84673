//! `geppetto openapi`: the API's description.

use super::Context;
use crate::{api, failure::Failure, output};

/// Print the OpenAPI document of the API
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto openapi > openapi.json")]
pub struct Openapi {}

impl Openapi {
    /// Runs the verb.
    pub async fn run(self, _context: &Context) -> Result<(), Failure> {
        output::data(&text()?);
        Ok(())
    }
}

/// The document as it is printed and committed.
pub fn text() -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(&api::document())
        .map_err(|error| Failure::failed(format!("the API's description has no JSON form: {error}")))?;
    Ok(text + "\n")
}
