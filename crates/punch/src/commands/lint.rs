//! `punch lint`: what is wrong with a component, found before it is built.

use std::path::PathBuf;

use model::{
    exit::Exit,
    fault::{Fault, Severity},
};
use packaging::{lint, source::ComponentSource};

use crate::{command_context::CommandContext, command_error::CommandError};

/// Check a component's description, manifest and templates without building it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch lint\n  punch lint shop --json\n\n\
    The exit code is 1 when something must be changed; warnings alone are 0.")]
pub(crate) struct LintArgs {
    /// Folder of the component
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl LintArgs {
    pub(super) fn run_lint_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let faults: Vec<Fault> = match ComponentSource::load_component_source(&self.dir) {
            Ok(source) => {
                print_note_of_absent_manifest(&source, context);
                lint::lint_component(&source)
            }
            // For a program, what cannot even be read is a fault like the others.
            Err(errors) if context.output.is_json() => errors.into_iter().map(Fault::from).collect(),
            Err(errors) => return Err(CommandError::from(errors)),
        };
        for fault in &faults {
            let severity = match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            context.output.print_line_unless_json(format!("{severity}: {fault}"));
        }
        context.output.print_json_if_requested(&faults);
        let wrong = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
        context.output.print_note_to_stderr(match (wrong, faults.len() - wrong) {
            (0, 0) => "nothing to complain about".to_owned(),
            (wrong, warnings) => format!("errors: {wrong}, warnings: {warnings}"),
        });
        Ok(if wrong > 0 { Exit::Input } else { Exit::Done })
    }
}

/// Says on stderr that a component has no manifest of its own, and what is deployed instead.
pub(super) fn print_note_of_absent_manifest(source: &ComponentSource, context: &CommandContext) {
    if let Some(absent) = &source.deploy.absent {
        context.output.print_note_to_stderr(absent.message());
    }
}
