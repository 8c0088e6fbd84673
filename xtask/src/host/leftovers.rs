//! Removes what runs that were killed left behind: folders, bridges, control groups.

use std::{fs, path::Path};

use super::PREFIX;
use crate::run::Terminal;

/// Removes everything that carries the id of a process that is gone. Failures are left for the next run.
pub(super) fn remove_leftovers(folder: &Path) {
    for name in names_in(folder).filter(|name| orphaned(name)) {
        fs::remove_dir_all(folder.join(name)).ok();
    }
    let here = Terminal::here(Path::new("/"));
    for link in names_in(Path::new("/sys/class/net")).filter(|name| orphaned(name)) {
        here.run_any_exit(&format!("ip link del {link}")).ok();
    }
    for tree in super::boot::CONTROL_GROUPS {
        for group in names_in(Path::new(tree)).filter(|name| orphaned(name)) {
            remove_groups(&Path::new(tree).join(group));
        }
    }
    let propagate = Path::new("/run/systemd/nspawn/propagate");
    for name in names_in(propagate).filter(|name| orphaned(name)) {
        fs::remove_dir(propagate.join(name)).ok();
    }
}

/// Removes a control group and those inside it; a group is an empty folder to `rmdir`.
pub(super) fn remove_groups(group: &Path) {
    for inner in names_in(group) {
        let inner = group.join(inner);
        if inner.is_dir() {
            remove_groups(&inner);
        }
    }
    fs::remove_dir(group).ok();
}

/// Whether `gpt-PID...` names a process that no longer runs.
fn orphaned(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .map(|rest| rest.split('-').next().unwrap_or_default())
        .filter(|process| !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit()))
        .is_some_and(|process| !Path::new("/proc").join(process).exists())
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::orphaned;

    #[test]
    fn only_names_of_processes_that_are_gone_are_swept() {
        assert!(orphaned("gpt-4194999-1"), "no process has an id above the kernel's limit of 4194304");
        assert!(!orphaned(&format!("gpt-{}-1", std::process::id())));
        assert!(!orphaned("gpt-web"), "not one of ours: no process id");
        assert!(!orphaned("eth0"));
    }
}
