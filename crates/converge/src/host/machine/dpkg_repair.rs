//! Completes what dpkg was stopped in.

use std::thread;

use model::{
    observe::OsFamily,
    report::{RepairKind, RepairOfInterruptedWork},
};

use super::{
    package::{HALF_INSTALLED_STATES, OsPackageManager, PAUSE, TRIES, dpkg_is_locked},
    process::{failed_command_error, new_noninteractive_command, run_to_any_exit},
};
use crate::{host::HostError, host_root::HostRoot};

/// Where dpkg notes what it has not merged into its database: empty when it ended well.
const UPDATES: &str = "/var/lib/dpkg/updates";

impl OsPackageManager {
    /// Completes what dpkg was stopped in; `thorough` looks for packages, too, that are half installed though dpkg
    /// itself ended well.
    pub(super) fn repair_interrupted_dpkg(
        &self,
        root: &HostRoot,
        thorough: bool,
    ) -> Result<Option<RepairOfInterruptedWork>, HostError> {
        if self.family != Some(OsFamily::Deb) {
            return Ok(None);
        }
        let mut stopped = has_unmerged_updates(root)?;
        // Another dpkg may be at work on them.
        for _ in 0..TRIES {
            if !stopped || !dpkg_is_locked(root) {
                break;
            }
            thread::sleep(PAUSE);
            stopped = has_unmerged_updates(root)?;
        }
        let half = if stopped || thorough { self.half_installed_packages()? } else { Vec::new() };
        if !stopped && half.is_empty() {
            return Ok(None);
        }
        let mut command = new_noninteractive_command("dpkg");
        command.args(self.prefix.iter().map(|prefix| format!("--root={prefix}")));
        command.env("DEBIAN_FRONTEND", "noninteractive").args([
            "--force-confold",
            "--configure",
            "--pending",
        ]);
        let ended = run_to_any_exit(&mut command)?;
        if has_unmerged_updates(root)? {
            let HostError::Command { message, .. } = failed_command_error(&command, &ended) else {
                return Err(failed_command_error(&command, &ended));
            };
            return Err(HostError::Other(format!(
                "dpkg was stopped half-way, and cannot complete what it began: {message}; run `dpkg --configure -a` and do what it says, then run again"
            )));
        }
        let left = self.half_installed_packages()?;
        let completed: Vec<&String> = half.iter().filter(|name| !left.contains(name)).collect();
        // What fails in the same way each time is the failure of its own component, and is repaired by nobody.
        if !stopped && completed.is_empty() {
            return Ok(None);
        }
        let list = |names: &[String]| names.join(", ");
        let mut what = "dpkg had been stopped half-way; `dpkg --configure -a` has completed it".to_owned();
        if !completed.is_empty() {
            let names: Vec<String> = completed.into_iter().cloned().collect();
            what += &format!(": {}", list(&names));
        }
        if !left.is_empty() {
            what += &format!("; still not configured: {}", list(&left));
        }
        Ok(Some(RepairOfInterruptedWork { kind: RepairKind::Dpkg, what }))
    }

    fn half_installed_packages(&self) -> Result<Vec<String>, HostError> {
        let mut command = self.query(OsFamily::Deb);
        let ended = run_to_any_exit(&mut command)?;
        let half = ended.stdout.lines().filter_map(|line| {
            let [name, _, state, _] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
            HALF_INSTALLED_STATES.contains(&state).then(|| name.to_owned())
        });
        Ok(half.collect())
    }
}

fn has_unmerged_updates(root: &HostRoot) -> Result<bool, HostError> {
    let names = root.list_folder_or_empty(UPDATES);
    let names = names.map_err(|error| HostError::from_io_error("cannot look into", UPDATES, &error))?;
    Ok(names.iter().any(|name| name.bytes().all(|byte| byte.is_ascii_digit())))
}
