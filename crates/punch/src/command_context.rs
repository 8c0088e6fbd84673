//! What `main` passes to every verb: output, clock, configuration.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{interruption::SignalHandling, terminal_output::TerminalOutput, time_text::UnixMicros};

/// The variable that names the data folder of the control plane on this machine.
pub(crate) const CONTROL_PLANE_DATA_VARIABLE: &str = "GEPPETTO_DATA";

/// Where a control plane keeps its data unless told otherwise. It is not below `/var/lib/geppetto`, where punch keeps the
/// state of a server.
const DEFAULT_CONTROL_PLANE_DATA_FOLDER: &str = "/var/lib/geppetto-data";

/// Output, clock, environment and configuration of one run of punch.
pub(crate) struct CommandContext {
    /// Prints.
    pub(crate) output: TerminalOutput,
    /// What happens on Ctrl-C.
    pub(crate) interruption: SignalHandling,
    /// The current time, in microseconds since 1970-01-01 UTC.
    pub(crate) now: fn() -> UnixMicros,
    /// The configuration file, when this user has a home folder. It need not exist.
    pub(crate) config_path: Option<PathBuf>,
    /// The environment variables that punch reads.
    pub(crate) environment: BTreeMap<&'static str, String>,
}

impl CommandContext {
    /// The data folder of the control plane on this machine, if there is one.
    pub(crate) fn local_control_plane_data_folder(&self) -> PathBuf {
        let data = self.environment.get(CONTROL_PLANE_DATA_VARIABLE).map(String::as_str);
        PathBuf::from(data.unwrap_or(DEFAULT_CONTROL_PLANE_DATA_FOLDER))
    }

    /// The Unix socket of the control plane on this machine.
    pub(crate) fn local_control_plane_socket_path(&self) -> PathBuf {
        self.local_control_plane_data_folder().join("geppetto.sock")
    }
}
