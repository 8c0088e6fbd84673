//! What lies at a path: files, directories and links are observed and removed alike.

use std::{fs::File, io, os::fd::AsFd};

use model::{
    observe::{FactKind, FactValue, FileType, Observation, ResourceFactsByKind},
    resource::{Ownership, ResourceId, ResourceKind},
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::{Mode, SFlag},
    unistd::{UnlinkatFlags, unlinkat},
};

use super::{account_database::AccountDatabase, file};
use crate::{
    host::{HostError, file_system_error_reason_with_advice},
    host_root::{HostRoot, OpenParentFolderAndName},
};

/// Facts about what lies at a path, its owners named as in `wanted` where that is the same.
pub(super) fn observe_path(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    wanted: Option<&Ownership>,
) -> Observation<ResourceFactsByKind> {
    match facts(root, accounts, path, wanted) {
        Ok(Some(facts)) => Observation::Present(facts),
        Ok(None) => Observation::Absent,
        Err(error) => Observation::Unreadable(format!(
            "cannot look at {path}: {}",
            file_system_error_reason_with_advice(&error)
        )),
    }
}

fn facts(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    wanted: Option<&Ownership>,
) -> io::Result<Option<ResourceFactsByKind>> {
    let spot = match root.open_parent_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spot => spot?,
    };
    let Some(stat) = spot.stat_without_following_link()? else { return Ok(None) };
    let mut facts = ResourceFactsByKind::new();
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    let file_type = match kind {
        SFlag::S_IFREG => FileType::File,
        SFlag::S_IFDIR => FileType::Directory,
        SFlag::S_IFLNK => FileType::Symlink,
        _ => FileType::SpecialFile,
    };
    facts.insert(FactKind::Type, FactValue::Type(file_type));
    let owner = wanted.and_then(|wanted| wanted.owner.as_deref());
    let group = wanted.and_then(|wanted| wanted.group.as_deref());
    facts.insert(FactKind::Owner, FactValue::Text(accounts.wanted_or_known_user_name(stat.st_uid, owner)));
    facts.insert(FactKind::Group, FactValue::Text(accounts.wanted_or_known_group_name(stat.st_gid, group)));
    if kind == SFlag::S_IFLNK {
        let target = readlinkat(spot.folder.as_fd(), spot.name)?;
        facts.insert(FactKind::Target, FactValue::Text(target.to_string_lossy().into_owned()));
    } else {
        facts.insert(FactKind::Mode, FactValue::Mode(stat.st_mode & 0o7777));
    }
    if kind == SFlag::S_IFREG {
        let mut content = file::read_file_digest_and_text(open(&spot)?)?;
        // A file that only its owner may read can hold a secret of an earlier version: no diff is shown.
        if stat.st_mode & 0o077 == 0 {
            content.text = None;
        }
        facts.insert(FactKind::Content, FactValue::Content(content));
    }
    Ok(Some(facts))
}

fn open(spot: &OpenParentFolderAndName<'_>) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(openat(spot.folder.as_fd(), spot.name, flags, Mode::empty())?.into())
}

/// Removes a file, link or folder; a folder that is not empty is kept, and the reason is returned.
pub(super) fn remove_unless_nonempty_folder(
    root: &HostRoot,
    id: &ResourceId,
) -> Result<Option<String>, HostError> {
    let wrong = |error: io::Error| HostError::from_io_error("cannot remove", &id.name, &error);
    let spot = match root.open_parent_folder(&id.name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spot => spot.map_err(wrong)?,
    };
    let flag = match id.kind {
        ResourceKind::Directory => UnlinkatFlags::RemoveDir,
        _ => UnlinkatFlags::NoRemoveDir,
    };
    match unlinkat(spot.folder.as_fd(), spot.name, flag) {
        Ok(()) => spot.sync_folder().map(|()| None).map_err(wrong),
        Err(Errno::ENOENT) => Ok(None),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(Some("it is not empty".to_owned())),
        Err(error) => Err(wrong(error.into())),
    }
}
