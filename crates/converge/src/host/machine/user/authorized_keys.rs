//! `~/.ssh/authorized_keys`: the home belongs to its user, so nothing in it is followed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use model::observe::ResourcePropertyValue;
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::{Mode, SFlag, fstat},
    unistd::{Gid, Uid},
};

use super::super::{
    directory::create_or_protect_user_folder,
    path_entry::is_symbolic_link,
    resource_folders::{ActingUser, OpenResourceEntry, ResourceFolders, host_error_from_walk_error},
};
use crate::{
    host::HostError,
    host_root::{FolderWalkError, OpenParentFolderAndName, UnsafeFolder},
};

/// The most a file of keys may have, in bytes.
const MOST: u64 = 1024 * 1024;

/// The authorized keys of a user as a property: a set, or the reason they cannot be used.
pub(super) fn observe_authorized_keys(
    folders: &ResourceFolders<'_>,
    home: &str,
    uid: u32,
) -> Result<ResourcePropertyValue, FolderWalkError> {
    let nothing = || ResourcePropertyValue::Set(BTreeSet::new());
    let path = format!("{home}/.ssh");
    let refused =
        |because| FolderWalkError::Unsafe(UnsafeFolder { path: path.clone(), because, ownership: None });
    let Some(home_folder) = open_home(folders, home, uid)? else { return Ok(nothing()) };
    let opened = home_folder.work(|home| open(&home.folder, ".ssh", OFlag::O_DIRECTORY));
    let folder = match opened
        .map_err(|error| refused(format!("cannot open {path}: {}", home_folder.reason(&error))))?
    {
        Opened::Nothing => return Ok(nothing()),
        Opened::Something(what) => {
            return Err(refused(format!("{path} is {what}; remove it, or let its user remove it")));
        }
        Opened::Open(folder) => folder,
    };
    let keys = keys_place(folders, folder, uid)?;
    keys.work(|keys| read_keys(&keys.folder, uid))
        .map_err(|error| refused(format!("cannot read {path}/authorized_keys: {}", keys.reason(&error))))
}

fn read_keys(folder: &OwnedFd, uid: u32) -> io::Result<ResourcePropertyValue> {
    let nothing = ResourcePropertyValue::Set(BTreeSet::new());
    let file = match open(folder, "authorized_keys", OFlag::O_NONBLOCK)? {
        Opened::Nothing => return Ok(nothing),
        Opened::Something(what) => {
            return Ok(ResourcePropertyValue::Unusable(format!("authorized_keys is {what}")));
        }
        Opened::Open(file) => file,
    };
    // What others may write to is not the user's word, and sshd does not read it.
    for (name, opened) in [(".ssh", folder), ("authorized_keys", &file)] {
        let stat = fstat(opened.as_fd())?;
        if stat.st_uid != uid && stat.st_uid != 0 {
            return Ok(ResourcePropertyValue::Unusable(format!("{name} belongs to user {}", stat.st_uid)));
        }
        if stat.st_mode & 0o022 != 0 {
            return Ok(ResourcePropertyValue::Unusable(format!(
                "{name} has mode {:04o}",
                stat.st_mode & 0o7777
            )));
        }
    }
    if SFlag::from_bits_truncate(fstat(file.as_fd())?.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Ok(ResourcePropertyValue::Unusable("authorized_keys is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::from(file).take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Ok(ResourcePropertyValue::Unusable(format!("authorized_keys has more than {MOST} bytes")));
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(ResourcePropertyValue::Set(lines.map(str::to_owned).collect()))
}

/// Writes `~/.ssh/authorized_keys`. The home belongs to the user, so no link in it is followed.
pub(super) fn write_authorized_keys(
    folders: &ResourceFolders<'_>,
    name: &str,
    keys: &[String],
) -> Result<(), HostError> {
    let Some(user) = folders.accounts.lookup_user(name)? else {
        return Err(HostError::Other(format!("user `{name}` is not there after it was made")));
    };
    let path = format!("{}/.ssh/authorized_keys", user.home);
    let walk = |error: FolderWalkError| host_error_from_walk_error("cannot write", &path, error);
    let owner = (Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)));
    if open_home(folders, &user.home, user.uid).map_err(walk)?.is_none() {
        let place = folders.open_or_create_parent(&user.home, ActingUser::of_uid(user.uid))?;
        place
            .work(|home| create_or_protect_user_folder(&home.folder, home.name, owner))
            .map_err(|error| place.entry_error("cannot write", &path, &error))?;
        folders.cache.clear();
    }
    let Some(home) = open_home(folders, &user.home, user.uid).map_err(walk)? else {
        return Err(HostError::Other(format!("{} is not there after it was made", user.home)));
    };
    let folder =
        home.work(|home| create_or_protect_user_folder(&home.folder, ".ssh", owner)).map_err(|error| {
            match error.raw_os_error().map(Errno::from_raw) {
                // What is there instead is the user's doing.
                Some(Errno::ELOOP | Errno::ENOTDIR) => HostError::UnsafePath {
                    path: path.clone(),
                    because: format!("{}/.ssh is a symbolic link or no folder; remove it", user.home),
                },
                _ => home.entry_error("cannot write", &path, &error),
            }
        })?;
    let place = keys_place(folders, folder, user.uid).map_err(|error| walk(error.into()))?;
    let mut text: String = keys.join("\n");
    text.push('\n');
    let written = place.work(|spot| spot.replace_entry_by_file(text.as_bytes(), owner, 0o600));
    written.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        // Only what the user made can be no file there.
        Some(Errno::EISDIR | Errno::ENOTEMPTY | Errno::EEXIST) => {
            HostError::UnsafePath { path: path.clone(), because: format!("{path} is a folder; remove it") }
        }
        _ => place.entry_error("cannot write", &path, &error),
    })
}

/// Opens a home, which belongs to its user or to root; `None` when there is none.
fn open_home(
    folders: &ResourceFolders<'_>,
    home: &str,
    uid: u32,
) -> Result<Option<OpenResourceEntry<'static>>, FolderWalkError> {
    let entry = format!("{}/.ssh", home.trim_end_matches('/'));
    let Some(place) = folders.open_parent_to_observe(&entry, ActingUser::of_uid(uid))? else {
        return Ok(None);
    };
    if place.user.is_none() && uid != 0 {
        // A link to a folder of root's would make the user's keys lie there.
        let itself = folders.open_parent_to_observe(home, ActingUser::OwnerOfFolder)?;
        if itself.map(|itself| is_symbolic_link(&itself.spot)).transpose()? == Some(true) {
            let because =
                format!("{home} is a symbolic link to a folder of root's; name the folder itself as `home`");
            return Err(FolderWalkError::Unsafe(UnsafeFolder {
                path: home.to_owned(),
                because,
                ownership: None,
            }));
        }
    }
    let spot = OpenParentFolderAndName { folder: place.spot.folder, name: ".ssh" };
    Ok(Some(OpenResourceEntry { spot, user: place.user }))
}

/// The place of the keys in an open `.ssh`, whose owner works there.
fn keys_place(
    folders: &ResourceFolders<'_>,
    folder: OwnedFd,
    uid: u32,
) -> io::Result<OpenResourceEntry<'static>> {
    let owner = fstat(&folder)?.st_uid;
    let user = (owner == uid && uid != 0).then(|| folders.accounts.file_access_user(uid, None));
    let spot = OpenParentFolderAndName { folder: Arc::new(folder), name: "authorized_keys" };
    Ok(OpenResourceEntry { spot, user })
}

enum Opened {
    Open(OwnedFd),
    Nothing,
    /// What is there instead.
    Something(&'static str),
}

fn open(folder: &OwnedFd, name: &str, flags: OFlag) -> io::Result<Opened> {
    let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(folder, name, flags, Mode::empty()) {
        Ok(open) => Ok(Opened::Open(open)),
        Err(Errno::ENOENT) => Ok(Opened::Nothing),
        Err(Errno::ELOOP) => Ok(Opened::Something("a symbolic link")),
        Err(Errno::ENOTDIR) => Ok(Opened::Something("a symbolic link or no folder")),
        Err(Errno::ENXIO) => Ok(Opened::Something("a socket")),
        Err(error) => Err(error.into()),
    }
}
