//! SIGINT (Ctrl-C), SIGTERM and SIGHUP: punch ends the programs that it runs, removes its temporary files, says in one
//! sentence what state things are in, and ends.
//!
//! The signals are blocked in all threads but one, which waits for them. The program then ends by the signal itself, as
//! a shell expects of it: the shell shows the exit code 130 or 143. Programs that punch runs get the usual signal mask.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use model::exit::Exit;
use nix::{
    sys::{
        signal::{SigSet, Signal, killpg, raise},
        stat::futimens,
        time::TimeSpec,
    },
    unistd::Pid,
};

use crate::{command_error::CommandError, terminal_output::TerminalOutput};

/// How long punch takes at most to end by a signal.
const TIME_TO_END: Duration = Duration::from_millis(300);

/// Programs of a component's command have one and a half seconds to end by a signal before they are killed.
const LOOKS_AT_PROGRAMS: u32 = 100;
const TIME_BETWEEN_LOOKS: Duration = Duration::from_millis(15);

/// What is true of a command that is interrupted now.
#[derive(Debug, Default)]
struct InterruptedState {
    /// A sentence without a full stop; nothing when the command changes nothing.
    sentence: Option<String>,
    /// A pager is in front, and Ctrl-C is for it.
    in_pager: bool,
    temporary: Vec<TemporaryFiles>,
    /// The journal of the run in progress: its time is that of the interruption.
    journal: Option<PathBuf>,
    /// The process group of a program that the command runs.
    process_group: Option<Pid>,
}

/// Files that are of no use without the command that writes them.
#[derive(Debug)]
struct TemporaryFiles {
    folder: PathBuf,
    /// How their names begin.
    prefix: String,
}

/// What punch does on SIGINT and SIGTERM while a command runs: which files it removes, what it says, when it waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct SignalHandling {
    state: Arc<Mutex<InterruptedState>>,
    deferral: Arc<Mutex<()>>,
}

/// SIGINT and SIGTERM wait as long as this lives.
#[must_use]
pub(crate) struct DeferredInterruption<'a>(
    #[expect(dead_code, reason = "held until it is dropped")] MutexGuard<'a, ()>,
);

impl SignalHandling {
    /// Blocks the signals in this thread and all that it starts, and starts the thread that waits for them. To be called
    /// before any other thread is started.
    pub(crate) fn start(output: &TerminalOutput) -> Self {
        let handling = Self::default();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // A shell starts background commands with SIGINT ignored: then it stays so.
            if !is_ignored(signal) {
                signals.add(signal);
            }
        }
        let (waiting, output) = (handling.clone(), output.clone());
        // Where this fails, the signals end the program as they always do.
        if signals.thread_block().is_ok() {
            thread::spawn(move || waiting.end_by_signal(signals, &output));
        }
        handling
    }

    /// What is true from now on if the command is interrupted: one sentence, without a full stop.
    pub(crate) fn set_interruption_message(&self, sentence: impl Into<String>) {
        self.lock_state().sentence = Some(sentence.into());
    }

    /// Removes the files in `folder` whose names begin with `prefix` if the command is interrupted.
    pub(crate) fn remove_prefixed_files_if_interrupted(&self, folder: &Path, prefix: &str) {
        let files = TemporaryFiles { folder: folder.to_owned(), prefix: prefix.to_owned() };
        self.lock_state().temporary.push(files);
    }

    /// Removes this file if the command is interrupted.
    pub(crate) fn remove_file_if_interrupted(&self, path: &Path) {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            self.remove_prefixed_files_if_interrupted(folder, &name.to_string_lossy());
        }
    }

    /// Notes the time of the interruption on this file, if it is there.
    pub(crate) fn touch_file_if_interrupted(&self, path: PathBuf) {
        self.lock_state().journal = Some(path);
    }

    /// Ends this process group too if the command is interrupted. Its programs do not get Ctrl-C from the terminal.
    pub(crate) fn end_process_group_if_interrupted(&self, process_group: u32) {
        self.lock_state().process_group = i32::try_from(process_group).ok().map(Pid::from_raw);
    }

    /// The program ended by itself. Does not return while punch is ended by a signal, so that its end is not reported as
    /// the program's failure.
    pub(crate) fn forget_process_group(&self) {
        self.lock_state().process_group = None;
    }

    /// Lets Ctrl-C be for the pager, or for punch again.
    pub(crate) fn set_in_pager(&self, in_pager: bool) {
        self.lock_state().in_pager = in_pager;
    }

    /// Lets the signals wait for a step that takes a moment and must not be cut in two.
    pub(crate) fn defer_interruption(&self) -> DeferredInterruption<'_> {
        DeferredInterruption(self.deferral.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sleeps so that the thread that waits for signals ends punch before the failure of a program that it ran is reported:
    /// Ctrl-C on a terminal reaches both.
    pub(crate) fn wait_to_be_ended_by_signal() {
        thread::sleep(TIME_TO_END);
    }

    fn lock_state(&self) -> MutexGuard<'_, InterruptedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a signal, then cleans up and ends the program by it.
    fn end_by_signal(&self, signals: SigSet, output: &TerminalOutput) {
        while let Ok(signal) = signals.wait() {
            let _deferred = self.defer_interruption();
            // Nothing may change what is true between saying so and the end.
            let state = self.lock_state();
            if state.in_pager && signal == Signal::SIGINT {
                continue;
            }
            if let Some(group) = state.process_group {
                end_process_group(group, signal);
            }
            for files in &state.temporary {
                files.remove();
            }
            // Without it the run counts until its last step began.
            let journal =
                state.journal.as_ref().and_then(|path| File::options().append(true).open(path).ok());
            let _touched = journal.map(|file| futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW));
            output.print_command_error_immediately(&interruption_error(signal, state.sentence.as_deref()));
            let only = SigSet::from(signal);
            let _ended = only.thread_unblock().and_then(|()| raise(signal));
            std::process::exit(exit_of_signal(signal) as i32);
        }
    }
}

impl TemporaryFiles {
    /// Removes them; one that is gone already, or cannot be removed, is left.
    fn remove(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&self.prefix) {
                let _gone = fs::remove_file(entry.path());
            }
        }
    }
}

/// Passes the signal on to all programs of the group, and kills those that go on.
fn end_process_group(group: Pid, signal: Signal) {
    let mut sent = killpg(group, signal);
    for _ in 0..LOOKS_AT_PROGRAMS {
        if sent.is_err() {
            return;
        }
        thread::sleep(TIME_BETWEEN_LOOKS);
        sent = killpg(group, None);
    }
    let _ended = killpg(group, Signal::SIGKILL);
}

fn interruption_error(signal: Signal, sentence: Option<&str>) -> CommandError {
    let message = match sentence {
        Some(sentence) => format!("interrupted by {signal}: {sentence}"),
        None => format!("interrupted by {signal}"),
    };
    CommandError::new(exit_of_signal(signal), message)
}

/// The exit code that shells show for a program that a signal ended.
fn exit_of_signal(signal: Signal) -> Exit {
    match signal {
        Signal::SIGINT => Exit::Interrupted,
        Signal::SIGHUP => Exit::HungUp,
        _ => Exit::Terminated,
    }
}

/// Whether whoever started punch had the signal ignored.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal as u32 - 1)) != 0
}
