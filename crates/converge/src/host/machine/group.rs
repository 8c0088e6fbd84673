//! Groups: looked up as the host knows them, made, changed and removed by its own tools.

use std::collections::BTreeSet;

use model::{
    observe::{Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{GroupResourceBody, Resource, ResourceBody, ResourceId, ResourceKind},
};

use super::{account_database::AccountDatabase, account_tools::AccountTools, process::run_expecting_success};
use crate::{host::HostError, host_root::HostRoot, punch_state_folder::PUNCH_STATE_FOLDER};

impl AccountDatabase {
    /// Properties of a group.
    pub(super) fn observe_group(
        &self,
        name: &str,
        wanted: Option<&Resource>,
        leaving: &BTreeSet<ResourceId>,
    ) -> Observation<ResourcePropertiesByKind> {
        if let Some(because) = self.reason_account_files_are_unreadable() {
            return Observation::Unreadable(because.clone());
        }
        let found = self.lookup_gid(name);
        if let (Ok(found), Some(ResourceBody::Group(GroupResourceBody { gid: Some(gid), .. }))) =
            (&found, wanted.map(|wanted| &wanted.body))
            && *found != Some(*gid)
            && let Some(other) = self.other_group_with_gid(*gid, name)
            && !leaving.contains(&ResourceId::new(ResourceKind::Group, &other))
        {
            return Observation::Unsafe(format!(
                "the number {gid} is taken by group {other} of this host; give {name} another `gid`, or none"
            ));
        }
        match found {
            Ok(Some(gid)) => Observation::Present(ResourcePropertiesByKind::from([(
                ResourcePropertyKind::Gid,
                ResourcePropertyValue::Number(gid),
            )])),
            Ok(None) => Observation::Absent,
            Err(error) => Observation::Unreadable(error.to_string()),
        }
    }
}

impl AccountTools<'_> {
    /// Makes or changes a group.
    pub(super) fn create_or_change_group(
        &self,
        root: &HostRoot,
        accounts: &AccountDatabase,
        name: &str,
        group: &GroupResourceBody,
    ) -> Result<(), HostError> {
        self.create_missing_account_files(root)?;
        let new = accounts.lookup_gid(name)?.is_none();
        let mut command = self.new_account_command(if new { "groupadd" } else { "groupmod" });
        if let Some(gid) = group.gid {
            command.args(["--gid", &gid.to_string()]);
        }
        if new && group.system {
            command.arg("--system");
        }
        run_expecting_success(command.args(["--", name])).map(drop)
    }

    /// Removes a group.
    pub(super) fn remove_group(&self, accounts: &AccountDatabase, name: &str) -> Result<(), HostError> {
        match accounts.lookup_gid(name)? {
            // userdel takes a user's own group with it.
            None => Ok(()),
            Some(_) => {
                run_expecting_success(self.new_account_command("groupdel").args(["--", name])).map(drop)
            }
        }
    }
}

/// Where it is noted which groups were made with a user: a group that was there before is never removed.
const GROUPS: &str = "groups";

fn group_mark(name: &str) -> String {
    format!("{PUNCH_STATE_FOLDER}/{GROUPS}/{name}")
}

/// Notes that the group `name` is made with its user.
pub(super) fn record_user_private_group(root: &HostRoot, name: &str) -> Result<(), HostError> {
    let path = group_mark(name);
    let wrong = |error| HostError::from_io_error("cannot write", path.as_str(), &error);
    root.create_private_folder(PUNCH_STATE_FOLDER).map_err(wrong)?;
    root.replace_file(&path, b"", 0o600).map_err(wrong)
}

/// Whether the group `name` was made with its user.
pub(super) fn is_recorded_user_private_group(root: &HostRoot, name: &str) -> Result<bool, HostError> {
    let path = group_mark(name);
    root.exists(&path).map_err(|error| HostError::from_io_error("cannot look at", path, &error))
}

/// The groups that were made with their users.
pub(super) fn recorded_user_private_groups(root: &HostRoot) -> Result<Vec<String>, HostError> {
    let path = format!("{PUNCH_STATE_FOLDER}/{GROUPS}");
    let names = root.list_folder_or_empty(&path);
    names.map_err(|error| HostError::from_io_error("cannot look into", path, &error))
}

/// Removes the record that the group `name` was made with its user.
pub(super) fn remove_user_private_group_record(root: &HostRoot, name: &str) -> Result<(), HostError> {
    let path = group_mark(name);
    root.remove_file_if_exists(&path).map_err(|error| HostError::from_io_error("cannot remove", path, &error))
}
