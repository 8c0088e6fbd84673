//! `geppetto export`: the estate as a folder of YAML files.

use std::path::PathBuf;

use super::DaemonContext;
use crate::{backoffice::folder, daemon_error::DaemonError, output};

/// Write the estate as a folder of YAML files
///
/// What `geppetto import` takes: importing it again changes nothing. The revision is noted in estate.yaml, so that
/// an import later on overwrites nothing that others changed meanwhile.
/// The files hold secret values; only their owner may read them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto export estate/\n  geppetto export before/ --revision 41")]
pub struct Export {
    /// The folder; it is made if it is missing
    folder: PathBuf,
    /// The revision; the newest if not given
    #[arg(long)]
    revision: Option<u64>,
    /// Replace the estate that is in the folder
    #[arg(long)]
    replace: bool,
}

impl Export {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        let revision = match self.revision {
            Some(revision) => revision,
            None => back_office.store.current_revision().await?,
        };
        let state = back_office.estate_of_revision(revision).await?;
        folder::write(&self.folder, &state.documents, self.replace)?;
        folder::write_base(&self.folder, revision)?;
        output::note(&format!(
            "revision {revision}: {} objects written to {}",
            state.documents.len(),
            self.folder.display()
        ));
        Ok(())
    }
}
