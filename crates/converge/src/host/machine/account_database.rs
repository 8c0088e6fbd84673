//! Users and groups as a host knows them: its own files, and on a running host whatever else it asks
//! (LDAP and the like).

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::CString,
    io::Read,
};

use model::resource::Ownership;
use nix::{
    errno::Errno,
    unistd::{Gid, Uid, getgrouplist},
};

use crate::{
    host::{HostError, file_system_error_reason_with_advice},
    host_root::{FileAccessUser, FolderAccounts, HostRoot},
};

/// The number that Linux shows for groups it cannot name.
const GROUP_OF_NOBODY: u32 = 65_534;

/// The users and groups of a host.
#[derive(Debug, Default)]
pub(super) struct AccountDatabase {
    users: BTreeMap<String, PasswdEntry>,
    groups: BTreeMap<String, GroupEntry>,
    /// Why the files could not be read, when they could not.
    unreadable: Option<String>,
    /// Whether this is the running host, which can be asked beyond its files.
    running: bool,
}

/// A user.
#[derive(Debug, Clone)]
pub(super) struct PasswdEntry {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) comment: String,
    pub(super) home: String,
    pub(super) shell: String,
}

#[derive(Debug)]
struct GroupEntry {
    gid: u32,
    members: Vec<String>,
}

impl AccountDatabase {
    /// Reads `/etc/passwd` and `/etc/group` once.
    pub(super) fn read_passwd_and_group(root: &HostRoot, running: bool) -> Self {
        let mut accounts = Self { running, ..Self::default() };
        let mut text = |path: &str| {
            let mut bytes = Vec::new();
            match root.open_file(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    accounts.unreadable =
                        Some(format!("cannot read {path}: {}", file_system_error_reason_with_advice(&error)));
                }
                _ => (),
            }
            // Lines that are not UTF-8 are skipped.
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (passwd, group) = (text("/etc/passwd"), text("/etc/group"));
        accounts.users = passwd.lines().filter_map(parse_passwd_line).collect();
        accounts.groups = group.lines().filter_map(parse_group_line).collect();
        accounts
    }

    /// A user by name; an error when the host cannot be asked, which is not "there is none".
    pub(super) fn lookup_user(&self, name: &str) -> Result<Option<PasswdEntry>, HostError> {
        if let Some(account) = self.users.get(name) {
            return Ok(Some(account.clone()));
        }
        if !self.running {
            return Ok(None);
        }
        let user = name_service_result("user", name, nix::unistd::User::from_name(name))?;
        Ok(user.map(|user| PasswdEntry {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            comment: user.gecos.to_string_lossy().into_owned(),
            home: user.dir.to_string_lossy().into_owned(),
            shell: user.shell.to_string_lossy().into_owned(),
        }))
    }

    /// The number of a group; an error when the host cannot be asked.
    pub(super) fn lookup_gid(&self, name: &str) -> Result<Option<u32>, HostError> {
        match self.groups.get(name) {
            Some(group) => Ok(Some(group.gid)),
            None if !self.running => Ok(None),
            None => {
                let group = name_service_result("group", name, nix::unistd::Group::from_name(name))?;
                Ok(group.map(|group| group.gid.as_raw()))
            }
        }
    }

    /// Another user than `name` who has this number.
    pub(super) fn other_user_with_uid(&self, uid: u32, name: &str) -> Option<String> {
        let listed = self.users.iter().find(|(other, user)| user.uid == uid && *other != name);
        let asked = || {
            let asked = self.running.then(|| nix::unistd::User::from_uid(uid.into()).ok().flatten());
            asked.flatten().map(|user| user.name).filter(|other| other != name)
        };
        listed.map(|(other, _)| other.clone()).or_else(asked)
    }

    /// Another group than `name` that has this number.
    pub(super) fn other_group_with_gid(&self, gid: u32, name: &str) -> Option<String> {
        let listed = self.groups.iter().find(|(other, group)| group.gid == gid && *other != name);
        let asked = || {
            let asked = self.running.then(|| nix::unistd::Group::from_gid(gid.into()).ok().flatten());
            asked.flatten().map(|group| group.name).filter(|other| other != name)
        };
        listed.map(|(other, _)| other.clone()).or_else(asked)
    }

    /// Whether a group of the host's own files has no members.
    pub(super) fn is_empty_group(&self, name: &str) -> bool {
        self.groups.get(name).is_some_and(|group| {
            group.members.is_empty() && self.users.values().all(|user| user.gid != group.gid)
        })
    }

    /// Whether some group has this number.
    pub(super) fn has_group_numbered(&self, gid: u32) -> bool {
        self.groups.values().any(|group| group.gid == gid)
            || (self.running && nix::unistd::Group::from_gid(gid.into()).is_ok_and(|group| group.is_some()))
    }

    /// Whether these are the accounts of a folder that stands for a host.
    pub(super) fn is_of_alternate_root(&self) -> bool {
        !self.running
    }

    /// The groups of the host's own files that `user` is a further member of.
    pub(super) fn supplementary_groups_of_user(&self, user: &str) -> BTreeSet<String> {
        let groups = self.groups.iter();
        let members = groups.filter(|(_, group)| group.members.iter().any(|member| member == user));
        members.map(|(name, _)| name.clone()).collect()
    }

    /// Why the host's own files could not be read, when they could not.
    pub(super) fn reason_account_files_are_unreadable(&self) -> Option<&String> {
        self.unreadable.as_ref()
    }

    /// The number of a user, by name or written as a number.
    pub(super) fn lookup_or_parse_uid(&self, name: &str) -> Result<u32, HostError> {
        // In a folder without accounts, root still is 0.
        let root = (name == "root").then_some(0);
        let known = self.lookup_user(name)?.map(|user| user.uid).or(root).or_else(|| name.parse().ok());
        known.ok_or_else(|| {
            HostError::Other(format!("there is no user `{name}` on this host; add a `user: {name}` resource"))
        })
    }

    /// The number of a group, by name or written as a number.
    pub(super) fn lookup_or_parse_gid(&self, name: &str) -> Result<u32, HostError> {
        let root = (name == "root").then_some(0);
        let known = self.lookup_gid(name)?.or(root).or_else(|| name.parse().ok());
        known.ok_or_else(|| {
            HostError::Other(format!(
                "there is no group `{name}` on this host; add a `group: {name}` resource"
            ))
        })
    }

    /// The name of a user for a plan: the `wanted` one when it stands for the same number, as a number
    /// may have two names, or be wanted as such.
    pub(super) fn wanted_or_known_user_name(&self, uid: u32, wanted: Option<&str>) -> String {
        match wanted {
            Some(name) if self.lookup_or_parse_uid(name).is_ok_and(|wanted| wanted == uid) => name.to_owned(),
            _ => self.user_name_or_number(uid),
        }
    }

    /// The name of a group for a plan, as in [`AccountDatabase::wanted_or_known_user_name`].
    pub(super) fn wanted_or_known_group_name(&self, gid: u32, wanted: Option<&str>) -> String {
        match wanted {
            Some(name) if self.lookup_or_parse_gid(name).is_ok_and(|wanted| wanted == gid) => name.to_owned(),
            _ => self.group_name_or_number(gid),
        }
    }

    /// The name of a user for a message, or its number.
    pub(super) fn user_name_or_number(&self, uid: u32) -> String {
        let name = self.users.iter().find(|(_, user)| user.uid == uid).map(|(name, _)| name.clone());
        let asked = || {
            let asked = self.running.then(|| nix::unistd::User::from_uid(uid.into()).ok().flatten());
            asked.flatten().map(|user| user.name)
        };
        name.or_else(asked).unwrap_or_else(|| if uid == 0 { "root".into() } else { uid.to_string() })
    }

    /// A user as whom files are worked on; `group` is one more that root gives to what he makes.
    pub(super) fn file_access_user(&self, uid: u32, group: Option<u32>) -> FileAccessUser {
        let name = self.user_name_or_number(uid);
        let known = self.lookup_user(&name).ok().flatten();
        // A number without an account is in no group that means something on this host.
        let gid = known.map_or(GROUP_OF_NOBODY, |user| user.gid);
        let mut groups: Vec<u32> = self
            .groups
            .values()
            .filter(|listed| listed.members.contains(&name))
            .map(|listed| listed.gid)
            .chain(group)
            .collect();
        if self.running
            && let Ok(asked) = CString::new(name.as_str()).map(|name| getgrouplist(&name, Gid::from_raw(gid)))
        {
            groups.extend(asked.into_iter().flatten().map(Gid::as_raw));
        }
        groups.sort_unstable();
        groups.dedup();
        FileAccessUser { name, uid, gid, groups }
    }

    fn group_name_or_number(&self, gid: u32) -> String {
        let name = self.groups.iter().find(|(_, group)| group.gid == gid).map(|(name, _)| name.clone());
        let asked = || {
            let asked = self.running.then(|| nix::unistd::Group::from_gid(gid.into()).ok().flatten());
            asked.flatten().map(|group| group.name)
        };
        name.or_else(asked).unwrap_or_else(|| if gid == 0 { "root".into() } else { gid.to_string() })
    }
}

impl FolderAccounts for AccountDatabase {
    fn members_of_group_except(&self, gid: u32, uids: &[u32]) -> Vec<String> {
        let listed: BTreeSet<&String> =
            self.groups.values().filter(|group| group.gid == gid).flat_map(|group| &group.members).collect();
        let counts = |name: &str, user: &PasswdEntry| {
            !uids.contains(&user.uid) && (user.gid == gid || listed.iter().any(|listed| *listed == name))
        };
        let users = self.users.iter().filter(|(name, user)| counts(name, user));
        let mut members: Vec<String> = users.map(|(name, _)| name.clone()).collect();
        if !self.running {
            return members;
        }
        // Members whom only the name service knows.
        members.extend(
            listed
                .iter()
                .filter(|name| !self.users.contains_key(**name))
                .filter(|name| {
                    let user = nix::unistd::User::from_name(name);
                    !matches!(user, Ok(None))
                        && !matches!(user, Ok(Some(user)) if uids.contains(&user.uid.as_raw()))
                })
                .map(|name| (*name).clone()),
        );
        if self.groups.values().all(|group| group.gid != gid)
            && !matches!(nix::unistd::Group::from_gid(Gid::from_raw(gid)), Ok(None))
        {
            members.push("users of the name service".to_owned());
        }
        members
    }

    fn name_or_number_of_user(&self, uid: u32) -> String {
        self.user_name_or_number(uid)
    }

    fn name_or_number_of_group(&self, gid: u32) -> String {
        self.group_name_or_number(gid)
    }
}

/// What the host's name service answered. Some of its errors mean "there is none" (see getpwnam(3)).
fn name_service_result<T>(
    kind: &str,
    name: &str,
    asked: nix::Result<Option<T>>,
) -> Result<Option<T>, HostError> {
    match asked {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        Err(error) => Err(HostError::Other(format!(
            "looking up {kind} `{name}` failed: {}; check the host's name service (LDAP, SSSD)",
            error.desc()
        ))),
        Ok(found) => Ok(found),
    }
}

fn parse_passwd_line(line: &str) -> Option<(String, PasswdEntry)> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, comment, home, shell] = fields[..] else { return None };
    let account = PasswdEntry {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        comment: comment.to_owned(),
        home: home.to_owned(),
        shell: shell.to_owned(),
    };
    Some((name.to_owned(), account))
}

fn parse_group_line(line: &str) -> Option<(String, GroupEntry)> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields[..] else { return None };
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Some((name.to_owned(), GroupEntry { gid: gid.parse().ok()?, members }))
}

/// The numbers of the owner and group that are wanted.
pub(super) fn lookup_owner_and_group_ids(
    accounts: &AccountDatabase,
    ownership: &Ownership,
) -> Result<(Option<Uid>, Option<Gid>), HostError> {
    let owner = ownership.owner.as_deref().map(|name| accounts.lookup_or_parse_uid(name)).transpose()?;
    let group = ownership.group.as_deref().map(|name| accounts.lookup_or_parse_gid(name)).transpose()?;
    Ok((owner.map(Uid::from_raw), group.map(Gid::from_raw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_user_lookup_is_an_error_and_not_an_absent_user() {
        assert_eq!(name_service_result::<()>("user", "shop", Err(Errno::ENOENT)).unwrap(), None);
        let error = name_service_result::<()>("user", "shop", Err(Errno::EIO)).unwrap_err().to_string();
        assert!(error.contains("looking up user `shop` failed"), "{error}");
    }
}
