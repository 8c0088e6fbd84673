//! The only date inside packages: the same source must give the same bytes whenever it is packaged.

use std::{path::Path, process::Command, time::UNIX_EPOCH};

use packaging::source::COMPONENT_YAML_FILE_NAME;

use crate::{command_context::CommandContext, command_error::CommandError};

/// The option that sets the date.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SourceDateArg {
    /// The only date inside the packages, in seconds since 1970; else the last commit's, else component.yaml's
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    source_date: Option<u32>,
}

impl SourceDateArg {
    /// What was asked for; else the date of the last commit that touched the folder; else the
    /// modification time of `component.yaml`.
    pub(crate) fn given_or_derived_source_date(
        &self,
        dir: &Path,
        context: &CommandContext,
    ) -> Result<u32, CommandError> {
        if let Some(date) = self.source_date {
            return Ok(date);
        }
        if let Some(date) = last_commit(dir) {
            return Ok(date);
        }
        let file = dir.join(COMPONENT_YAML_FILE_NAME);
        let file = if file.exists() { file } else { dir.join("pom.xml") };
        let modified = std::fs::metadata(&file)
            .and_then(|metadata| metadata.modified())
            .map_err(|error| CommandError::cannot_read_file_error(&file, &error))?;
        let seconds = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        context.output.print_note_to_stderr(format!(
            "note: {} is not in git; the packages are dated by {}",
            dir.display(),
            file.file_name().unwrap_or_default().to_string_lossy()
        ));
        Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

/// The date of the last commit that touched `dir`, when it is in a git repository and git is here.
fn last_commit(dir: &Path) -> Option<u32> {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["log", "-1", "--format=%ct", "--", "."])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
