//! Directories.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use model::resource::DirectoryResourceBody;
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstat, mkdirat},
    unistd::{Gid, Uid, fchown, fchownat},
};

use super::account_database::{AccountDatabase, lookup_owner_and_group_ids};
use crate::{
    host::HostError,
    host_root::{HostRoot, OpenParentFolderAndName},
};

/// Makes a directory what it must be.
pub(super) fn create_or_update_directory(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    directory: &DirectoryResourceBody,
) -> Result<(), HostError> {
    let wrong = |error: io::Error| HostError::from_io_error("cannot write", path, &error);
    let spot = root.open_or_create_parent_folder(path).map_err(wrong)?;
    let owners = lookup_owner_and_group_ids(accounts, &directory.ownership)?;
    make(&spot, owners, directory.ownership.mode).map_err(wrong)
}

fn make(
    spot: &OpenParentFolderAndName<'_>,
    (owner, group): (Option<Uid>, Option<Gid>),
    mode: Option<u32>,
) -> io::Result<()> {
    let new = spot.stat_without_following_link()?.is_none();
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
    spot.sync_folder()
}

/// Makes `name` in the open folder `home` a folder of mode 0700 that belongs to `owner`, or takes from
/// others the right to write to it; a link there is an error, because its owner could lead us anywhere.
pub(super) fn ensure_folder_only_owner_can_write(
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
