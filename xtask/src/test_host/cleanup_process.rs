//! Cleans up at once when the run is interrupted or killed, and so cannot do it itself.

use std::{
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use super::TEST_RESOURCE_NAME_PREFIX;
use crate::chore_failure::ChoreFailure;

/// A shell that waits for the end of its input, which is the end of this process; dismissed when dropped.
pub(crate) struct CleanupProcess {
    shell: Child,
    // Held open: its end is the signal.
    _line: Option<ChildStdin>,
}

impl CleanupProcess {
    /// Puts one on watch over what this process makes in `folder` and elsewhere.
    pub(crate) fn start_cleanup_process(folder: &Path) -> Result<CleanupProcess, ChoreFailure> {
        let ours = format!("{TEST_RESOURCE_NAME_PREFIX}{}", std::process::id());
        // The containers are halting by then, on the signal that the death of their starter sends them.
        let script = format!(
            "trap '' INT TERM HUP
             cat > /dev/null
             for second in 1 2 3 4 5 6 7 8 9 10; do
               grep -qs '[-]-machine={ours}-' /proc/[0-9]*/cmdline || break
               sleep 1
             done
             ip link del {ours} 2> /dev/null
             rm -rf \"$1\"/{ours}-*
             for tree in {groups}; do
               for group in $tree/{ours}-*; do find \"$group\" -depth -type d -exec rmdir {{}} \\;; done
             done
             rmdir /run/systemd/nspawn/propagate/{ours}-*",
            groups = super::control_groups::CONTROL_GROUP_MOUNT_FOLDERS.join(" ")
        );
        let mut shell = Command::new("sh")
            .args(["-c", &script, "janitor"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| ChoreFailure::new(format!("cannot start sh: {error}"), "sh"))?;
        let line = shell.stdin.take();
        Ok(CleanupProcess { shell, _line: line })
    }
}

impl Drop for CleanupProcess {
    fn drop(&mut self) {
        // It ignores polite signals. A failure means that it has ended already.
        self.shell.kill().ok();
        self.shell.wait().ok();
    }
}
