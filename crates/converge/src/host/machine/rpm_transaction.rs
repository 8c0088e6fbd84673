//! One transaction of rpm: it waits for another one to end.

use std::{fs, io::ErrorKind, process::Command, thread};

use super::{
    package::{PAUSE, TRIES, lock_holder},
    process::{ProcessOutput, failed_command_error, run_to_any_exit},
    rpm_command::{DATABASES, RpmCommand, has_rpm_logged_errors},
};
use crate::{host::HostError, host_root::HostRoot};

/// The file that rpm holds locked while it changes something, beside its database.
const LOCK: &str = ".rpm.lock";

impl RpmCommand {
    /// Runs the program that `command` makes, which must succeed, and again while another rpm is at work.
    pub(super) fn run_transaction(
        &self,
        root: &HostRoot,
        command: impl Fn() -> Command,
    ) -> Result<ProcessOutput, HostError> {
        let mut tried = 0;
        loop {
            let mut program = command();
            let ended = run_to_any_exit(&mut program)?;
            // When its database cannot be written, on a full disk, it logs that and ends well.
            if ended.status.success() && !has_rpm_logged_errors(&ended) {
                return Ok(ended);
            }
            let locked = ended.stderr.contains("transaction lock") && ended.stderr.contains("unavailable");
            if !locked {
                return Err(failed_command_error(&program, &ended));
            }
            if tried == TRIES {
                return Err(lock_error(holder_of_lock(root)));
            }
            tried += 1;
            thread::sleep(PAUSE);
        }
    }
}

fn holder_of_lock(root: &HostRoot) -> Option<i32> {
    DATABASES.iter().find_map(|folder| match root.open_file(&format!("{folder}/{LOCK}")) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        opened => lock_holder(&opened.ok()?).ok().flatten(),
    })
}

fn lock_error(holder: Option<i32>) -> HostError {
    let who = match holder {
        Some(pid) => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("process {pid} {}", name.trim())
        }
        None => "another process".to_owned(),
    };
    let waited = u64::from(TRIES) * PAUSE.as_secs();
    HostError::Other(format!(
        "rpm cannot change anything while {} is at work with it; punch waited {waited} s; run again when that has ended",
        who.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_error_names_the_process_that_holds_it() {
        let own = i32::try_from(std::process::id()).unwrap();
        let error = lock_error(Some(own)).to_string();
        assert!(error.starts_with(&format!("rpm cannot change anything while process {own} ")), "{error}");
        assert!(error.ends_with("punch waited 120 s; run again when that has ended"), "{error}");
    }
}
