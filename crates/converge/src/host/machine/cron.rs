//! Jobs of cron: files in `/etc/cron.d`, which cron ignores when others may write to them.

use model::{
    observe::{FactKind, FactValue, FileDigestAndText, Observation, ResourceFactsByKind},
    resource::{CronResourceBody, ResourceId, ResourceKind},
};

use super::{account_database::AccountDatabase, paths};
use crate::{host::HostError, host_root::HostRoot};

/// The observation of a cron file: its content, or why cron would ignore it.
pub(super) fn observe_cron_file(
    root: &HostRoot,
    accounts: &AccountDatabase,
    id: &ResourceId,
    secret: bool,
) -> Observation<ResourceFactsByKind> {
    let path = path(id);
    let facts = match paths::observe_path(root, accounts, &path, None) {
        Observation::Present(facts) => facts,
        observed => return observed,
    };
    let content = facts
        .get(&FactKind::Content)
        .cloned()
        .unwrap_or_else(|| FactValue::Content(FileDigestAndText::from_bytes(b"")));
    let wrong = match root.open_parent_folder(&path).and_then(|spot| spot.stat_without_following_link()) {
        Ok(Some(stat)) if stat.st_uid != 0 && stat.st_uid != nix::unistd::geteuid().as_raw() => {
            Some(format!("belongs to user {}", stat.st_uid))
        }
        Ok(Some(stat)) if stat.st_mode & 0o022 != 0 || (secret && stat.st_mode & 0o077 != 0) => {
            Some(format!("has mode {:04o}", stat.st_mode & 0o7777))
        }
        _ => None,
    };
    Observation::Present(ResourceFactsByKind::from([(
        FactKind::Content,
        wrong.map_or(content, FactValue::Unusable),
    )]))
}

/// Writes a job's file. A `secret` one is not everybody's to read.
pub(super) fn write_cron_file(
    root: &HostRoot,
    id: &ResourceId,
    cron: &CronResourceBody,
    secret: bool,
) -> Result<(), HostError> {
    let path = path(id);
    let written =
        root.replace_file(&path, cron.cron_file_text().as_bytes(), if secret { 0o600 } else { 0o644 });
    written.map_err(|error| HostError::from_io_error("cannot write", path, &error))
}

/// Removes a job's file.
pub(super) fn remove_cron_file(root: &HostRoot, id: &ResourceId) -> Result<Option<String>, HostError> {
    paths::remove_unless_nonempty_folder(root, &ResourceId::new(ResourceKind::File, &path(id)))
}

fn path(id: &ResourceId) -> String {
    id.occupied_path().unwrap_or_default()
}
