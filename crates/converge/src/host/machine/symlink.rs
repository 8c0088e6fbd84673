//! Symbolic links.

use model::resource::SymlinkResourceBody;

use super::resource_folders::{ActingUser, ResourceFolders};
use crate::host::HostError;

/// Makes a link what it must be.
pub(super) fn create_or_replace_symlink(
    folders: &ResourceFolders<'_>,
    path: &str,
    link: &SymlinkResourceBody,
) -> Result<(), HostError> {
    let place = folders.open_or_create_parent(path, ActingUser::OwnerOfFolder)?;
    let made = place.work(|spot| spot.replace_entry_by_symlink(&link.target));
    made.map_err(|error| place.entry_error("cannot write", path, &error))
}
