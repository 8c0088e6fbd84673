//! `geppetto man`: the manual pages, one per command.

use std::path::PathBuf;

use crate::{command_error::GeppettoCommandError, output};

/// Write the manual pages of geppetto to a folder, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto man man1/ && man -l man1/geppetto-serve.1\n\n\
                        The package of geppetto installs these pages.")]
pub(crate) struct GeppettoManArgs {
    /// Folder to write to; it is created when it does not exist
    folder: PathBuf,
}

impl GeppettoManArgs {
    /// Writes the pages of `command`.
    pub(crate) fn run_man_command(
        self,
        command: clap::Command,
        is_json: bool,
    ) -> Result<(), GeppettoCommandError> {
        let failed = |error: std::io::Error| {
            GeppettoCommandError::operation_failed_error(format!(
                "the manual pages could not be written to `{}`: {error}",
                self.folder.display()
            ))
        };
        // The value of an environment variable of this machine does not belong in a manual page.
        let command = hide_environment_values(command);
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(command, &self.folder).map_err(failed)?;
        let note = format!("wrote the manual pages to {}", self.folder.display());
        output::print_result(is_json, &serde_json::json!({"folder": self.folder}), &note);
        Ok(())
    }
}

fn hide_environment_values(command: clap::Command) -> clap::Command {
    command.mut_args(|argument| argument.hide_env_values(true)).mut_subcommands(hide_environment_values)
}
