//! Directories.

use std::{io, os::fd::OwnedFd};

use model::resource::DirectoryResourceBody;
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstat, mkdirat},
    unistd::{Gid, Uid, fchown, fchownat},
};

use super::{
    account_database::lookup_owner_and_group_ids,
    path_entry::create_or_change_folder_entry,
    resource_folders::{ActingUser, ResourceFolders},
};
use crate::host::HostError;

/// Makes a directory what it must be.
pub(super) fn create_or_change_directory(
    folders: &ResourceFolders<'_>,
    acting: ActingUser,
    path: &str,
    directory: &DirectoryResourceBody,
) -> Result<(), HostError> {
    let owners = lookup_owner_and_group_ids(folders.accounts, &directory.ownership)?;
    let place = folders.open_to_write_with_group(path, acting, owners.1.map(Gid::as_raw))?;
    let mode = directory.ownership.mode;
    place
        .work(|spot| create_or_change_folder_entry(spot, owners, mode))
        .map_err(|error| place.entry_error("cannot write", path, &error))
}

/// Makes `name` in the open folder `home` a folder of mode 0700 that belongs to `owner`, or takes from
/// others the right to write to it; a link there is an error, because its owner could lead us anywhere.
pub(super) fn create_or_protect_user_folder(
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
