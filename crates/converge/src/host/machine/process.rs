//! Running programs of the host: their output, their time limit, and errors a person can act on.

use std::{
    cell::RefCell,
    ffi::OsStr,
    fs::File,
    io::{self, Read, Seek},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::host::HostError;

/// How much of a program's output is kept, in bytes.
const KEPT: u64 = 4 * 1024 * 1024;
/// The same of a program that lists all files of a host's packages.
const KEPT_OF_LISTINGS: u64 = 512 * 1024 * 1024;

/// What a program that ended left.
pub(super) struct ProcessOutput {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

thread_local! {
    static HELD: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Does `work`; every program it runs meanwhile holds the empty file `held` locked, as its standard input.
///
/// A program goes on when punch is killed, and the next run must not begin beside it. A service that a
/// program leaves behind must not hold the lock for ever: it has an input of its own, and what still shares
/// this one loses the lock when the program itself has ended.
pub(super) fn run_work_with_children_holding_lock<T>(held: Option<&Path>, work: impl FnOnce() -> T) -> T {
    HELD.set(held.map(Path::to_owned));
    let done = work();
    HELD.set(None);
    done
}

fn programs_lock() -> io::Result<Option<File>> {
    HELD.with_borrow(|held| {
        let Some(path) = held else { return Ok(None) };
        let file = File::open(path)?;
        file.lock()?;
        Ok(Some(file))
    })
}

/// A program of the host, in a known language and with nothing on its standard input.
pub(super) fn new_noninteractive_command(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).env("LC_ALL", "C").current_dir("/");
    command
}

/// Runs a program to its end, however it ends.
pub(super) fn run_to_any_exit(command: &mut Command) -> Result<ProcessOutput, HostError> {
    run_with_time_limit(command, None)
}

/// Runs a program that lists much to its end, however it ends.
pub(super) fn run_keeping_large_output(command: &mut Command) -> Result<ProcessOutput, HostError> {
    run_keeping_output(command, None, KEPT_OF_LISTINGS)
}

/// Runs a program that must succeed; else its own words are the error.
pub(super) fn run_expecting_success(command: &mut Command) -> Result<ProcessOutput, HostError> {
    let ended = run_to_any_exit(command)?;
    if ended.status.success() { Ok(ended) } else { Err(failed_command_error(command, &ended)) }
}

/// Runs a program, and stops it with all its children when `seconds` are over.
pub(super) fn run_with_time_limit(
    command: &mut Command,
    seconds: Option<u64>,
) -> Result<ProcessOutput, HostError> {
    run_keeping_output(command, seconds, KEPT)
}

fn run_keeping_output(
    command: &mut Command,
    seconds: Option<u64>,
    kept: u64,
) -> Result<ProcessOutput, HostError> {
    // Files, not pipes: a program that starts a daemon leaves a pipe open behind it.
    let scratch = |error| HostError::from_io_error("cannot write", "a temporary file", &error);
    let mut stdout = tempfile::tempfile().map_err(scratch)?;
    let mut stderr = tempfile::tempfile().map_err(scratch)?;
    command
        .stdout(stdout.try_clone().map_err(scratch)?)
        .stderr(stderr.try_clone().map_err(scratch)?)
        .process_group(0);
    let held = programs_lock().map_err(scratch)?;
    if let Some(held) = &held {
        command.stdin(held.try_clone().map_err(scratch)?);
    }
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    let status = match seconds {
        None => child.wait().map_err(|error| not_started(command, &error)),
        Some(seconds) => wait(&mut child, command, seconds),
    };
    if let Some(held) = held {
        held.unlock().map_err(scratch)?;
    }
    let status = status?;
    let text = |file: &mut File| -> io::Result<String> {
        file.rewind()?;
        let mut bytes = Vec::new();
        file.take(kept).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let stdout = text(&mut stdout).map_err(scratch)?;
    let stderr = text(&mut stderr).map_err(scratch)?;
    Ok(ProcessOutput { status, stdout, stderr })
}

/// Why `command` failed, in its own words.
pub(super) fn failed_command_error(command: &Command, ended: &ProcessOutput) -> HostError {
    let words = |text: &str| {
        let lines: Vec<&str> = text
            .lines()
            // Keys are ours to check, and were checked before rpm saw the package.
            .filter(|line| !line.trim().is_empty() && !line.contains("NOKEY"))
            .collect();
        let from = lines.len().saturating_sub(20);
        lines[from..].join("\n")
    };
    let message = match (words(&ended.stderr), words(&ended.stdout)) {
        (stderr, _) if !stderr.is_empty() => stderr,
        (_, stdout) if !stdout.is_empty() => stdout,
        _ => format!("it ended with {}", ended.status),
    };
    HostError::Command { command: short_command_line(command), message }
}

fn wait(child: &mut Child, command: &Command, seconds: u64) -> Result<ExitStatus, HostError> {
    let mut pause = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => (),
            Err(error) => return Err(not_started(command, &error)),
        }
        if waited.as_secs() >= seconds {
            if let Ok(group) = i32::try_from(child.id()) {
                // It may have ended in this very moment; then there is nothing to stop.
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = child.wait();
            return Err(HostError::Command {
                command: short_command_line(command),
                message: format!(
                    "it had not ended after {seconds} s and was stopped; raise its `timeout` if it needs longer"
                ),
            });
        }
        thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn not_started(command: &Command, error: &io::Error) -> HostError {
    let program = command.get_program().to_string_lossy().into_owned();
    match error.kind() {
        io::ErrorKind::NotFound => {
            HostError::Missing { hint: missing_program_hint(&program).to_owned(), program }
        }
        _ => HostError::Command {
            command: short_command_line(command),
            message: format!("it could not be started: {error}"),
        },
    }
}

fn missing_program_hint(program: &str) -> &'static str {
    match program {
        "rpm" => "install it (Debian: `apt-get install rpm`) and run again",
        "systemctl" => "services need systemd; install it or take the services out",
        "useradd" | "usermod" | "userdel" | "groupadd" | "groupmod" | "groupdel" => {
            "install it (Debian: `apt-get install passwd`, Red Hat: `dnf install shadow-utils`) and run again"
        }
        _ => "install it and run again",
    }
}

/// The command line, shortened.
fn short_command_line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the lock is held.
    fn locked(path: &Path) -> bool {
        File::open(path).unwrap().try_lock().is_err()
    }

    #[test]
    fn programs_lock_is_held_by_the_program_and_not_by_its_background_children() {
        let folder = tempfile::tempdir().unwrap();
        let held = folder.path().join("programs");
        let pid = folder.path().join("pid");
        File::create(&held).unwrap();
        let script = format!(
            "flock --nonblock {} true && exit 1; sleep 60 <&0 & echo $! >{}",
            held.display(),
            pid.display()
        );
        let ended = run_work_with_children_holding_lock(Some(&held), || {
            run_to_any_exit(new_noninteractive_command("sh").args(["-c", &script]))
        })
        .unwrap();
        assert!(ended.status.success(), "it was not locked: {}", ended.stderr);
        assert!(!locked(&held));
        let sleeper = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(Pid::from_raw(sleeper), Signal::SIGKILL).unwrap();
    }
}
