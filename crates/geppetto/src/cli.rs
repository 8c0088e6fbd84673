//! The command line: every verb, its arguments and an example.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;

/// The control plane: back-office, repository and API
#[derive(Debug, Parser)]
#[command(name = "geppetto", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 the input is wrong, 2 the command line is wrong, 5 failed, 70 a bug."
)]
pub struct Cli {
    /// The folder of the control plane
    #[arg(
        long,
        global = true,
        env = "GEPPETTO_DATA",
        default_value = "/var/lib/geppetto",
        value_name = "DIR"
    )]
    pub data: PathBuf,

    /// Who you are, for the history and the audit log
    #[arg(long = "as", global = true, env = "USER", default_value = "unknown", value_name = "NAME")]
    pub user: String,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs, in the order they are needed.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make the folder of a new control plane
    Init(commands::init::Init),
    /// Serve the API and the repository
    Serve(commands::serve::Serve),
    /// Make, list and revoke API tokens
    Token(commands::token::Token),
    /// Make a one-time token for a server to join with
    JoinToken(commands::join_token::JoinToken),
}

impl Cli {
    /// Whether this is the verb that runs until it is told to end.
    pub fn serves(&self) -> bool {
        matches!(self.verb, Verb::Serve(_))
    }

    /// The person at the terminal, as the audit log names him.
    pub fn actor(&self) -> String {
        format!("local user {}", self.user)
    }
}
