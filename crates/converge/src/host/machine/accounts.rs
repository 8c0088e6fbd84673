//! Users and groups as a host knows them: its own files, and on a running host whatever else it asks
//! (LDAP and the like).

use std::{collections::BTreeMap, io::Read};

use model::{
    observe::{Fact, Facts, Seen},
    resource::{Body, Resource},
};

use super::beneath::Root;
use crate::host::{HostError, because};

/// The users and groups of a host.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: BTreeMap<String, Account>,
    groups: BTreeMap<String, Group>,
    /// Why the files could not be read, when they could not.
    unreadable: Option<String>,
    /// Whether this is the running host, which can be asked beyond its files.
    running: bool,
}

/// A user.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) comment: String,
    pub(super) home: String,
    pub(super) shell: String,
}

#[derive(Debug)]
struct Group {
    gid: u32,
    members: Vec<String>,
}

impl Accounts {
    /// Reads `/etc/passwd` and `/etc/group` once.
    pub(super) fn read(root: &Root, running: bool) -> Self {
        let mut accounts = Self { running, ..Self::default() };
        let mut text = |path: &str| {
            let mut text = String::new();
            match root.read(path).and_then(|mut file| file.read_to_string(&mut text)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    accounts.unreadable = Some(format!("cannot read {path}: {}", because(&error)));
                }
                _ => (),
            }
            text
        };
        let (passwd, group) = (text("/etc/passwd"), text("/etc/group"));
        accounts.users = passwd.lines().filter_map(user_line).collect();
        accounts.groups = group.lines().filter_map(group_line).collect();
        accounts
    }

    pub(super) fn user(&self, name: &str) -> Option<Account> {
        if let Some(account) = self.users.get(name) {
            return Some(account.clone());
        }
        let user = self.running.then(|| nix::unistd::User::from_name(name).ok().flatten()).flatten()?;
        Some(Account {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            comment: user.gecos.to_string_lossy().into_owned(),
            home: user.dir.to_string_lossy().into_owned(),
            shell: user.shell.to_string_lossy().into_owned(),
        })
    }

    pub(super) fn group(&self, name: &str) -> Option<u32> {
        if let Some(group) = self.groups.get(name) {
            return Some(group.gid);
        }
        self.running
            .then(|| nix::unistd::Group::from_name(name).ok().flatten())
            .flatten()
            .map(|group| group.gid.as_raw())
    }

    /// Whether nobody is in a group of the host's own files.
    pub(super) fn is_empty_group(&self, name: &str) -> bool {
        self.groups.get(name).is_some_and(|group| {
            group.members.is_empty() && self.users.values().all(|user| user.gid != group.gid)
        })
    }

    /// The number of a user, by name or written as a number.
    pub(super) fn uid(&self, name: &str) -> Result<u32, HostError> {
        // In a folder without accounts, root still is 0.
        let root = (name == "root").then_some(0);
        let known = self.user(name).map(|user| user.uid).or(root).or_else(|| name.parse().ok());
        known.ok_or_else(|| {
            HostError::Other(format!("there is no user `{name}` on this host; add a `user: {name}` resource"))
        })
    }

    /// The number of a group, by name or written as a number.
    pub(super) fn gid(&self, name: &str) -> Result<u32, HostError> {
        let root = (name == "root").then_some(0);
        let known = self.group(name).or(root).or_else(|| name.parse().ok());
        known.ok_or_else(|| {
            HostError::Other(format!(
                "there is no group `{name}` on this host; add a `group: {name}` resource"
            ))
        })
    }

    pub(super) fn user_name(&self, uid: u32) -> String {
        let name = self.users.iter().find(|(_, user)| user.uid == uid).map(|(name, _)| name.clone());
        let asked = || {
            let asked = self.running.then(|| nix::unistd::User::from_uid(uid.into()).ok().flatten());
            asked.flatten().map(|user| user.name)
        };
        name.or_else(asked).unwrap_or_else(|| if uid == 0 { "root".into() } else { uid.to_string() })
    }

    pub(super) fn group_name(&self, gid: u32) -> String {
        let name = self.groups.iter().find(|(_, group)| group.gid == gid).map(|(name, _)| name.clone());
        let asked = || {
            let asked = self.running.then(|| nix::unistd::Group::from_gid(gid.into()).ok().flatten());
            asked.flatten().map(|group| group.name)
        };
        name.or_else(asked).unwrap_or_else(|| if gid == 0 { "root".into() } else { gid.to_string() })
    }

    /// Facts about a user. Its authorized keys are read only when `wanted` speaks of them.
    pub(super) fn observe_user(&self, root: &Root, name: &str, wanted: Option<&Resource>) -> Seen<Facts> {
        if let Some(because) = &self.unreadable {
            return Seen::Unreadable(because.clone());
        }
        let Some(user) = self.user(name) else { return Seen::Absent };
        let mut groups: Vec<String> = self
            .groups
            .iter()
            .filter(|(_, group)| group.members.iter().any(|member| member == name))
            .map(|(group, _)| group.clone())
            .collect();
        groups.sort();
        let mut facts = Facts::from([
            ("uid", Fact::Text(user.uid.to_string())),
            ("group", Fact::Text(self.group_name(user.gid))),
            ("groups", Fact::Set(groups)),
            ("home", Fact::Text(user.home.clone())),
            ("shell", Fact::Text(user.shell)),
            ("comment", Fact::Text(user.comment)),
        ]);
        if let Some(Body::User(wish)) = wanted.map(|wanted| &wanted.body)
            && wish.authorized_keys.is_some()
        {
            let home = wish.home.as_ref().unwrap_or(&user.home);
            match authorized_keys(root, home) {
                Ok(keys) => _ = facts.insert("authorized_keys", Fact::Set(keys)),
                Err(because) => return Seen::Unreadable(because),
            }
        }
        Seen::Present(facts)
    }

    /// Facts about a group.
    pub(super) fn observe_group(&self, name: &str) -> Seen<Facts> {
        match (&self.unreadable, self.group(name)) {
            (Some(because), _) => Seen::Unreadable(because.clone()),
            (None, Some(gid)) => Seen::Present(Facts::from([("gid", Fact::Text(gid.to_string()))])),
            (None, None) => Seen::Absent,
        }
    }
}

fn authorized_keys(root: &Root, home: &str) -> Result<Vec<String>, String> {
    let path = format!("{home}/.ssh/authorized_keys");
    let mut text = String::new();
    match root.read(&path).and_then(|file| file.take(1024 * 1024).read_to_string(&mut text)) {
        Ok(_) => (),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read {path}: {}", because(&error))),
    }
    let mut keys: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys.dedup();
    Ok(keys)
}

fn user_line(line: &str) -> Option<(String, Account)> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, comment, home, shell] = fields[..] else { return None };
    let account = Account {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        comment: comment.to_owned(),
        home: home.to_owned(),
        shell: shell.to_owned(),
    };
    Some((name.to_owned(), account))
}

fn group_line(line: &str) -> Option<(String, Group)> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields[..] else { return None };
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Some((name.to_owned(), Group { gid: gid.parse().ok()?, members }))
}
