//! `punch export`: the estate as a folder of YAML files.

use std::path::PathBuf;

use model::{
    exit::Exit,
    format::estate::{ESTATE_FOLDERS, EstateDocuments},
    wire::{PlaceDocument, Revision},
};
use serde::{Deserialize, Serialize};

use crate::{
    client::ApiClient, command_error::CommandError, context::CommandContext, estate_folder,
    settings::RemoteArgs,
};

/// How often the documents are read again when a commit came in between.
const ATTEMPTS: usize = 3;

/// Write the estate as a folder of YAML files
///
/// `punch import` takes the folder; importing it unchanged changes nothing. The revision is written to estate.yaml,
/// so that a later import does not overwrite what others changed. Operators get secret values: the files are
/// written with mode 0600.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch export estate/\n  punch export estate/ --replace")]
pub(crate) struct ExportArgs {
    /// Folder; it is created when it does not exist
    folder: PathBuf,
    /// Replace the estate that is in the folder
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Exported {
    revision: u64,
    documents: usize,
    folder: String,
}

/// The name of a document in any list of the API.
#[derive(Deserialize)]
struct ListedDocument {
    name: String,
}

impl ExportArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.client(context)?;
        for _ in 0..ATTEMPTS {
            let Some((revision, documents)) = one_revision(&client)? else { continue };
            estate_folder::write(&self.folder, &documents, self.replace)?;
            estate_folder::write_base_revision(&self.folder, revision)?;
            context.output.note(format!(
                "revision {revision}: {} documents written to {}",
                documents.len(),
                self.folder.display()
            ));
            context.output.json(&Exported {
                revision,
                documents: documents.len(),
                folder: self.folder.display().to_string(),
            });
            return Ok(Exit::Done);
        }
        Err(CommandError::blocked("the estate kept changing while it was read; nothing was written")
            .with_hint("run `punch export` again when no one commits"))
    }
}

/// All documents, when they are of one revision; `None` when a commit came in between.
fn one_revision(client: &ApiClient) -> Result<Option<(u64, EstateDocuments)>, CommandError> {
    // Below operator secrets are masked, and a masked estate must never be imported again: reading the audit
    // log needs the same access level, so it is refused first.
    client.list::<serde_json::Value>("/api/v1/audit", "before", 1)?;
    let mut documents = EstateDocuments::new();
    let mut revision: Option<u64> = None;
    for folder in ESTATE_FOLDERS {
        let listed: Vec<ListedDocument> = client.list(&format!("/api/v1/{folder}"), "after", usize::MAX)?;
        for ListedDocument { name } in listed {
            let document: PlaceDocument = client.get(&format!("/api/v1/{folder}/{name}"))?;
            if *revision.get_or_insert(document.revision) != document.revision {
                return Ok(None);
            }
            documents.insert(document.path, document.document);
        }
    }
    let newest: Vec<Revision> = client.list("/api/v1/revisions", "before", 1)?;
    let newest = newest.first().map_or(0, |newest| newest.number);
    Ok((revision.unwrap_or(newest) == newest).then_some((newest, documents)))
}
