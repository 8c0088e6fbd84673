//! How a program of ours ends: one list of exit codes, the same for `punch` and `geppetto`.

/// The exit codes of both programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// The user's input is wrong: a file, a name, a value.
    Input = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Something could not be looked at or is not allowed; nothing was changed, or only what does not depend on it.
    Blocked = 3,
    /// Failed, and the last good state is back.
    RolledBack = 4,
    /// Failed, and not rolled back: the next run completes what is missing.
    Failed = 5,
    /// The back-office could not be reached.
    Unreachable = 6,
    /// `punch plan` found changes.
    Changes = 10,
    /// A bug of ours.
    Bug = 70,
    /// Ended by SIGHUP, the end of its terminal: `punch` ends by the signal, which shells show as this.
    HungUp = 129,
    /// Interrupted by SIGINT (Ctrl-C): `punch` ends by the signal, which shells show as this.
    Interrupted = 130,
    /// Ended by SIGTERM, likewise.
    Terminated = 143,
}
