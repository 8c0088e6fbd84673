//! `~/.ssh/authorized_keys`: the home belongs to its user, so nothing in it is followed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
};

use model::observe::FactValue;
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::{Mode, SFlag, fstat},
    unistd::{Gid, Uid},
};

use super::super::{account_database::AccountDatabase, directory};
use crate::{
    host::HostError,
    host_root::{HostRoot, OpenParentFolderAndName},
};

/// The most a file of keys may have, in bytes.
const MOST: u64 = 1024 * 1024;

/// The authorized keys of a user as a fact: a set, or the reason they cannot be used.
pub(super) fn observe_authorized_keys(root: &HostRoot, home: &str, uid: u32) -> io::Result<FactValue> {
    let nothing = || FactValue::Set(BTreeSet::new());
    let home = match root.open_folder(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(nothing()),
        home => home?,
    };
    let folder = match open(&home, ".ssh", OFlag::O_DIRECTORY)? {
        Opened::Nothing => return Ok(nothing()),
        Opened::Something(what) => return Ok(FactValue::Unusable(format!(".ssh is {what}"))),
        Opened::Open(folder) => folder,
    };
    let file = match open(&folder, "authorized_keys", OFlag::O_NONBLOCK)? {
        Opened::Nothing => return Ok(nothing()),
        Opened::Something(what) => return Ok(FactValue::Unusable(format!("authorized_keys is {what}"))),
        Opened::Open(file) => file,
    };
    // What others may write to is not the user's word, and sshd does not read it.
    for (name, opened) in [(".ssh", &folder), ("authorized_keys", &file)] {
        let stat = fstat(opened.as_fd())?;
        if stat.st_uid != uid && stat.st_uid != 0 {
            return Ok(FactValue::Unusable(format!("{name} belongs to user {}", stat.st_uid)));
        }
        if stat.st_mode & 0o022 != 0 {
            return Ok(FactValue::Unusable(format!("{name} has mode {:04o}", stat.st_mode & 0o7777)));
        }
    }
    if SFlag::from_bits_truncate(fstat(file.as_fd())?.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Ok(FactValue::Unusable("authorized_keys is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::from(file).take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Ok(FactValue::Unusable(format!("authorized_keys has more than {MOST} bytes")));
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(FactValue::Set(lines.map(str::to_owned).collect()))
}

/// Writes `~/.ssh/authorized_keys`. The home belongs to the user, so no link in it is followed.
pub(super) fn write_authorized_keys(
    root: &HostRoot,
    accounts: &AccountDatabase,
    name: &str,
    keys: &[String],
) -> Result<(), HostError> {
    let Some(user) = accounts.lookup_user(name)? else {
        return Err(HostError::Other(format!("user `{name}` is not there after it was made")));
    };
    let path = format!("{}/.ssh/authorized_keys", user.home);
    let wrong = |error| HostError::from_io_error("cannot write", path.as_str(), &error);
    let owner = (Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)));
    let home = root.open_or_create_parent_folder(&user.home).map_err(wrong)?;
    let home = match home.stat_without_following_link().map_err(wrong)? {
        Some(_) => root.open_folder(&user.home).map_err(wrong)?,
        None => {
            directory::ensure_folder_only_owner_can_write(&home.folder, home.name, owner).map_err(wrong)?
        }
    };
    let folder = directory::ensure_folder_only_owner_can_write(&home, ".ssh", owner).map_err(wrong)?;
    let mut text: String = keys.join("\n");
    text.push('\n');
    let spot = OpenParentFolderAndName { folder, name: "authorized_keys" };
    spot.replace_entry_by_file(text.as_bytes(), owner, 0o600).map_err(wrong)
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
        // A link, too, is no folder.
        Err(Errno::ENOTDIR) => Ok(Opened::Something("no folder")),
        Err(error) => Err(error.into()),
    }
}
