//! Files: observed by their digest, replaced whole.

use model::resource::FileResourceBody;
use nix::unistd::Gid;

use super::{
    account_database::lookup_owner_and_group_ids,
    path_entry::replace_entry_by_file_keeping_ownership,
    resource_folders::{ActingUser, ResourceFolders},
};
use crate::host::HostError;

/// Makes a file what it must be. An owner, group or mode that is not wanted otherwise is kept.
pub(super) fn create_or_change_file(
    folders: &ResourceFolders<'_>,
    acting: ActingUser,
    path: &str,
    file: &FileResourceBody,
) -> Result<(), HostError> {
    let owners = lookup_owner_and_group_ids(folders.accounts, &file.ownership)?;
    let place = folders.open_to_write_with_group(path, acting, owners.1.map(Gid::as_raw))?;
    let mode = file.ownership.mode;
    place
        .work(|spot| replace_entry_by_file_keeping_ownership(spot, &file.content, owners, mode))
        .map_err(|error| place.entry_error("cannot write", path, &error))
}
