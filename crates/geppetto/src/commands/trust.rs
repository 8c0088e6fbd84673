//! `geppetto trust`: whose packages are taken.

use std::{fs, path::PathBuf};

use super::DaemonContext;
use crate::{daemon_error::DaemonError, output};

/// Trust packages signed by the keys in a file
///
/// Servers that joined before get the keys with `curl URL/repository/keys.asc` or by joining again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto trust ci.pub.asc")]
pub struct Trust {
    /// Armored OpenPGP certificates (`punch key` writes such a file)
    file: PathBuf,
}

impl Trust {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let shown = self.file.display();
        let armored = fs::read_to_string(&self.file)
            .map_err(|error| DaemonError::input(format!("`{shown}` could not be read: {error}")))?;
        let back_office = context.back_office().await?;
        for fingerprint in back_office.trust(armored, &context.actor).await? {
            output::line(&fingerprint.to_string());
        }
        Ok(())
    }
}
