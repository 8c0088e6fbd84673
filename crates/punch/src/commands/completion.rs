//! `punch completion`: the completion script of a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;
use model::exit::Exit;
use serde::Serialize;

use crate::{cli::PunchCli, command_context::CommandContext, command_error::CommandError};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch completion bash > ~/.local/share/bash-completion/completions/punch\n\n\
    The package of punch installs the scripts of bash, fish and zsh."
)]
pub(crate) struct CompletionArgs {
    /// Shell
    shell: Shell,
}

/// What `--json` prints.
#[derive(Serialize)]
struct CompletionScript {
    shell: String,
    script: String,
}

impl CompletionArgs {
    pub(super) fn run_completion_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut PunchCli::command(), "punch", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        context.output.print_line_unless_json(&script);
        context.output.print_json_if_requested(&CompletionScript { shell: self.shell.to_string(), script });
        Ok(Exit::Done)
    }
}
