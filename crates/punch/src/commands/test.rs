//! `punch test`: runs a component's own test.

use std::path::PathBuf;

use model::exit::Exit;
use nix::sys::signal::Signal;
use packaging::{
    package::{self, CommandEvent},
    source::ComponentSource,
};
use serde::Serialize;

use crate::{
    command_context::CommandContext, command_error::CommandError, interruption::SignalHandling,
    source_date::SourceDateArg,
};

/// Run a component's own test
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch test\n  punch test shop\n\n\
    Runs the `test` command of component.yaml in the component's folder, after its `build` command.")]
pub(crate) struct TestArgs {
    /// Folder of the component
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Do not run the build command first
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    date: SourceDateArg,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Tested {
    component: String,
    version: String,
    /// Whether there was a test to run.
    tested: bool,
}

impl TestArgs {
    pub(super) fn run_test_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let source = ComponentSource::load_component_source(&self.dir)?;
        let date = self.date.given_or_derived_source_date(&source.dir, context)?;
        let name = &source.component.name;
        let interrupted = |command: &str| {
            let sentence = format!(
                "the {command} command of {name} was ended too; what it wrote stays, and no package was written"
            );
            context.interruption.set_interruption_message(sentence);
        };
        let mut follow = |event: CommandEvent<'_>| follow_command(context, event);
        if !self.no_build {
            interrupted("build");
            package::run_component_build_command(&source, date, &mut follow)
                .map_err(packaging_error_unless_signalled)?;
        }
        interrupted("test");
        package::run_component_test_command(&source, date, &mut follow)
            .map_err(packaging_error_unless_signalled)?;
        let component = &source.component;
        if source.test.is_some() {
            context
                .output
                .print_line_unless_json(format!("{} {} passes its test", component.name, component.version));
        } else {
            context.output.print_line_unless_json(format!(
                "{} {} has no test: component.yaml names no `test` command",
                component.name, component.version
            ));
        }
        context.output.print_json_if_requested(&Tested {
            component: component.name.to_string(),
            version: component.version.to_string(),
            tested: source.test.is_some(),
        });
        Ok(Exit::Done)
    }
}

/// Shows what a component's command prints, and lets it end with punch.
pub(super) fn follow_command(context: &CommandContext, event: CommandEvent<'_>) {
    match event {
        CommandEvent::Started { process_group } => {
            context.interruption.end_process_group_if_interrupted(process_group);
        }
        CommandEvent::Line(line) => context.output.print_note_to_stderr(format!("  | {line}")),
        CommandEvent::Ended => context.interruption.forget_process_group(),
    }
}

/// A component that cannot be built, tested or packaged is the user's to mend; a folder that cannot be written to is blocked.
pub(super) fn packaging_error_unless_signalled(error: package::PackagingError) -> CommandError {
    if matches!(&error, package::PackagingError::Command { signal: Some(signal), .. } if also_ends_punch(*signal))
    {
        SignalHandling::wait_to_be_ended_by_signal();
    }
    match error {
        package::PackagingError::Faults(faults) => {
            CommandError::error_from_faults("the component has faults:", faults)
        }
        package::PackagingError::Write { .. } => CommandError::blocked_error(error.to_string()),
        package::PackagingError::Rpm { .. } => CommandError::new(Exit::Bug, error.to_string()),
        package::PackagingError::Source { .. } | package::PackagingError::Command { .. } => {
            CommandError::invalid_input_error(error.to_string())
        }
    }
}

/// Whether a signal that ended a command may have been sent to punch too, as Ctrl-C is.
fn also_ends_punch(signal: i32) -> bool {
    [Signal::SIGINT, Signal::SIGTERM].iter().any(|known| *known as i32 == signal)
}
