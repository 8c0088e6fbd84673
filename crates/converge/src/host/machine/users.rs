//! Making, changing and removing users and groups, by the host's own tools.

use std::process::Command;

use model::{
    observe::FactName,
    resource::{GroupResource, UserResource},
};
use nix::unistd::{Gid, Uid};

use super::{
    accounts::AccountDatabase,
    files,
    process::{program, run_successfully},
};
use crate::{
    host::HostError,
    host_root::{HostRoot, PathHandle},
    state::STATE_FOLDER,
};

/// The account tools, for one root.
pub(super) struct AccountTools<'a> {
    /// The host's root when it is not `/`.
    pub(super) prefix: Option<&'a str>,
}

impl AccountTools<'_> {
    fn program(&self, name: &str) -> Command {
        let mut command = program(name);
        if let Some(prefix) = self.prefix {
            command.args(["--prefix", prefix]);
        }
        command
    }

    /// Makes or changes a user; `facts` are the names of what differs.
    pub(super) fn apply_user(
        &self,
        root: &HostRoot,
        accounts: &AccountDatabase,
        name: &str,
        user: &UserResource,
        facts: &[FactName],
    ) -> Result<(), HostError> {
        self.ensure_files(root)?;
        let new = accounts.lookup_user(name)?.is_none();
        let mut command = self.program(if new { "useradd" } else { "usermod" });
        let wants = |fact| new || facts.contains(&fact);
        let mut given = false;
        let mut option = |flag: &str, value: Option<String>, fact| {
            if let Some(value) = value.filter(|_| wants(fact)) {
                command.args([flag, &value]);
                given = true;
            }
        };
        option("--uid", user.uid.map(|uid| uid.to_string()), FactName::Uid);
        option("--gid", user.group.clone(), FactName::Group);
        option("--groups", user.groups.as_ref().map(|groups| groups.join(",")), FactName::Groups);
        option("--home-dir", user.home.clone().filter(|_| new), FactName::Home);
        option("--home", user.home.clone().filter(|_| !new), FactName::Home);
        let shell = user.shell.clone().or((new && user.system).then(|| "/usr/sbin/nologin".to_owned()));
        option("--shell", shell, FactName::Shell);
        option("--comment", user.comment.clone(), FactName::Comment);
        if new {
            if user.system {
                command.arg("--system");
            }
            command.arg(if user.system { "--no-create-home" } else { "--create-home" });
            match (&user.group, accounts.lookup_group(name)?) {
                (Some(_), _) => (),
                (None, Some(_)) => _ = command.args(["--gid", name]),
                (None, None) => {
                    record_group(root, name)?;
                    command.arg("--user-group");
                }
            }
        }
        if new || given {
            // `--` ends the options: a name can never be one.
            run_successfully(command.args(["--", name]))?;
        }
        if let Some(keys) = &user.authorized_keys
            && wants(FactName::AuthorizedKeys)
        {
            let accounts = AccountDatabase::read(root, self.prefix.is_none());
            write_keys(root, &accounts, name, keys)?;
        }
        Ok(())
    }

    pub(super) fn apply_group(
        &self,
        root: &HostRoot,
        accounts: &AccountDatabase,
        name: &str,
        group: &GroupResource,
    ) -> Result<(), HostError> {
        self.ensure_files(root)?;
        let new = accounts.lookup_group(name)?.is_none();
        let mut command = self.program(if new { "groupadd" } else { "groupmod" });
        if let Some(gid) = group.gid {
            command.args(["--gid", &gid.to_string()]);
        }
        if new && group.system {
            command.arg("--system");
        }
        run_successfully(command.args(["--", name])).map(drop)
    }

    /// Removes a user, and the group of the same name when it was made with it; its home and files stay.
    pub(super) fn remove_user(
        &self,
        root: &HostRoot,
        accounts: &AccountDatabase,
        name: &str,
    ) -> Result<(), HostError> {
        let before = accounts.lookup_group(name)?;
        if accounts.lookup_user(name)?.is_some() {
            run_successfully(self.program("userdel").args(["--", name]))?;
        }
        // Whether userdel took the group with it depends on the host's settings.
        let left = AccountDatabase::read(root, self.prefix.is_none());
        match (is_recorded_group(root, name)?, before, left.lookup_group(name)?) {
            (true, _, Some(_)) if left.is_empty_group(name) => self.remove_group(&left, name)?,
            (false, Some(gid), None) => {
                let gid = gid.to_string();
                run_successfully(self.program("groupadd").args(["--gid", &gid, "--", name]))?;
            }
            _ => (),
        }
        forget_group(root, name)
    }

    pub(super) fn remove_group(&self, accounts: &AccountDatabase, name: &str) -> Result<(), HostError> {
        match accounts.lookup_group(name)? {
            // userdel takes a user's own group with it.
            None => Ok(()),
            Some(_) => run_successfully(self.program("groupdel").args(["--", name])).map(drop),
        }
    }

    /// A bare folder gets account files of its own, so that the tools have something to work on.
    fn ensure_files(&self, root: &HostRoot) -> Result<(), HostError> {
        if self.prefix.is_none() {
            return Ok(());
        }
        for (path, text) in
            [("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("/etc/group", "root:x:0:\n")]
        {
            let wrong = |error| HostError::io("cannot write", path, &error);
            if !root.exists(path).map_err(wrong)? {
                root.replace_file(path, text.as_bytes(), 0o644).map_err(wrong)?;
            }
        }
        Ok(())
    }
}

/// Where it is noted which groups were made with a user: a group that was there before is never removed.
const GROUPS: &str = "groups";

fn group_mark(name: &str) -> String {
    format!("{STATE_FOLDER}/{GROUPS}/{name}")
}

fn record_group(root: &HostRoot, name: &str) -> Result<(), HostError> {
    let path = group_mark(name);
    let wrong = |error| HostError::io("cannot write", path.as_str(), &error);
    root.create_private_folder(STATE_FOLDER).map_err(wrong)?;
    root.replace_file(&path, b"", 0o600).map_err(wrong)
}

fn is_recorded_group(root: &HostRoot, name: &str) -> Result<bool, HostError> {
    let path = group_mark(name);
    root.exists(&path).map_err(|error| HostError::io("cannot look at", path, &error))
}

fn forget_group(root: &HostRoot, name: &str) -> Result<(), HostError> {
    let path = group_mark(name);
    root.remove_file(&path).map_err(|error| HostError::io("cannot remove", path, &error))
}

/// Writes `~/.ssh/authorized_keys`. The home belongs to the user, so no link in it is followed.
fn write_keys(
    root: &HostRoot,
    accounts: &AccountDatabase,
    name: &str,
    keys: &[String],
) -> Result<(), HostError> {
    let Some(user) = accounts.lookup_user(name)? else {
        return Err(HostError::Other(format!("user `{name}` is not there after it was made")));
    };
    let path = format!("{}/.ssh/authorized_keys", user.home);
    let wrong = |error| HostError::io("cannot write", path.as_str(), &error);
    let owner = (Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)));
    let home = root.open_or_create_parent(&user.home).map_err(wrong)?;
    let home = match home.stat().map_err(wrong)? {
        Some(_) => root.open_folder(&user.home).map_err(wrong)?,
        None => files::create_private_folder(&home.folder, home.name, owner).map_err(wrong)?,
    };
    let folder = files::create_private_folder(&home, ".ssh", owner).map_err(wrong)?;
    let mut text: String = keys.join("\n");
    text.push('\n');
    let spot = PathHandle { folder, name: "authorized_keys" };
    spot.replace_file(text.as_bytes(), owner, 0o600).map_err(wrong)
}
