//! Symbolic links.

use model::resource::SymlinkResourceBody;

use crate::{host::HostError, host_root::HostRoot};

/// Makes a link what it must be.
pub(super) fn create_or_replace_symlink(
    root: &HostRoot,
    path: &str,
    link: &SymlinkResourceBody,
) -> Result<(), HostError> {
    let spot = root.open_or_create_parent_folder(path);
    let made = spot.and_then(|spot| spot.replace_entry_by_symlink(&link.target));
    made.map_err(|error| HostError::from_io_error("cannot write", path, &error))
}
