//! The host's own tools for users and groups.

use std::process::Command;

use super::process::new_noninteractive_command;
use crate::{host::HostError, host_root::HostRoot};

/// The account tools, for one root.
pub(super) struct AccountTools<'a> {
    /// The host's root when it is not `/`.
    pub(super) prefix: Option<&'a str>,
}

impl AccountTools<'_> {
    pub(super) fn new_account_command(&self, name: &str) -> Command {
        let mut command = new_noninteractive_command(name);
        if let Some(prefix) = self.prefix {
            command.args(["--prefix", prefix]);
        }
        command
    }

    /// A bare folder gets account files of its own, so that the tools have something to work on.
    pub(super) fn create_missing_account_files(&self, root: &HostRoot) -> Result<(), HostError> {
        if self.prefix.is_none() {
            return Ok(());
        }
        for (path, text) in
            [("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("/etc/group", "root:x:0:\n")]
        {
            let wrong = |error| HostError::from_io_error("cannot write", path, &error);
            if !root.exists(path).map_err(wrong)? {
                root.replace_file(path, text.as_bytes(), 0o644).map_err(wrong)?;
            }
        }
        Ok(())
    }
}
