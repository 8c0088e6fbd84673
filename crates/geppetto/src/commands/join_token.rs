//! `geppetto join-token`: a one-time token for a server.

use model::name::ServerName;

use super::DaemonContext;
use crate::{daemon_error::DaemonError, output};

/// Make a one-time token for a server to join with
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto join-token web-01 --minutes 30\n\nThen, on that server:\n  \
                        punch join http://geppetto.example.org:8080 --token TOKEN")]
pub struct JoinToken {
    /// The server that may join
    server: ServerName,
    /// How long the token is good for
    #[arg(long, default_value_t = 60)]
    minutes: u32,
}

impl JoinToken {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        let seconds = self.minutes.saturating_mul(60);
        let token = back_office.create_join_token(&self.server, seconds, &context.actor).await?;
        output::line(&token.token);
        let url = super::serve::running_at(&back_office.data).unwrap_or_else(|| "URL".to_owned());
        output::note(&format!(
            "good once, for {} minutes; on {} run: punch join {url} --token TOKEN",
            self.minutes, self.server
        ));
        Ok(())
    }
}
