//! `geppetto openapi`: the API's description.

use crate::{api, command_error::GeppettoCommandError, output};

/// Print the OpenAPI document of the API
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto openapi > openapi.json")]
pub(crate) struct OpenapiArgs {}

impl OpenapiArgs {
    /// Prints the document.
    pub(crate) fn run_openapi_command(self) -> Result<(), GeppettoCommandError> {
        let text = serde_json::to_string_pretty(&api::openapi_document()).map_err(|error| {
            GeppettoCommandError::operation_failed_error(format!(
                "the API's description has no JSON form: {error}"
            ))
        })?;
        output::print_line(&text);
        Ok(())
    }
}
