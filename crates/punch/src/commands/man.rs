//! `punch man`: the manual pages, one per command.

use std::path::PathBuf;

use clap::CommandFactory as _;
use model::exit::Exit;
use serde::Serialize;

use crate::{cli::PunchCli, command_context::CommandContext, command_error::CommandError};

/// Write the manual pages of punch to a folder, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch man man1/ && man -l man1/punch-publish.1\n\n\
    The package of punch installs these pages.")]
pub(crate) struct ManArgs {
    /// Folder to write to; it is created when it does not exist
    folder: PathBuf,
}

/// What `--json` prints.
#[derive(Serialize)]
struct ManualPages {
    files: Vec<String>,
}

impl ManArgs {
    pub(super) fn run_man_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let failed = |error: &std::io::Error| CommandError::cannot_write_file_error(&self.folder, error);
        std::fs::create_dir_all(&self.folder).map_err(|error| failed(&error))?;
        clap_mangen::generate_to(PunchCli::command(), &self.folder).map_err(|error| failed(&error))?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(|error| failed(&error))? {
            let name = entry.map_err(|error| failed(&error))?.file_name().to_string_lossy().into_owned();
            if name.starts_with("punch") && name.ends_with(".1") {
                files.push(name);
            }
        }
        files.sort();
        context.output.print_note_to_stderr(format!(
            "wrote {} pages to {}",
            files.len(),
            self.folder.display()
        ));
        context.output.print_json_if_requested(&ManualPages { files });
        Ok(Exit::Done)
    }
}
