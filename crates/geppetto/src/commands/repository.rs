//! `geppetto repository`: looks after the packages.

use model::exit::Exit;
use packaging::repository::Repository as Packages;

use super::Context;
use crate::{failure::Failure, output};

/// Look after the packages
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto repository check\n  geppetto repository retain --keep 5")]
pub struct Repository {
    #[command(subcommand)]
    verb: RepositoryVerb,
}

#[derive(Debug, clap::Subcommand)]
enum RepositoryVerb {
    /// Read every package and all metadata, and name what is damaged
    #[command(after_help = "Example:\n  geppetto repository check")]
    Check,
    /// Remove old versions that no node file of any kept generation needs
    #[command(after_help = "Example:\n  geppetto repository retain --keep 5")]
    Retain {
        /// How many of the newest versions of each component are kept in any case
        #[arg(long)]
        keep: usize,
    },
}

impl Repository {
    /// Runs the verb.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let office = context.office().await?;
        match self.verb {
            RepositoryVerb::Check => {
                let findings = office.with_repository(Packages::check).await?;
                for finding in &findings {
                    output::line(&finding.to_string());
                }
                if findings.is_empty() {
                    output::note("the repository is whole");
                    return Ok(());
                }
                let message = format!("the repository has {} damaged files", findings.len());
                Err(Failure { exit: Exit::Failed, message, hint: None }
                    .hint("restore the named files from a backup, or publish these versions again under a new release"))
            }
            RepositoryVerb::Retain { keep } => {
                let removed = office.retain(keep, &context.actor).await?;
                for file in &removed.files {
                    output::line(file);
                }
                output::note(&format!(
                    "{} files removed, {} bytes freed",
                    removed.files.len(),
                    removed.bytes
                ));
                Ok(())
            }
        }
    }
}
