//! The component's own commands, `build` and `test`, run in its folder.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{self, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use model::format::component::CommandLine;

use super::PackagingError;
use crate::source::ComponentSource;

/// How many of the last lines an error repeats.
const TAIL: usize = 15;
/// How often a silent command is checked for its end.
const PATIENCE: Duration = Duration::from_millis(100);
/// The longest part of a line that is kept.
const LINE: u64 = 4096;

/// What a command of a component tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEvent<'a> {
    /// It was started, as the leader of this process group: who ends the program that runs it ends the group too.
    Started {
        /// The number of the group.
        process_group: u32,
    },
    /// It printed this line.
    Line(&'a str),
    /// It ended, and its process group may have another meaning from now on.
    Ended,
}

/// Runs the component's build command, if it has one; `tell` gets what it does.
pub fn run_component_build_command(
    source: &ComponentSource,
    source_date: u32,
    tell: &mut dyn FnMut(CommandEvent<'_>),
) -> Result<(), PackagingError> {
    source.build.as_ref().map_or(Ok(()), |command| run("build", command, source, source_date, tell))
}

/// Runs the component's own test, if it has one; `tell` gets what it does.
pub fn run_component_test_command(
    source: &ComponentSource,
    source_date: u32,
    tell: &mut dyn FnMut(CommandEvent<'_>),
) -> Result<(), PackagingError> {
    source.test.as_ref().map_or(Ok(()), |command| run("test", command, source, source_date, tell))
}

fn run(
    what: &'static str,
    command: &CommandLine,
    source: &ComponentSource,
    source_date: u32,
    tell: &mut dyn FnMut(CommandEvent<'_>),
) -> Result<(), PackagingError> {
    let ended_badly = |outcome: String, signal: Option<i32>, tail: &VecDeque<String>| {
        let lines: String = tail.iter().map(|line| format!("\n  | {line}")).collect();
        let tail = if lines.is_empty() { lines } else { format!("; its last lines:{lines}") };
        PackagingError::Command { what, command: command.to_string(), outcome, signal, tail }
    };
    let failed = |outcome: String, tail: &VecDeque<String>| ended_badly(outcome, None, tail);
    let mut tail = VecDeque::new();
    let words = command.to_argv_with_shell_for_text();
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("is empty".to_owned(), &tail));
    };
    let start = || -> io::Result<(process::Child, io::PipeReader)> {
        let (reader, writer) = io::pipe()?;
        // A program given by a relative path is one of the component's own.
        let own = source.dir.join(program);
        let program = if program.contains('/') { own.as_os_str() } else { program.as_ref() };
        let child = process::Command::new(program)
            .args(arguments)
            .current_dir(&source.dir)
            .env("SOURCE_DATE_EPOCH", source_date.to_string())
            .env("COMPONENT_NAME", source.component.name.as_str())
            .env("COMPONENT_VERSION", source.component.version.version_without_release())
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        Ok((child, reader))
    };
    let (mut child, reader) = start().map_err(|error| {
        failed(format!("cannot be started in `{}`: {error}", source.dir.display()), &VecDeque::new())
    })?;
    tell(CommandEvent::Started { process_group: child.id() });
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || read_lines(reader, &sender));
    // What the command leaves running in the background may hold its output open for ever: once the command
    // itself has ended, only what is already there is waited for.
    let mut status = None;
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(text) => {
                tell(CommandEvent::Line(&text));
                tail.push_back(text);
                if tail.len() > TAIL {
                    tail.pop_front();
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if status.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {
                status = child
                    .try_wait()
                    .map_err(|error| failed(format!("cannot be waited for: {error}"), &tail))?;
            }
        }
    }
    let status = match status {
        Some(status) => status,
        None => child.wait().map_err(|error| failed(format!("cannot be waited for: {error}"), &tail))?,
    };
    tell(CommandEvent::Ended);
    if status.success() {
        return Ok(());
    }
    Err(ended_badly(format!("ended with {status}"), status.signal(), &tail))
}

/// Sends each line until the end or until the receiver is gone.
fn read_lines(reader: io::PipeReader, sender: &mpsc::Sender<String>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while let Ok(1..) = io::Read::take(&mut reader, LINE).read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        if sender.send(text).is_err() {
            break;
        }
        line.clear();
    }
}
