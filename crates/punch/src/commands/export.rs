//! `punch export`: the estate as a folder of YAML files.

use std::path::PathBuf;

use model::{exit::Exit, wire::EstateExport};
use serde::Serialize;

use crate::{
    command_context::CommandContext, command_error::CommandError, estate_folder, settings::ControlPlaneArgs,
};

/// Write the estate as a folder of YAML files
///
/// `punch import` takes the folder; importing it unchanged changes nothing. The revision is written to estate.yaml,
/// so that a later import does not overwrite what others changed. It needs to see everything, secret values
/// included: the files are written with mode 0600.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch export estate/\n  punch export before/ --revision 41")]
pub(crate) struct ExportArgs {
    /// Folder; it is created when it does not exist
    folder: PathBuf,
    /// Revision; the newest when it is not given
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u64>,
    /// Replace the estate that is in the folder
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Exported {
    revision: u64,
    documents: usize,
    folder: String,
}

impl ExportArgs {
    pub(super) fn run_export_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        let revision = self.revision.map(|revision| revision.to_string());
        let query: Vec<(&str, &str)> = revision.iter().map(|number| ("revision", number.as_str())).collect();
        let exported: EstateExport = client.get_json_with_query("/api/v1/estate", &query)?;
        // A masked or partial estate must never be imported again.
        if !exported.complete {
            return Err(CommandError::invalid_input_error(
                "this token may not see all of the estate with its secrets; nothing was written",
            )
            .with_hint(
                "an export needs the grant `operator` on every environment; `punch whoami` shows yours",
            ));
        }
        estate_folder::write_estate_folder(&self.folder, &exported.documents, self.replace)?;
        estate_folder::write_base_revision(&self.folder, exported.revision)?;
        let (count, folder) = (exported.documents.len(), self.folder.display().to_string());
        context.output.print_note_to_stderr(format!(
            "revision {}: {count} documents written to {folder}",
            exported.revision
        ));
        context.output.print_json_if_requested(&Exported {
            revision: exported.revision,
            documents: count,
            folder,
        });
        Ok(Exit::Done)
    }
}
