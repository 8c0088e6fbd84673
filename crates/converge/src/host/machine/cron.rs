//! Jobs of cron: files in `/etc/cron.d`, which cron ignores when others may write to them.

use std::collections::BTreeMap;

use model::{
    observe::{
        FileDigestAndText, Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue,
    },
    resource::{CronResourceBody, ResourceId, ResourceKind},
};

use super::{
    path_entry::ObservedEntry,
    paths,
    resource_folders::{ActingUser, ResourceFolders},
};
use crate::host::HostError;

/// The observation of a cron file: its content, or why cron would ignore it.
pub(super) fn observe_cron_file(
    folders: &ResourceFolders<'_>,
    id: &ResourceId,
    secret: bool,
) -> Observation<ResourcePropertiesByKind> {
    let observed = paths::observe_entry_at_path(folders, &path(id), ActingUser::Root, &BTreeMap::new());
    observed.map_present(|entry| {
        let content = match reason_cron_ignores_file(&entry, secret) {
            Some(because) => ResourcePropertyValue::Unusable(because),
            None => ResourcePropertyValue::Content(
                entry.content.unwrap_or_else(|| FileDigestAndText::from_bytes(b"")),
            ),
        };
        ResourcePropertiesByKind::from([(ResourcePropertyKind::Content, content)])
    })
}

fn reason_cron_ignores_file(entry: &ObservedEntry, secret: bool) -> Option<String> {
    if entry.uid != 0 && entry.uid != nix::unistd::geteuid().as_raw() {
        return Some(format!("belongs to user {}", entry.uid));
    }
    let unsafe_mode = entry.mode & 0o022 != 0 || (secret && entry.mode & 0o077 != 0);
    unsafe_mode.then(|| format!("has mode {:04o}", entry.mode))
}

/// Writes a job's file. A `secret` one is not everybody's to read.
pub(super) fn write_cron_file(
    folders: &ResourceFolders<'_>,
    id: &ResourceId,
    cron: &CronResourceBody,
    secret: bool,
) -> Result<(), HostError> {
    let path = path(id);
    let place = folders.open_or_create_parent(&path, ActingUser::Root)?;
    let mode = if secret { 0o600 } else { 0o644 };
    place
        .spot
        .replace_entry_by_file(cron.cron_file_text().as_bytes(), (None, None), mode)
        .map_err(|error| place.entry_error("cannot write", &path, &error))
}

/// Removes a job's file.
pub(super) fn remove_cron_file(
    folders: &ResourceFolders<'_>,
    id: &ResourceId,
) -> Result<Option<String>, HostError> {
    paths::remove_unless_nonempty_folder(folders, &ResourceId::new(ResourceKind::File, &path(id)))
}

fn path(id: &ResourceId) -> String {
    id.occupied_path().unwrap_or_default()
}
