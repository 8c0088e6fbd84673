//! Control groups: where they are, and how one is removed.

use std::{fs, path::Path};

/// Where control groups live: the mixed layout first, then version 2 alone.
pub(super) const CONTROL_GROUP_MOUNT_FOLDERS: [&str; 3] =
    ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"];

/// Removes a control group and those inside it; a group is an empty folder to `rmdir`.
pub(super) fn remove_empty_control_group_tree(group: &Path) {
    for inner in list_names_in_folder(group) {
        let inner = group.join(inner);
        if inner.is_dir() {
            remove_empty_control_group_tree(&inner);
        }
    }
    fs::remove_dir(group).ok();
}

/// The names of what is in a folder; none if it cannot be read.
pub(super) fn list_names_in_folder(folder: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect::<Vec<_>>()
        .into_iter()
}
