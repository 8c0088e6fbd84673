//! `geppetto server`: takes from a server what it shows.

use model::name::ServerName;

use super::DaemonContext;
use crate::{daemon_error::DaemonError, output};

/// Take from a server what it shows
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto server revoke web-01")]
pub struct Server {
    #[command(subcommand)]
    verb: ServerVerb,
}

#[derive(Debug, clap::Subcommand)]
enum ServerVerb {
    /// Revoke a server's credential and the join tokens made for it: it is refused until it joins again
    #[command(after_help = "Example:\n  geppetto server revoke web-01")]
    Revoke {
        /// The server, also one that is not in the estate any more
        server: ServerName,
    },
}

impl Server {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        let ServerVerb::Revoke { server } = self.verb;
        output::note(&match back_office.revoke_server(&server, &context.actor).await? {
            true => {
                format!("{server} is refused from now on; `geppetto join-token {server}` lets it in again")
            }
            false => format!("{server} had no credential: it never joined, or it was revoked before"),
        });
        Ok(())
    }
}
