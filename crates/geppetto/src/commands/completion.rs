//! `geppetto completion`: the completion script of a shell.

use clap_complete::Shell;

use crate::{command_error::GeppettoCommandError, output};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto completion bash > /usr/share/bash-completion/completions/geppetto\n\n\
                  The package of geppetto installs the scripts of bash, fish and zsh."
)]
pub(crate) struct GeppettoCompletionArgs {
    /// Shell
    shell: Shell,
}

impl GeppettoCompletionArgs {
    /// Prints the script for `command`.
    pub(crate) fn run_completion_command(
        self,
        mut command: clap::Command,
    ) -> Result<(), GeppettoCommandError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "geppetto", &mut script);
        output::print_data(&String::from_utf8_lossy(&script));
        Ok(())
    }
}
