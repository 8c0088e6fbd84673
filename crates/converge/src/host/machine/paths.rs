//! What lies at a path: files, directories and links are observed and removed alike.

use std::{collections::BTreeMap, fs::File};

use model::{
    observe::{FileType, Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Ownership, Resource, ResourceId, ResourceKind},
};
use nix::sys::stat::fstat;

use super::{
    path_entry::{
        ObservedEntry, observe_entry, open_regular_file, reason_immutable, remove_entry_unless_nonempty,
    },
    resource_folders::{
        ActingUser, OpenResourceEntry, ResourceFolders, host_error_from_walk_error, is_about_to_be_made_safe,
    },
};
use crate::{
    host::{HostError, file_system_error_reason_with_advice},
    host_root::{FolderOwnership, FolderWalkError, UnsafeFolder},
};

/// Properties of what lies at the path of a file, directory or link, its owners named as in its description
/// where that is the same.
pub(super) fn observe_path(
    folders: &ResourceFolders<'_>,
    id: &ResourceId,
    described: Option<&Resource>,
    directories: &BTreeMap<&str, &Ownership>,
) -> Observation<ResourcePropertiesByKind> {
    let acting = ActingUser::of_resource(described, folders.accounts);
    let observed = observe_entry_at_path(folders, &id.name, acting, directories);
    let immutable = match &observed {
        Observation::Present(entry) => reason_entry_immutable(folders, &id.name, acting, entry),
        Observation::Absent if described.is_some_and(|described| described.present) => {
            match reason_folder_immutable(folders, &id.name, acting) {
                Some(because) => return Observation::Unsafe(because),
                None => None,
            }
        }
        _ => None,
    };
    observed.map_present(|entry| {
        let mut properties =
            properties_of_entry(folders, entry, described.and_then(|resource| resource.body.ownership()));
        properties.extend(
            immutable
                .map(|because| (ResourcePropertyKind::Immutable, ResourcePropertyValue::Unusable(because))),
        );
        properties
    })
}

/// Why what lies at a path cannot be changed or removed: it, or the folder it is replaced in, is immutable.
fn reason_entry_immutable(
    folders: &ResourceFolders<'_>,
    path: &str,
    acting: ActingUser,
    entry: &ObservedEntry,
) -> Option<String> {
    let itself = entry.immutable.map(|because| format!("{path} {}", because.replace("PATH", path)));
    let replaced = entry.file_type != FileType::Directory;
    itself.or_else(|| replaced.then(|| reason_folder_immutable(folders, path, acting)).flatten())
}

fn reason_folder_immutable(folders: &ResourceFolders<'_>, path: &str, acting: ActingUser) -> Option<String> {
    let folder = path.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty());
    let folder = folder.unwrap_or("/");
    let because = folders.cache.reason_immutable_asked_once(folder, || {
        let place = folders.open_parent_to_observe(path, acting).ok().flatten()?;
        reason_immutable(&place.spot.folder)
    })?;
    Some(format!("{folder} {}", because.replace("PATH", folder)))
}

/// What lies at a path, looked at as `acting`. What makes it unsafe now may be what this run changes first,
/// by one of the described `directories`: then it is as good as absent, and looked at again when it is made.
pub(super) fn observe_entry_at_path(
    folders: &ResourceFolders<'_>,
    path: &str,
    acting: ActingUser,
    directories: &BTreeMap<&str, &Ownership>,
) -> Observation<ObservedEntry> {
    let unreadable = |error| {
        Observation::Unreadable(format!(
            "cannot look at {path}: {}",
            file_system_error_reason_with_advice(&error)
        ))
    };
    let place = match folders.open_parent_to_observe(path, acting) {
        Ok(Some(place)) => place,
        Ok(None) => return Observation::Absent,
        Err(FolderWalkError::Unsafe(folder))
            if is_about_to_be_made_safe(&folder, directories, folders.accounts) =>
        {
            return Observation::Absent;
        }
        Err(FolderWalkError::Unsafe(folder)) => return Observation::Unsafe(folder.because),
        Err(FolderWalkError::File(error)) => return unreadable(error),
    };
    let user = place.user.as_ref().map(|user| user.uid);
    match place.work(|spot| observe_entry(spot, user)) {
        Ok(Some(entry)) => Observation::Present(entry),
        Ok(None) => Observation::Absent,
        Err(_)
            if place.user.is_some() && folder_is_about_to_be_changed(folders, &place, path, directories) =>
        {
            Observation::Absent
        }
        // A user must not be able to stop the run.
        Err(error) if place.user.is_some() => {
            Observation::Unsafe(format!("cannot look at {path}: {}", place.reason(&error)))
        }
        Err(error) => unreadable(error),
    }
}

/// Whether one of the described `directories` is the folder of a place, and differs from it.
fn folder_is_about_to_be_changed(
    folders: &ResourceFolders<'_>,
    place: &OpenResourceEntry<'_>,
    path: &str,
    directories: &BTreeMap<&str, &Ownership>,
) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Ok(stat) = fstat(&place.spot.folder) else { return false };
    let seen = UnsafeFolder {
        path: folder.to_owned(),
        because: String::new(),
        ownership: Some(FolderOwnership::from(stat)),
    };
    is_about_to_be_made_safe(&seen, directories, folders.accounts)
}

fn properties_of_entry(
    folders: &ResourceFolders<'_>,
    entry: ObservedEntry,
    wanted: Option<&Ownership>,
) -> ResourcePropertiesByKind {
    let accounts = folders.accounts;
    let owner = wanted.and_then(|wanted| wanted.owner.as_deref());
    let group = wanted.and_then(|wanted| wanted.group.as_deref());
    let mut properties = ResourcePropertiesByKind::from([
        (ResourcePropertyKind::Type, ResourcePropertyValue::Type(entry.file_type)),
        (
            ResourcePropertyKind::Owner,
            ResourcePropertyValue::Text(accounts.wanted_or_known_user_name(entry.uid, owner)),
        ),
        (
            ResourcePropertyKind::Group,
            ResourcePropertyValue::Text(accounts.wanted_or_known_group_name(entry.gid, group)),
        ),
    ]);
    if entry.file_type != FileType::Symlink {
        properties.insert(ResourcePropertyKind::Mode, ResourcePropertyValue::Mode(entry.mode));
    }
    properties.extend(
        entry.target.map(|target| (ResourcePropertyKind::Target, ResourcePropertyValue::Text(target))),
    );
    properties.extend(
        entry.content.map(|content| (ResourcePropertyKind::Content, ResourcePropertyValue::Content(content))),
    );
    properties.extend(
        entry
            .unreadable
            .map(|because| (ResourcePropertyKind::Content, ResourcePropertyValue::Unusable(because))),
    );
    properties
}

/// Removes a file, link or folder; a folder that is not empty is kept, and the reason is returned.
pub(super) fn remove_unless_nonempty_folder(
    folders: &ResourceFolders<'_>,
    id: &ResourceId,
) -> Result<Option<String>, HostError> {
    let place = match folders.open_parent_to_observe(&id.name, ActingUser::OwnerOfFolder) {
        Ok(Some(place)) => place,
        Ok(None) => return Ok(None),
        Err(error) => return Err(host_error_from_walk_error("cannot remove", &id.name, error)),
    };
    let is_folder = id.kind == ResourceKind::Directory;
    match place.work(|spot| remove_entry_unless_nonempty(spot, is_folder)) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some("it is not empty".to_owned())),
        Err(error) => Err(place.entry_error("cannot remove", &id.name, &error)),
    }
}

/// Opens the file at the place of a resource, to save what it holds; nothing when no file is there. No link at its
/// place is followed.
pub(super) fn open_file_to_save(
    folders: &ResourceFolders<'_>,
    id: &ResourceId,
) -> Result<Option<File>, HostError> {
    let path = &id.name;
    let place = match folders.open_parent_to_observe(path, ActingUser::OwnerOfFolder) {
        Ok(Some(place)) => place,
        Ok(None) => return Ok(None),
        Err(error) => return Err(host_error_from_walk_error("cannot read", path, error)),
    };
    let user = place.user.as_ref().map(|user| user.uid);
    place
        .work(|spot| open_regular_file(spot, user))
        .map_err(|error| HostError::NotSaved { path: path.clone(), because: place.reason(&error) })
}
