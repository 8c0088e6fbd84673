//! `punch lint`: what is wrong with a component, found before it is built.

use std::path::PathBuf;

use model::{exit::Exit, fault::Severity};
use packaging::{lint, source::ComponentSource};
use serde::Serialize;

use crate::{command_error::CommandError, context::CommandContext};

/// Check a component's description, manifest and templates without building it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch lint\n  punch lint shop --json\n\n\
    The exit code is 1 when something must be changed; warnings alone are 0.")]
pub(crate) struct LintArgs {
    /// Folder of the component
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// One finding, as `--json` prints it.
#[derive(Serialize)]
struct Finding {
    severity: &'static str,
    place: String,
    message: String,
}

impl LintArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let findings = match ComponentSource::load(&self.dir) {
            Ok(source) => lint::lint(&source)
                .into_iter()
                .map(|note| Finding {
                    severity: match note.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    },
                    place: note.place,
                    message: note.message,
                })
                .collect(),
            // For a program, what cannot even be read is a finding like the others.
            Err(errors) if context.output.is_json() => errors
                .into_iter()
                .map(|error| Finding { severity: "error", place: error.place(), message: error.message })
                .collect(),
            Err(errors) => return Err(CommandError::from(errors)),
        };
        let findings: Vec<Finding> = findings;
        for finding in &findings {
            context.output.line(format!("{}: {}: {}", finding.severity, finding.place, finding.message));
        }
        context.output.json(&findings);
        let wrong = findings.iter().filter(|finding| finding.severity == "error").count();
        context.output.note(match (wrong, findings.len() - wrong) {
            (0, 0) => "nothing to complain about".to_owned(),
            (wrong, warnings) => format!("errors: {wrong}, warnings: {warnings}"),
        });
        Ok(if wrong > 0 { Exit::Input } else { Exit::Done })
    }
}
