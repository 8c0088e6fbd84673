//! Removes what runs that were killed left behind: folders, bridges, control groups.

use std::{fs, path::Path};

use super::{
    PREFIX,
    control_groups::{CONTROL_GROUPS, names_in, remove_groups},
};
use crate::run::Terminal;

/// Removes everything that carries the id of a process that is gone. Failures are left for the next run.
pub(super) fn remove_leftovers(folder: &Path) {
    for name in names_in(folder).filter(|name| orphaned(name)) {
        fs::remove_dir_all(folder.join(name)).ok();
    }
    let here = Terminal::local(Path::new("/"));
    for link in names_in(Path::new("/sys/class/net")).filter(|name| orphaned(name)) {
        here.run_any_exit(&format!("ip link del {link}")).ok();
    }
    for tree in CONTROL_GROUPS {
        for group in names_in(Path::new(tree)).filter(|name| orphaned(name)) {
            remove_groups(&Path::new(tree).join(group));
        }
    }
    let propagate = Path::new("/run/systemd/nspawn/propagate");
    for name in names_in(propagate).filter(|name| orphaned(name)) {
        fs::remove_dir(propagate.join(name)).ok();
    }
}

/// Whether `gpt-PID...` names a process that no longer runs.
fn orphaned(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .map(|rest| rest.split('-').next().unwrap_or_default())
        .filter(|process| !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit()))
        .is_some_and(|process| !Path::new("/proc").join(process).exists())
}

#[cfg(test)]
mod tests {
    use super::orphaned;

    #[test]
    fn only_names_of_ended_processes_are_removed() {
        assert!(orphaned("gpt-4194999-1"), "no process has an id above the kernel's limit of 4194304");
        assert!(!orphaned(&format!("gpt-{}-1", std::process::id())));
        assert!(!orphaned("gpt-web"), "not one of ours: no process id");
        assert!(!orphaned("eth0"));
    }
}
