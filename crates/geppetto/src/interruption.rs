//! SIGINT (Ctrl-C) and SIGTERM of commands that make or copy a control plane: what is of no use is removed, one sentence
//! says what state things are in, and the program ends by the signal.
//!
//! Both signals are blocked in all threads but one, which waits for them. `geppetto serve` handles them itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use model::exit::Exit;
use nix::sys::signal::{SigSet, Signal, raise};

use crate::{command_error::GeppettoCommandError, output};

/// How long a folder that others still write to is tried to be removed.
const REMOVAL_ATTEMPTS: usize = 200;
const REMOVE_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// What the program does on a signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfflineCommandSignals(Arc<Mutex<InterruptedState>>);

/// What is true of a command that is interrupted now.
#[derive(Debug, Default)]
struct InterruptedState {
    /// A sentence without a full stop; nothing when the command has changed nothing.
    sentence: Option<String>,
    /// A folder that is of no use without the command that fills it.
    unfinished: Option<PathBuf>,
}

impl OfflineCommandSignals {
    /// Blocks the signals in this thread and all that it starts, and starts the thread that waits for them. To be called
    /// before any other thread is started.
    pub(crate) fn start(is_json: bool) -> Self {
        let handling = Self::default();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            // A shell starts background commands with SIGINT ignored: then it stays so.
            if !is_ignored(signal) {
                signals.add(signal);
            }
        }
        let waiting = handling.clone();
        // Where this fails, the signals end the program as they always do.
        if signals.thread_block().is_ok() {
            thread::spawn(move || waiting.end_by_signal(signals, is_json));
        }
        handling
    }

    /// What is true from now on if the command is interrupted: one sentence, without a full stop.
    pub(crate) fn set_interruption_message(&self, sentence: impl Into<String>) {
        self.lock_state().sentence = Some(sentence.into());
    }

    /// Removes this folder if the command is interrupted. Nothing may make it again once it is gone.
    pub(crate) fn remove_folder_if_interrupted(&self, folder: &Path) {
        self.lock_state().unfinished = Some(folder.to_owned());
    }

    /// Takes a step that no signal cuts in two, after which nothing is to be removed and this sentence is true.
    pub(crate) fn take_last_step<T, E>(
        &self,
        step: impl FnOnce() -> Result<T, E>,
        sentence: impl Into<String>,
    ) -> Result<T, E> {
        let mut state = self.lock_state();
        let done = step()?;
        *state = InterruptedState { sentence: Some(sentence.into()), unfinished: None };
        Ok(done)
    }

    fn lock_state(&self) -> MutexGuard<'_, InterruptedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a signal, then cleans up and ends the program by it.
    fn end_by_signal(&self, signals: SigSet, is_json: bool) {
        let Ok(signal) = signals.wait() else { return };
        // Nothing may change what is true between saying so and the end.
        let state = self.lock_state();
        let left = state.unfinished.as_deref().filter(|folder| !remove_while_others_write(folder));
        output::print_failure(is_json, &interruption_error(signal, state.sentence.as_deref(), left));
        let _ended = SigSet::from(signal).thread_unblock().and_then(|()| raise(signal));
        std::process::exit(exit_of_signal(signal) as i32);
    }
}

/// Removes a folder that other threads still write to: what they write is removed, too, until they find their folder gone.
fn remove_while_others_write(folder: &Path) -> bool {
    // Under another name nothing new is put into it while it is removed.
    let mut name = folder.as_os_str().to_owned();
    name.push(".interrupted");
    let renamed = Path::new(&name);
    let found = if fs::rename(folder, renamed).is_ok() { renamed } else { folder };
    let removed = (0..REMOVAL_ATTEMPTS).any(|attempt| {
        if attempt > 0 {
            thread::sleep(REMOVE_AGAIN_AFTER);
        }
        match fs::remove_dir_all(found) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound && !found.exists(),
        }
    });
    if !removed && found == renamed {
        // It is told by its own name.
        let _ = fs::rename(renamed, folder);
    }
    removed
}

fn interruption_error(signal: Signal, sentence: Option<&str>, left: Option<&Path>) -> GeppettoCommandError {
    let mut message = format!("interrupted by {signal}");
    if let Some(sentence) = sentence {
        message = format!("{message}: {sentence}");
    }
    if let Some(left) = left {
        message = format!("{message}; `{}` could not be removed, and is of no use", left.display());
    }
    GeppettoCommandError { exit: exit_of_signal(signal), message, hint: None }
}

/// The exit code that shells show for a program that a signal ended.
fn exit_of_signal(signal: Signal) -> Exit {
    match signal {
        Signal::SIGTERM => Exit::Terminated,
        _ => Exit::Interrupted,
    }
}

/// Whether whoever started the program had the signal ignored.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal as u32 - 1)) != 0
}
