//! `geppetto token`: makes, lists and revokes API tokens.

use super::DaemonContext;
use crate::{auth::AccessLevel, daemon_error::DaemonError, output};

/// Make, list and revoke API tokens
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto token create ci --role developer > ci.token")]
pub struct Token {
    #[command(subcommand)]
    verb: TokenVerb,
}

#[derive(Debug, clap::Subcommand)]
enum TokenVerb {
    /// Make a token; it is printed once and stored nowhere
    #[command(after_help = "Example:\n  geppetto token create ci --role developer --days 90 > ci.token")]
    Create {
        /// Whose it is
        name: String,
        /// What it may do; each role may do what the one before it may
        #[arg(long)]
        role: AccessLevel,
        /// How many days it is good for; for ever if not given
        #[arg(long)]
        days: Option<u32>,
    },
    /// List all tokens ever made: name, role, id, state
    #[command(after_help = "Example:\n  geppetto token list")]
    List,
    /// Revoke a token: it is refused from now on
    #[command(after_help = "Example:\n  geppetto token revoke ci")]
    Revoke {
        /// Whose it is
        name: String,
    },
}

impl Token {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = context.back_office().await?;
        match self.verb {
            TokenVerb::Create { name, role, days } => {
                let issued = back_office.create_token(&name, role, days, &context.actor).await?;
                output::line(&issued.text);
            }
            TokenVerb::List => {
                let now_us = context.clock.now_us();
                for token in back_office.store.tokens().await? {
                    let state = match (token.revoked_us, token.expires_us) {
                        (Some(_), _) => "revoked",
                        (None, Some(expires_us)) if expires_us <= now_us => "expired",
                        (None, _) => "good",
                    };
                    output::line(&format!("{}\t{}\t{}\t{state}", token.name, token.role, token.id));
                }
            }
            TokenVerb::Revoke { name } => back_office.revoke_token(&name, &context.actor).await?,
        }
        Ok(())
    }
}
