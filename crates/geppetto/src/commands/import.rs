//! `geppetto import`: a folder of YAML files becomes the estate, as one revision.

use std::path::PathBuf;

use model::wire::ChangeResult;

use super::DaemonContext;
use crate::{
    backoffice::{ChangeProposal, ProposedEstate, folder},
    daemon_error::DaemonError,
    output,
};

/// Import the estate from a folder of YAML files
///
/// The folder is the whole estate: roles/, groups/, environments/ and servers/, one NAME.yaml an object. What
/// is not in it is removed. Shows what changes and which servers it reaches, then commits it as one revision.
/// A folder that was exported notes its revision in estate.yaml: what others changed since is not overwritten.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto import estate/ --dry-run\n  geppetto import estate/ -m 'shop 1.2 everywhere'"
)]
pub struct Import {
    /// The folder
    folder: PathBuf,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Why, for the history
    #[arg(short, long, default_value = "imported from a folder")]
    message: String,
    /// The folder is meant to be empty: remove everything
    #[arg(long)]
    allow_empty: bool,
    /// Also overwrite what others changed since the folder was exported: that restores an older revision
    #[arg(long)]
    overwrite: bool,
}

impl Import {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let documents = folder::read(&self.folder)?;
        let base = folder::read_base(&self.folder)?;
        let back_office = context.back_office().await?;
        let proposal = ChangeProposal {
            proposed: ProposedEstate::Whole { documents, allow_empty: self.allow_empty },
            message: self.message,
            preview: self.dry_run,
            base: base.filter(|_| !self.overwrite),
        };
        let result = back_office.change(proposal, &context.actor).await?;
        show(&result, self.dry_run);
        if let (Some(_), Some(revision)) = (base, result.revision)
            && let Err(failure) = folder::write_base(&self.folder, revision)
        {
            output::note(&format!("warning: {}; it is revision {revision} all the same", failure.message));
        }
        Ok(())
    }
}

fn show(result: &ChangeResult, dry_run: bool) {
    for warning in &result.warnings {
        output::note(&format!("warning: {warning}"));
    }
    if result.objects.is_empty() {
        output::line("nothing to change");
        return;
    }
    for object in &result.objects {
        output::line(&format!("{} {}", object.how, object.object));
        output::data(&object.diff);
    }
    match result.servers.len() {
        0 => output::line("no server's node file changes"),
        _ => output::line(&format!("node files that change: {}", result.servers.join(", "))),
    }
    match result.revision {
        Some(revision) => output::line(&format!("committed as revision {revision}")),
        None if dry_run => output::line("nothing was committed (--dry-run)"),
        None => {}
    }
}
