//! `geppetto completion`: the completion script of a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::DaemonContext;
use crate::{cli::Cli, daemon_error::DaemonError, output};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto completion bash > /usr/share/bash-completion/completions/geppetto\n\n\
                  The package of geppetto installs the scripts of bash, fish and zsh."
)]
pub struct Completion {
    /// Shell
    shell: Shell,
}

impl Completion {
    /// Runs the verb.
    pub async fn run(self, _context: &DaemonContext) -> Result<(), DaemonError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "geppetto", &mut script);
        output::data(&String::from_utf8_lossy(&script));
        Ok(())
    }
}
