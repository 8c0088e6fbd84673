//! Which back-office a host belongs to, as `punch join` wrote it.

use model::{format::yaml, name::ServerName};
use serde::{Deserialize, Serialize};

use crate::{
    command_error::CommandError,
    host_files::{HostFileAccess, MEMBERSHIP_PATH},
};

/// `etc/geppetto/punch.yaml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackOfficeMembership {
    /// The back-office's address.
    pub(crate) url: String,
    /// This host's name there.
    pub(crate) server: ServerName,
    /// The bearer token this host authenticates with.
    pub(crate) credential: String,
}

impl BackOfficeMembership {
    /// Reads it; `None` when this host never joined.
    pub(crate) fn load_membership_if_joined(root: &HostFileAccess) -> Result<Option<Self>, CommandError> {
        match root.read_text_file_if_exists(MEMBERSHIP_PATH)? {
            Some(text) => {
                Ok(Some(yaml::parse_yaml(&root.display_path(MEMBERSHIP_PATH).display().to_string(), &text)?))
            }
            None => Ok(None),
        }
    }

    /// Reads it; a host that never joined is an error.
    pub(crate) fn load_required_membership(root: &HostFileAccess) -> Result<Self, CommandError> {
        Self::load_membership_if_joined(root)?.ok_or_else(|| {
            CommandError::invalid_input_error(format!("this host has not joined a back-office: {} is missing", root.display_path(MEMBERSHIP_PATH).display()))
                .with_hint("ask an operator for a join token, then run `punch join URL --token-file FILE`; without a back-office use `punch apply NODEFILE --repository FOLDER`")
        })
    }

    /// Writes it with mode 0600.
    pub(crate) fn save_membership(&self, root: &HostFileAccess) -> Result<(), CommandError> {
        root.replace_file(MEMBERSHIP_PATH, yaml::to_yaml_text(self).as_bytes(), 0o600)
    }
}
