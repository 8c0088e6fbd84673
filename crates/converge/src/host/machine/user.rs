//! Users: looked up as the host knows them, made, changed and removed by its own tools.

mod authorized_keys;

use std::{collections::BTreeSet, fs};

use model::{
    observe::{Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Resource, ResourceBody, ResourceId, ResourceKind, UserResourceBody},
};

use super::{
    account_database::AccountDatabase,
    account_tools::AccountTools,
    group::{is_recorded_user_private_group, record_user_private_group, remove_user_private_group_record},
    process::run_expecting_success,
    resource_folders::ResourceFolders,
};
use crate::{
    host::{HostError, file_system_error_reason_with_advice},
    host_root::{FolderWalkError, HostRoot},
};

impl AccountDatabase {
    /// Properties of a user. Its authorized keys are read only when `wanted` has them.
    pub(super) fn observe_user(
        &self,
        folders: &ResourceFolders<'_>,
        name: &str,
        wanted: Option<&Resource>,
        leaving: &BTreeSet<ResourceId>,
    ) -> Observation<ResourcePropertiesByKind> {
        if let Some(because) = self.reason_account_files_are_unreadable() {
            return Observation::Unreadable(because.clone());
        }
        let user = match self.lookup_user(name) {
            Ok(user) => user,
            Err(error) => return Observation::Unreadable(error.to_string()),
        };
        let wanted_user = match wanted.map(|wanted| &wanted.body) {
            Some(ResourceBody::User(wanted_user)) => Some(wanted_user),
            _ => None,
        };
        if let Some(uid) = wanted_user.and_then(|wanted_user| wanted_user.uid)
            && user.as_ref().is_none_or(|user| user.uid != uid)
            && let Some(other) = self.other_user_with_uid(uid, name)
            && !leaving.contains(&ResourceId::new(ResourceKind::User, &other))
        {
            return Observation::Unsafe(format!(
                "the number {uid} is taken by user {other} of this host; give {name} another `uid`, or none"
            ));
        }
        let Some(user) = user else { return Observation::Absent };
        let mut properties = ResourcePropertiesByKind::from([
            (ResourcePropertyKind::Uid, ResourcePropertyValue::Number(user.uid)),
            (
                ResourcePropertyKind::Group,
                ResourcePropertyValue::Text(self.wanted_or_known_group_name(
                    user.gid,
                    wanted_user.and_then(|wanted_user| wanted_user.group.as_deref()),
                )),
            ),
            (
                ResourcePropertyKind::Groups,
                ResourcePropertyValue::Set(self.supplementary_groups_of_user(name)),
            ),
            (ResourcePropertyKind::Home, ResourcePropertyValue::Text(user.home.clone())),
            (ResourcePropertyKind::Shell, ResourcePropertyValue::Text(user.shell)),
            (ResourcePropertyKind::Comment, ResourcePropertyValue::Text(user.comment)),
        ]);
        if let Some(wanted_user) = wanted_user.filter(|wanted_user| wanted_user.authorized_keys.is_some()) {
            let home = wanted_user.home.as_ref().unwrap_or(&user.home);
            match authorized_keys::observe_authorized_keys(folders, home, user.uid) {
                Ok(keys) => _ = properties.insert(ResourcePropertyKind::AuthorizedKeys, keys),
                Err(FolderWalkError::Unsafe(folder)) => return Observation::Unsafe(folder.because),
                Err(FolderWalkError::File(error)) => {
                    let because = file_system_error_reason_with_advice(&error);
                    return Observation::Unreadable(format!(
                        "cannot read {home}/.ssh/authorized_keys: {because}"
                    ));
                }
            }
        }
        Observation::Present(properties)
    }
}

/// The first processes of a user, with their names; nothing when there is none.
fn processes_of_user(uid: u32) -> Option<String> {
    let mut processes = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has ended and is not yet waited for is none.
        let status = fs::read_to_string(process.path().join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let uids = field("Uid:").unwrap_or_default();
        let runs = field("State:").is_some_and(|state| !state.starts_with('Z'));
        if runs && uids.split_whitespace().any(|one| one == uid.to_string()) {
            processes.push(format!("process {pid} ({})", field("Name:").unwrap_or_default()));
        }
    }
    processes.truncate(3);
    (!processes.is_empty()).then(|| processes.join(", "))
}

impl AccountTools<'_> {
    /// Makes or changes a user; `properties` are the names of what differs.
    pub(super) fn create_or_change_user(
        &self,
        folders: &ResourceFolders<'_>,
        name: &str,
        user: &UserResourceBody,
        properties: &[ResourcePropertyKind],
    ) -> Result<(), HostError> {
        let ResourceFolders { root, accounts, cache } = *folders;
        self.create_missing_account_files(root)?;
        let new = accounts.lookup_user(name)?.is_none();
        let mut command = self.new_account_command(if new { "useradd" } else { "usermod" });
        let wants = |property| new || properties.contains(&property);
        let mut given = false;
        let mut option = |flag: &str, value: Option<String>, property| {
            if let Some(value) = value.filter(|_| wants(property)) {
                command.args([flag, &value]);
                given = true;
            }
        };
        option("--uid", user.uid.map(|uid| uid.to_string()), ResourcePropertyKind::Uid);
        option("--gid", user.group.clone(), ResourcePropertyKind::Group);
        option("--groups", user.groups.as_ref().map(|groups| groups.join(",")), ResourcePropertyKind::Groups);
        // Not what the host makes new users with: what is left open of a user that punch made is the same on every host.
        let new_home = new.then(|| user.home.clone().unwrap_or_else(|| format!("/home/{name}")));
        option("--home-dir", new_home.clone(), ResourcePropertyKind::Home);
        option("--home", user.home.clone().filter(|_| !new), ResourcePropertyKind::Home);
        let shell = user.shell.clone().or((new && user.system).then(|| "/usr/sbin/nologin".to_owned()));
        option("--shell", shell, ResourcePropertyKind::Shell);
        option("--comment", user.comment.clone(), ResourcePropertyKind::Comment);
        if new {
            if user.system {
                command.arg("--system");
            }
            command.arg(if user.system { "--no-create-home" } else { "--create-home" });
            if let Some(home) = new_home.filter(|_| !user.system) {
                // The tool makes the home as root, and follows links.
                folders.require_protected_folder(home.rsplit_once('/').map_or("", |(above, _)| above))?;
            }
            match (&user.group, accounts.lookup_gid(name)?) {
                (Some(_), _) => (),
                (None, Some(_)) => _ = command.args(["--gid", name]),
                (None, None) => {
                    record_user_private_group(root, name)?;
                    command.arg("--user-group");
                }
            }
        }
        let changes_group = !new && properties.contains(&ResourcePropertyKind::Group);
        if changes_group && user.group.as_deref() == Some(name) && accounts.lookup_gid(name)?.is_none() {
            record_user_private_group(root, name)?;
            let mut groupadd = self.new_account_command("groupadd");
            run_expecting_success(groupadd.args(user.system.then_some("--system")).args(["--", name]))?;
        }
        if new || given {
            // `--` ends the options: a name can never be one.
            run_expecting_success(command.args(["--", name]))?;
        }
        if changes_group {
            let accounts = AccountDatabase::read_passwd_and_group(root, self.prefix.is_none());
            self.remove_private_group_that_user_left(root, &accounts, name)?;
        }
        if let Some(keys) = &user.authorized_keys
            && wants(ResourcePropertyKind::AuthorizedKeys)
        {
            let accounts = AccountDatabase::read_passwd_and_group(root, self.prefix.is_none());
            cache.clear();
            let folders = ResourceFolders { root, accounts: &accounts, cache };
            authorized_keys::write_authorized_keys(&folders, name, keys)?;
        }
        Ok(())
    }

    /// Removes the group that was made with a user who has another primary group now; returns whether there was one.
    pub(super) fn remove_private_group_that_user_left(
        &self,
        root: &HostRoot,
        accounts: &AccountDatabase,
        name: &str,
    ) -> Result<bool, HostError> {
        if !is_recorded_user_private_group(root, name)? || !accounts.is_empty_group(name) {
            return Ok(false);
        }
        self.remove_group(accounts, name)?;
        remove_user_private_group_record(root, name)?;
        Ok(true)
    }

    /// Removes a user, and the group of the same name when it was made with it; its home and files stay.
    pub(super) fn remove_user_and_private_group(
        &self,
        root: &HostRoot,
        accounts: &AccountDatabase,
        name: &str,
    ) -> Result<(), HostError> {
        let before = accounts.lookup_gid(name)?;
        if let Some(user) = accounts.lookup_user(name)? {
            if self.prefix.is_none()
                && let Some(processes) = processes_of_user(user.uid)
            {
                return Err(HostError::AccountInUse { user: name.to_owned(), processes });
            }
            run_expecting_success(self.new_account_command("userdel").args(["--", name]))?;
        }
        // Whether userdel took the group with it depends on the host's settings.
        let left = AccountDatabase::read_passwd_and_group(root, self.prefix.is_none());
        match (is_recorded_user_private_group(root, name)?, before, left.lookup_gid(name)?) {
            (true, _, Some(_)) if left.is_empty_group(name) => self.remove_group(&left, name)?,
            (false, Some(gid), None) => {
                let gid = gid.to_string();
                run_expecting_success(
                    self.new_account_command("groupadd").args(["--gid", &gid, "--", name]),
                )?;
            }
            _ => (),
        }
        remove_user_private_group_record(root, name)
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, process::Command};

    use super::*;

    #[test]
    fn running_process_of_a_user_is_named_and_an_ended_one_is_not() {
        let uid = 64_321;
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        assert_eq!(processes_of_user(uid), None);
        let mut sleeper = Command::new("sleep").arg("60").uid(uid).gid(uid).spawn().unwrap();
        let named = format!("process {} (sleep)", sleeper.id());
        // It has the name of its parent until it is started.
        while processes_of_user(uid).as_ref() != Some(&named) {
            assert_eq!(sleeper.try_wait().unwrap(), None);
        }
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert_eq!(processes_of_user(uid), None);
        let error = HostError::AccountInUse { user: "vic".to_owned(), processes: named };
        assert!(error.is_limited_to_components(), "{error}");
    }
}
