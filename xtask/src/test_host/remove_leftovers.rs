//! Removes what runs that were killed left behind: folders, bridges, control groups.

use std::{fs, path::Path};

use super::{
    RESOURCE_NAME_PREFIX,
    control_groups::{CONTROL_GROUP_FOLDERS, list_folder_names, remove_control_groups},
};
use crate::command_shell::CommandShell;

/// Removes everything that carries the id of a process that is gone. Failures are left for the next run.
pub(super) fn remove_leftovers(folder: &Path) {
    for name in list_folder_names(folder).filter(|name| orphaned(name)) {
        fs::remove_dir_all(folder.join(name)).ok();
    }
    let here = CommandShell::on_this_machine(Path::new("/"));
    for link in list_folder_names(Path::new("/sys/class/net")).filter(|name| orphaned(name)) {
        here.run_any_exit(&format!("ip link del {link}")).ok();
    }
    for tree in CONTROL_GROUP_FOLDERS {
        for group in list_folder_names(Path::new(tree)).filter(|name| orphaned(name)) {
            remove_control_groups(&Path::new(tree).join(group));
        }
    }
    let propagate = Path::new("/run/systemd/nspawn/propagate");
    for name in list_folder_names(propagate).filter(|name| orphaned(name)) {
        fs::remove_dir(propagate.join(name)).ok();
    }
}

/// Whether `gpt-PID...` names a process that no longer runs.
fn orphaned(name: &str) -> bool {
    name.strip_prefix(RESOURCE_NAME_PREFIX)
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
