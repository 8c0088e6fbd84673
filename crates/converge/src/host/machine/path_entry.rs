//! One entry of an open folder: observed, made, changed and removed. No link is followed.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd, OwnedFd},
};

use model::observe::{FileDigestAndText, FileType};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmod, fchmodat, fstat, mkdirat},
    unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat},
};
use rustix::fs::IFlags;
use sha2::{Digest as _, Sha256};

use crate::host_root::OpenParentFolderAndName;

/// What was seen of an entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ObservedEntry {
    pub(super) file_type: FileType,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Permission bits.
    pub(super) mode: u32,
    /// Where a link leads.
    pub(super) target: Option<String>,
    /// What a file holds.
    pub(super) content: Option<FileDigestAndText>,
    /// Why nobody can change it.
    pub(super) immutable: Option<&'static str>,
    /// Why what a file holds is not read.
    pub(super) unreadable: Option<String>,
}

/// How large a file is read at most: none that a manifest describes is larger.
pub(super) const MOST_READ_BYTES: u64 = 64 * 1024 * 1024;

/// The owner and group that something shall have; who makes it, where there is none.
pub(super) type OwnerAndGroup = (Option<Uid>, Option<Gid>);

/// What lies there, looked at as `user` if there is one; `None` when nothing does.
pub(super) fn observe_entry(
    spot: &OpenParentFolderAndName<'_>,
    user: Option<u32>,
) -> io::Result<Option<ObservedEntry>> {
    let Some(stat) = spot.stat_without_following_link()? else { return Ok(None) };
    let file_type = file_type(&stat);
    let mut seen = ObservedEntry {
        file_type,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
        target: None,
        content: None,
        immutable: None,
        unreadable: None,
    };
    if file_type == FileType::Directory {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(spot.folder.as_fd(), spot.name, flags, Mode::empty());
        seen.immutable = opened.ok().and_then(reason_immutable);
    }
    if file_type == FileType::Symlink {
        let target = readlinkat(spot.folder.as_fd(), spot.name)?;
        seen.target = Some(target.to_string_lossy().into_owned());
    }
    if file_type == FileType::File && u64::try_from(stat.st_size).is_ok_and(|size| size > MOST_READ_BYTES) {
        seen.unreadable = Some(format!("{} bytes", stat.st_size));
    } else if file_type == FileType::File {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file: File = match openat(spot.folder.as_fd(), spot.name, flags, Mode::empty()) {
            // His own he can make readable again.
            Err(Errno::EACCES) if user == Some(stat.st_uid) => {
                seen.unreadable = Some(format!("not readable, with mode {:04o}", seen.mode));
                return Ok(Some(seen));
            }
            opened => opened?.into(),
        };
        seen.immutable = reason_immutable(&file);
        let mut content = read_file_digest_and_text(file, stat.st_size)?;
        // A file that only its owner may read can hold a secret of an earlier version: no diff is shown.
        if stat.st_mode & 0o077 == 0 {
            content.text = None;
        }
        seen.content = Some(content);
    }
    Ok(Some(seen))
}

/// Why nobody can change an open file or folder, if that is so. Most file systems cannot say, or say no.
pub(super) fn reason_immutable(open: impl AsFd) -> Option<&'static str> {
    let flags = rustix::fs::ioctl_getflags(open).unwrap_or(IFlags::empty());
    if flags.contains(IFlags::IMMUTABLE) {
        return Some("is immutable (chattr +i); `chattr -i PATH` if punch is to change it");
    }
    flags
        .contains(IFlags::APPEND)
        .then_some("can only be appended to (chattr +a); `chattr -a PATH` if punch is to change it")
}

/// Opens the regular file there as `user`, if there is one; nothing when no file is there.
pub(super) fn open_regular_file(
    spot: &OpenParentFolderAndName<'_>,
    user: Option<u32>,
) -> io::Result<Option<File>> {
    let Some(stat) = spot.stat_without_following_link()? else { return Ok(None) };
    if file_type(&stat) != FileType::File {
        return Ok(None);
    }
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let open = || openat(spot.folder.as_fd(), spot.name, flags, Mode::empty());
    let file: File = match open() {
        // It is his own: he may read it when he wants to.
        Err(Errno::EACCES) if user == Some(stat.st_uid) => {
            let mode = Mode::from_bits_truncate(stat.st_mode & 0o7777) | Mode::S_IRUSR;
            fchmodat(spot.folder.as_fd(), spot.name, mode, FchmodatFlags::NoFollowSymlink)?;
            open()?.into()
        }
        // It was removed, or became a link.
        Err(Errno::ENOENT | Errno::ELOOP) => return Ok(None),
        opened => opened?.into(),
    };
    Ok(Some(file).filter(|file| file.metadata().is_ok_and(|meta| meta.is_file())))
}

/// Whether a symbolic link lies there.
pub(super) fn is_symbolic_link(spot: &OpenParentFolderAndName<'_>) -> io::Result<bool> {
    Ok(spot.stat_without_following_link()?.is_some_and(|stat| file_type(&stat) == FileType::Symlink))
}

/// Replaces the entry by a file. An owner, group or mode that is not given is kept.
pub(super) fn replace_entry_by_file_keeping_ownership(
    spot: &OpenParentFolderAndName<'_>,
    content: &[u8],
    (owner, group): OwnerAndGroup,
    mode: Option<u32>,
) -> io::Result<()> {
    let kept = spot.stat_without_following_link()?.filter(|stat| file_type(stat) == FileType::File);
    let mode = mode.or(kept.map(|stat| stat.st_mode & 0o7777)).unwrap_or(0o644);
    let owners = (
        owner.or(kept.map(|stat| Uid::from_raw(stat.st_uid))),
        group.or(kept.map(|stat| Gid::from_raw(stat.st_gid))),
    );
    spot.replace_entry_by_file(content, owners, mode)
}

/// Makes a folder there, or gives the one that is there this owner, group and mode.
pub(super) fn create_or_change_folder_entry(
    spot: &OpenParentFolderAndName<'_>,
    (owner, group): OwnerAndGroup,
    mode: Option<u32>,
) -> io::Result<()> {
    let new = match mkdirat(spot.folder.as_fd(), spot.name, Mode::from_bits_truncate(0o700)) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(error) => return Err(error.into()),
    };
    // The folder itself is opened, so that no link can take its place in between.
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let itself: OwnedFd = openat(spot.folder.as_fd(), spot.name, flags, Mode::empty())?;
    let stat = fstat(&itself)?;
    let owner = owner.filter(|owner| owner.as_raw() != stat.st_uid);
    let group = group.filter(|group| group.as_raw() != stat.st_gid);
    if owner.is_some() || group.is_some() {
        fchown(&itself, owner, group)?;
    }
    if let Some(mode) = mode.or(new.then_some(0o755)) {
        fchmod(&itself, Mode::from_bits_truncate(mode))?;
    }
    spot.sync_folder()
}

/// Removes the entry, which need not be there; returns whether it is gone. A folder that is not empty is kept.
pub(super) fn remove_entry_unless_nonempty(
    spot: &OpenParentFolderAndName<'_>,
    folder: bool,
) -> io::Result<bool> {
    let flag = if folder { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
    match unlinkat(spot.folder.as_fd(), spot.name, flag) {
        Ok(()) => spot.sync_folder().map(|()| true),
        Err(Errno::ENOENT) => Ok(true),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn file_type(stat: &FileStat) -> FileType {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => FileType::File,
        SFlag::S_IFDIR => FileType::Directory,
        SFlag::S_IFLNK => FileType::Symlink,
        _ => FileType::SpecialFile,
    }
}

/// Digests a file that had `size` bytes a moment ago; only a small one is kept for diffs.
fn read_file_digest_and_text(file: File, size: i64) -> io::Result<FileDigestAndText> {
    // With room to spare one call reads it, and another finds its end.
    let expected = usize::try_from(size).unwrap_or(0).min(FileDigestAndText::MAX_DIFFABLE_BYTES);
    let mut start = Vec::with_capacity(expected + 33);
    // It may grow meanwhile.
    let mut file = file.take(MOST_READ_BYTES);
    (&mut file).take(FileDigestAndText::MAX_DIFFABLE_BYTES as u64 + 1).read_to_end(&mut start)?;
    if start.len() <= FileDigestAndText::MAX_DIFFABLE_BYTES {
        return Ok(FileDigestAndText::from_bytes(&start));
    }
    let mut hash = Sha256::new();
    hash.update(&start);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(FileDigestAndText { sha256: hex::encode(hash.finalize()), text: None }),
            count => hash.update(&buffer[..count]),
        }
    }
}
