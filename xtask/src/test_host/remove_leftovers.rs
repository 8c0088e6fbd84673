//! Removes what runs that were killed left behind: folders, bridges, control groups.

use std::{fs, path::Path};

use super::{
    TEST_RESOURCE_NAME_PREFIX,
    control_groups::{CONTROL_GROUP_MOUNT_FOLDERS, list_names_in_folder, remove_empty_control_group_tree},
};
use crate::command_shell::CommandShell;

/// Removes everything that carries the id of a process that is gone. Failures are left for the next run.
pub(super) fn remove_leftovers_of_ended_processes(folder: &Path) {
    for name in list_names_in_folder(folder).filter(|name| orphaned(name)) {
        fs::remove_dir_all(folder.join(name)).ok();
    }
    let here = CommandShell::shell_on_this_machine(Path::new("/"));
    for link in list_names_in_folder(Path::new("/sys/class/net")).filter(|name| orphaned(name)) {
        here.run_line_to_any_exit(&format!("ip link del {link}")).ok();
    }
    for tree in CONTROL_GROUP_MOUNT_FOLDERS {
        for group in list_names_in_folder(Path::new(tree)).filter(|name| orphaned(name)) {
            remove_empty_control_group_tree(&Path::new(tree).join(group));
        }
    }
    let propagate = Path::new("/run/systemd/nspawn/propagate");
    for name in list_names_in_folder(propagate).filter(|name| orphaned(name)) {
        fs::remove_dir(propagate.join(name)).ok();
    }
}

/// Whether `gpt-PID...` names a process that no longer runs.
fn orphaned(name: &str) -> bool {
    name.strip_prefix(TEST_RESOURCE_NAME_PREFIX)
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
