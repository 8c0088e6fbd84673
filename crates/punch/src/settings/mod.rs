//! Settings of the verbs that ask a control plane: options, then `PUNCH_*` variables, then
//! `~/.config/geppetto/punch.yaml`, then defaults.

mod connection;
mod file;
mod resolve;

pub(crate) use connection::{RemoteArgs, read_token};
pub(crate) use file::ConfigFile;
pub(crate) use resolve::{Candidate, Setting, SettingSource, Settings};
