//! Settings of the verbs that ask a control plane: options, then `PUNCH_*` variables, then
//! `~/.config/geppetto/punch.yaml`, then defaults.

mod config_file;
mod control_plane_args;
mod resolve;

pub(crate) use config_file::ConfigFile;
pub(crate) use control_plane_args::{ControlPlaneArgs, read_token_file_or_stdin};
pub(crate) use resolve::{Setting, SettingCandidate, SettingSource, SettingsResolver};
