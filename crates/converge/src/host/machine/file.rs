//! Files: observed by their digest, replaced whole.

use model::resource::FileResourceBody;

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
    let place = folders.open_to_write(path, acting)?;
    replace_entry_by_file_keeping_ownership(&place.spot, &file.content, owners, file.ownership.mode)
        .map_err(|error| place.entry_error("cannot write", path, &error))
}
