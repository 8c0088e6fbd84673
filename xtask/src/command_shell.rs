//! Commands as a person would type them, on this machine or on a host.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::{chore_failure::ChoreFailure, output};

/// How a command ended, and what it printed.
#[derive(Debug, Clone)]
pub(crate) struct CommandOutput {
    /// Its exit code; 128 + the signal when one ended it.
    pub(crate) code: i32,
    /// What it wrote to stdout.
    pub(crate) out: String,
    /// What it wrote to stderr.
    pub(crate) err: String,
    /// The command, as typed.
    pub(crate) typed: String,
}

impl CommandOutput {
    fn of(typed: &str, output: &Output) -> CommandOutput {
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default());
        CommandOutput {
            code,
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            typed: typed.to_owned(),
        }
    }

    /// Everything it printed, stderr last.
    pub(crate) fn stdout_and_stderr_text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Itself when it exited with `code`.
    pub(crate) fn expect_exit_code(self, code: i32, look: &str) -> Result<CommandOutput, ChoreFailure> {
        if self.code == code {
            return Ok(self);
        }
        Err(ChoreFailure {
            what: format!("the command exited with {} where {code} was expected", self.code),
            output: self.stdout_and_stderr_text(),
            command: Some(self.typed),
            look: look.to_owned(),
        })
    }

    /// Itself when its output holds `text`.
    pub(crate) fn expect_text_in_output(self, text: &str) -> Result<CommandOutput, ChoreFailure> {
        if self.stdout_and_stderr_text().contains(text) {
            return Ok(self);
        }
        Err(ChoreFailure {
            what: format!("`{text}` is missing from what the command printed"),
            output: self.stdout_and_stderr_text(),
            command: Some(self.typed),
            look: "the output above".to_owned(),
        })
    }
}

/// A place where commands are typed.
#[derive(Debug, Clone)]
pub(crate) struct CommandShell {
    /// What stands before a command when it is shown: `$`, `web-01#`.
    pub(crate) prompt: String,
    prefix: Vec<String>,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    loud: bool,
}

impl CommandShell {
    /// A terminal on this machine, in `folder`.
    pub(crate) fn shell_on_this_machine(folder: &Path) -> CommandShell {
        CommandShell {
            prompt: "$".to_owned(),
            prefix: Vec::new(),
            folder: folder.to_owned(),
            environment: Vec::new(),
            loud: false,
        }
    }

    /// A terminal whose commands run behind `prefix` (`nsenter ... --`).
    pub(crate) fn shell_running_behind_prefix(prompt: &str, prefix: Vec<String>) -> CommandShell {
        CommandShell {
            prompt: prompt.to_owned(),
            prefix,
            folder: PathBuf::from("/"),
            environment: Vec::new(),
            loud: false,
        }
    }

    /// The same terminal with a variable set.
    pub(crate) fn with_environment_variable(mut self, name: &str, value: impl Into<String>) -> CommandShell {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The same terminal, showing every command before running it.
    pub(crate) fn with_echo(mut self) -> CommandShell {
        self.loud = true;
        self
    }

    /// The same terminal, showing nothing.
    pub(crate) fn without_echo(mut self) -> CommandShell {
        self.loud = false;
        self
    }

    /// Shows a command line that something else runs.
    pub(crate) fn echo_command_line_if_enabled(&self, typed: &str) {
        if self.loud {
            output::print_line(&format!("      {} {typed}", self.prompt));
        }
    }

    /// The folder its commands run in.
    pub(crate) fn working_folder(&self) -> &Path {
        &self.folder
    }

    /// The process a command line becomes.
    pub(crate) fn command_for_shell_line(&self, typed: &str) -> Command {
        let mut words = self.prefix.iter().map(String::as_str).chain(["sh", "-c", typed]);
        let mut command = Command::new(words.next().unwrap_or("sh"));
        command.args(words).current_dir(&self.folder).stdin(Stdio::null());
        for name in cargo_variables() {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command line; any exit code is an answer.
    pub(crate) fn run_line_to_any_exit(&self, typed: &str) -> Result<CommandOutput, ChoreFailure> {
        self.echo_command_line_if_enabled(typed);
        let output = self.command_for_shell_line(typed).output().map_err(|error| ChoreFailure {
            what: format!("the command could not be started: {error}"),
            command: Some(typed.to_owned()),
            output: String::new(),
            look: "is the program installed? scripts/install-tools e2e installs what is needed".to_owned(),
        })?;
        Ok(CommandOutput::of(typed, &output))
    }

    /// Runs a command line that must succeed.
    pub(crate) fn run_line_expecting_success(&self, typed: &str) -> Result<CommandOutput, ChoreFailure> {
        self.run_line_to_any_exit(typed)?.expect_exit_code(0, "the output above")
    }
}

/// What `cargo run` adds to the environment of a program. A person's terminal has none of it, and a cargo
/// typed there would find that build scripts were run with other variables, and build again.
fn cargo_variables() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    })
}
