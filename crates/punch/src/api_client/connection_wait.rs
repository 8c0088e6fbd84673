//! Waiting for a control plane that is being started: nothing listens at its address yet.

use std::{cell::Cell, io, thread, time::Duration};

use clap::Args;

use super::ApiClientError;
use crate::terminal_output::TerminalOutput;

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// Attempts in one second.
const ATTEMPTS_PER_SECOND: u32 = 5;

/// The option of the verbs that wait for a control plane.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConnectionWaitArgs {
    /// How long to try again while nothing listens at the address
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u16,
}

impl ConnectionWaitArgs {
    /// The attempts that are left; `output` is told once that punch waits.
    pub(crate) fn new_connection_wait<'a>(&self, output: &'a TerminalOutput) -> ConnectionWait<'a> {
        ConnectionWait {
            attempts: Cell::new(u32::from(self.wait) * ATTEMPTS_PER_SECOND),
            noted: Cell::new(false),
            output,
        }
    }
}

/// Tries again while connections are refused, a bounded number of times.
pub(crate) struct ConnectionWait<'a> {
    attempts: Cell<u32>,
    noted: Cell<bool>,
    output: &'a TerminalOutput,
}

impl ConnectionWait<'_> {
    /// Calls `attempt` until its connection to `url` is not refused, or no attempts are left.
    pub(crate) fn retry_while_refused<T, E: ConnectionFailure>(
        &self,
        url: &str,
        mut attempt: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        loop {
            let result = attempt();
            let refused = result.as_ref().is_err_and(ConnectionFailure::is_connection_refused);
            if !refused || self.attempts.get() == 0 {
                return result;
            }
            if !self.noted.replace(true) {
                let seconds = self.attempts.get() / ATTEMPTS_PER_SECOND;
                self.output.print_note_to_stderr(format!(
                    "nothing listens at {url} yet; trying again for up to {seconds} s"
                ));
            }
            self.attempts.set(self.attempts.get() - 1);
            thread::sleep(PAUSE);
        }
    }
}

/// An error that can be a refused connection.
pub(crate) trait ConnectionFailure {
    /// Whether nothing listens at the address: nothing was sent.
    fn is_connection_refused(&self) -> bool;
}

impl ConnectionFailure for io::Error {
    fn is_connection_refused(&self) -> bool {
        self.kind() == io::ErrorKind::ConnectionRefused
    }
}

impl ConnectionFailure for ApiClientError {
    fn is_connection_refused(&self) -> bool {
        matches!(self, Self::Unreachable { connection_refused: true, .. })
    }
}
