//! `geppetto repository`: looks after the packages.

use model::{exit::Exit, name::Name};
use packaging::repository::Repository as Packages;

use super::DaemonContext;
use crate::{daemon_error::DaemonError, output};

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
    /// Write a channel's metadata anew, and link its packages again
    #[command(after_help = "Example:\n  geppetto repository rebuild prod")]
    Rebuild {
        /// The channel
        channel: Name,
    },
    /// Remove old versions that no node file of any kept generation needs
    #[command(after_help = "Example:\n  geppetto repository retain --keep 5")]
    Retain {
        /// How many of the newest versions of each component are kept in any case
        #[arg(long)]
        keep: usize,
    },
}

impl Repository {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        match self.verb {
            RepositoryVerb::Check => {
                let findings = back_office.with_repository(Packages::check_repository).await?;
                for finding in &findings {
                    output::line(&finding.to_string());
                }
                if findings.is_empty() {
                    output::note("the repository is whole");
                    return Ok(());
                }
                let message = format!("the repository has {} damaged files", findings.len());
                Err(DaemonError { exit: Exit::Failed, message, hint: None }
                    .with_hint("each line names the fix; restore missing package files from a backup, or publish a new release"))
            }
            RepositoryVerb::Rebuild { channel } => {
                back_office.rebuild_channel(channel.clone(), &context.actor).await?;
                output::note(&format!("the metadata of channel {channel} is written anew"));
                Ok(())
            }
            RepositoryVerb::Retain { keep } => {
                let removed = back_office.retain_versions(keep, &context.actor).await?;
                for file in &removed.files {
                    output::line(file);
                }
                output::note(&format!(
                    "{} files removed; their {} bytes are free when readers of older metadata had their hour and the next publication or retention comes",
                    removed.files.len(),
                    removed.bytes
                ));
                Ok(())
            }
        }
    }
}
