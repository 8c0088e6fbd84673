//! What killed runs left: temporary files beside what they replaced.

use std::{collections::BTreeSet, io};

use model::resource::{ResourceId, ResourceKind};

use super::resource_folders::{ActingUser, ResourceFolders};
use crate::{
    host::HostError,
    host_root::{FolderWalkError, remove_temporary_files},
};

/// The folders that only punch writes to.
const OWN_FOLDERS: [&str; 2] = ["/var/lib/geppetto/punch", "/etc/geppetto"];

/// Removes the temporary files in the folders of `resources`, and in those of punch's own. In a folder of a user it
/// is done as that user; a folder that cannot be looked at safely is left.
pub(super) fn remove_temporary_files_of_resources(
    folders: &ResourceFolders<'_>,
    resources: &BTreeSet<ResourceId>,
) -> Result<(), HostError> {
    let mut looked = BTreeSet::new();
    for id in resources {
        let Some(path) = written_path(folders, id) else { continue };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !looked.insert(folder.to_owned()) {
            continue;
        }
        let place = match folders.open_parent_to_observe(&path, ActingUser::OwnerOfFolder) {
            Ok(Some(place)) => place,
            Ok(None) | Err(FolderWalkError::Unsafe(_)) => continue,
            // In what is no folder lies nothing; it may become one in this run.
            Err(FolderWalkError::File(error)) if error.kind() == io::ErrorKind::NotADirectory => continue,
            Err(FolderWalkError::File(error)) => return Err(failed(folder, &error)),
        };
        match place.work(|spot| remove_temporary_files(&spot.folder)) {
            Err(error) if place.user.is_none() => return Err(failed(folder, &error)),
            // What fails in a user's folder is that user's doing.
            _ => (),
        }
    }
    for folder in OWN_FOLDERS {
        let removed = folders.root.remove_temporary_files_below(folder);
        removed.map_err(|error| failed(folder, &error))?;
    }
    Ok(())
}

/// A path in the folder that a change of this resource writes to.
fn written_path(folders: &ResourceFolders<'_>, id: &ResourceId) -> Option<String> {
    match id.kind {
        ResourceKind::User => {
            let home = folders.accounts.lookup_user(&id.name).ok()??.home;
            Some(format!("{}/.ssh/authorized_keys", home.trim_end_matches('/')))
        }
        _ => id.occupied_path(),
    }
}

fn failed(folder: &str, error: &io::Error) -> HostError {
    HostError::from_io_error("cannot remove the temporary files of an interrupted run in", folder, error)
}
