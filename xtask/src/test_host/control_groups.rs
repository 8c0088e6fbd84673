//! Control groups: where they are, and how one is removed.

use std::{fs, path::Path};

/// Where control groups live: the mixed layout first, then version 2 alone.
pub(super) const CONTROL_GROUP_FOLDERS: [&str; 3] =
    ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"];

/// Removes a control group and those inside it; a group is an empty folder to `rmdir`.
pub(super) fn remove_control_groups(group: &Path) {
    for inner in list_folder_names(group) {
        let inner = group.join(inner);
        if inner.is_dir() {
            remove_control_groups(&inner);
        }
    }
    fs::remove_dir(group).ok();
}

/// The names of what is in a folder; none if it cannot be read.
pub(super) fn list_folder_names(folder: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect::<Vec<_>>()
        .into_iter()
}
