//! Files, folders and links: observing them, and replacing them atomically.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
};

use model::{
    observe::{Fact, FactName, FileContent, FileType, Observation, ResourceFacts},
    resource::{Ownership, Resource, ResourceBody, ResourceId, ResourceKind},
};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, readlinkat},
    sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmod, fchmodat, fstat, mkdirat},
    unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, unlinkat},
};
use sha2::{Digest, Sha256};

use super::accounts::AccountDatabase;
use crate::{
    host::{HostError, explain_io_error},
    host_root::{HostRoot, PathHandle},
};

/// Facts about what lies at a path, its owners named as in `wanted` where that is the same.
pub(super) fn observe(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    wanted: Option<&Ownership>,
) -> Observation<ResourceFacts> {
    match facts(root, accounts, path, wanted) {
        Ok(Some(facts)) => Observation::Present(facts),
        Ok(None) => Observation::Absent,
        Err(error) => Observation::Unreadable(format!("cannot look at {path}: {}", explain_io_error(&error))),
    }
}

fn facts(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    wanted: Option<&Ownership>,
) -> io::Result<Option<ResourceFacts>> {
    let spot = match root.open_parent(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spot => spot?,
    };
    let Some(stat) = spot.stat()? else { return Ok(None) };
    let mut facts = ResourceFacts::new();
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    let file_type = match kind {
        SFlag::S_IFREG => FileType::File,
        SFlag::S_IFDIR => FileType::Directory,
        SFlag::S_IFLNK => FileType::Symlink,
        _ => FileType::SpecialFile,
    };
    facts.insert(FactName::Type, Fact::Type(file_type));
    let owner = wanted.and_then(|wanted| wanted.owner.as_deref());
    let group = wanted.and_then(|wanted| wanted.group.as_deref());
    facts.insert(FactName::Owner, Fact::Text(accounts.owner_name(stat.st_uid, owner)));
    facts.insert(FactName::Group, Fact::Text(accounts.owning_group_name(stat.st_gid, group)));
    if kind == SFlag::S_IFLNK {
        let target = readlinkat(spot.folder.as_fd(), spot.name)?;
        facts.insert(FactName::Target, Fact::Text(target.to_string_lossy().into_owned()));
    } else {
        facts.insert(FactName::Mode, Fact::Mode(stat.st_mode & 0o7777));
    }
    if kind == SFlag::S_IFREG {
        let mut content = content(open(&spot)?)?;
        // A file that only its owner may read can hold a secret of an earlier version: no diff is shown.
        if stat.st_mode & 0o077 == 0 {
            content.text = None;
        }
        facts.insert(FactName::Content, Fact::Content(content));
    }
    Ok(Some(facts))
}

/// The observation of a cron file: its content, or why cron would ignore it.
pub(super) fn observe_cron(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    secret: bool,
) -> Observation<ResourceFacts> {
    let facts = match observe(root, accounts, path, None) {
        Observation::Present(facts) => facts,
        seen => return seen,
    };
    let content =
        facts.get(&FactName::Content).cloned().unwrap_or_else(|| Fact::Content(FileContent::of(b"")));
    let wrong = match root.open_parent(path).and_then(|spot| spot.stat()) {
        Ok(Some(stat)) if stat.st_uid != 0 && stat.st_uid != nix::unistd::geteuid().as_raw() => {
            Some(format!("belongs to user {}", stat.st_uid))
        }
        Ok(Some(stat)) if stat.st_mode & 0o022 != 0 || (secret && stat.st_mode & 0o077 != 0) => {
            Some(format!("has mode {:04o}", stat.st_mode & 0o7777))
        }
        _ => None,
    };
    Observation::Present(ResourceFacts::from([(FactName::Content, wrong.map_or(content, Fact::Unusable))]))
}

fn open(spot: &PathHandle<'_>) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(openat(spot.folder.as_fd(), spot.name, flags, Mode::empty())?.into())
}

/// Digests a file of any size; only a small one is kept for diffs.
fn content(mut file: File) -> io::Result<FileContent> {
    let mut start = Vec::new();
    (&mut file).take(FileContent::MAX_DIFF_BYTES as u64 + 1).read_to_end(&mut start)?;
    if start.len() <= FileContent::MAX_DIFF_BYTES {
        return Ok(FileContent::of(&start));
    }
    let mut hash = Sha256::new();
    hash.update(&start);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(FileContent { sha256: hex::encode(hash.finalize()), text: None }),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Makes a file, folder or link what it must be.
pub(super) fn apply(
    root: &HostRoot,
    accounts: &AccountDatabase,
    resource: &Resource,
) -> Result<(), HostError> {
    let path = resource.id.name.as_str();
    let wrong = |error: io::Error| HostError::io("cannot write", path, &error);
    let spot = root.open_or_create_parent(path).map_err(wrong)?;
    match &resource.body {
        ResourceBody::File(file) => {
            let owner = owner_ids(accounts, &file.ownership)?;
            let kept = spot.stat().map_err(wrong)?.filter(is_file);
            let mode = file.ownership.mode.or(kept.map(|stat| stat.st_mode & 0o7777)).unwrap_or(0o644);
            let owner = (
                owner.0.or(kept.map(|stat| Uid::from_raw(stat.st_uid))),
                owner.1.or(kept.map(|stat| Gid::from_raw(stat.st_gid))),
            );
            spot.replace_file(&file.content, owner, mode).map_err(wrong)
        }
        ResourceBody::Directory(directory) => {
            let ownership = &directory.ownership;
            let owner = owner_ids(accounts, ownership)?;
            folder(&spot, owner, ownership.mode).map_err(wrong)
        }
        ResourceBody::Symlink(link) => spot.replace_by_link(&link.target).map_err(wrong),
        _ => Ok(()),
    }
}

fn folder(
    spot: &PathHandle<'_>,
    (owner, group): (Option<Uid>, Option<Gid>),
    mode: Option<u32>,
) -> io::Result<()> {
    let new = spot.stat()?.is_none();
    if new {
        mkdirat(spot.folder.as_fd(), spot.name, Mode::from_bits_truncate(0o700))?;
    }
    if owner.is_some() || group.is_some() {
        fchownat(spot.folder.as_fd(), spot.name, owner, group, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    }
    if let Some(mode) = mode.or(new.then_some(0o755)) {
        // The folder itself is opened, so that no link can take its place in between.
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let itself = openat(spot.folder.as_fd(), spot.name, flags, Mode::empty())?;
        fchmod(&itself, Mode::from_bits_truncate(mode))?;
    }
    spot.sync()
}

/// Removes a file, link or folder; a folder that is not empty is kept, and the reason is returned.
pub(super) fn remove(root: &HostRoot, id: &ResourceId) -> Result<Option<String>, HostError> {
    let wrong = |error: io::Error| HostError::io("cannot remove", &id.name, &error);
    let spot = match root.open_parent(&id.name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spot => spot.map_err(wrong)?,
    };
    let flag = match id.kind {
        ResourceKind::Directory => UnlinkatFlags::RemoveDir,
        _ => UnlinkatFlags::NoRemoveDir,
    };
    match unlinkat(spot.folder.as_fd(), spot.name, flag) {
        Ok(()) => spot.sync().map(|()| None).map_err(wrong),
        Err(Errno::ENOENT) => Ok(None),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(Some("it is not empty".to_owned())),
        Err(error) => Err(wrong(error.into())),
    }
}

/// Makes `name` in the open folder `home` a folder of mode 0700 that belongs to `owner`, or takes from
/// others the right to write to it; a link there is an error, because its owner could lead us anywhere.
pub(super) fn create_private_folder(
    home: &OwnedFd,
    name: &str,
    owner: (Option<Uid>, Option<Gid>),
) -> io::Result<OwnedFd> {
    match mkdirat(home, name, Mode::from_bits_truncate(0o700)) {
        Ok(()) => {
            fchownat(home, name, owner.0, owner.1, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            fchmodat(home, name, Mode::from_bits_truncate(0o700), FchmodatFlags::NoFollowSymlink).or_else(
                |error| {
                    // Old kernels cannot; the mode was given when the folder was made.
                    if error == Errno::EOPNOTSUPP { Ok(()) } else { Err(error) }
                },
            )?;
        }
        Err(Errno::EEXIST) => (),
        Err(error) => return Err(error.into()),
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let folder = openat(home, name, flags, Mode::empty())?;
    let stat = fstat(&folder)?;
    if owner.0.is_some_and(|owner| owner.as_raw() != stat.st_uid && stat.st_uid != 0) {
        fchown(&folder, owner.0, owner.1)?;
    }
    if stat.st_mode & 0o022 != 0 {
        fchmod(&folder, Mode::from_bits_truncate(0o700))?;
    }
    Ok(folder)
}

fn is_file(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

fn owner_ids(
    accounts: &AccountDatabase,
    ownership: &Ownership,
) -> Result<(Option<Uid>, Option<Gid>), HostError> {
    let owner = ownership.owner.as_deref().map(|name| accounts.uid(name)).transpose()?;
    let group = ownership.group.as_deref().map(|name| accounts.gid(name)).transpose()?;
    Ok((owner.map(Uid::from_raw), group.map(Gid::from_raw)))
}
