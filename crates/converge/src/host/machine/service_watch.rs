//! Watches services for a while after they were started: one that ends, or that systemd starts again and again, does
//! not run.

use std::{collections::BTreeMap, thread, time::Duration};

use super::{
    process::{new_noninteractive_command, run_expecting_success},
    service::{Systemd, WatchedService, unit},
};
use crate::host::HostError;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// What systemd says of a service.
#[derive(Debug, PartialEq, Eq)]
struct ServiceLook {
    active: String,
    sub: String,
    result: String,
    exit_status: String,
    restarts: u64,
}

impl ServiceLook {
    fn parse(shown: &str) -> Self {
        let value = |key: &str| {
            let line = shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().to_owned()
        };
        Self {
            active: value("ActiveState"),
            sub: value("SubState"),
            result: value("Result"),
            exit_status: value("ExecMainStatus"),
            restarts: value("NRestarts").parse().unwrap_or(0),
        }
    }

    /// Why the service does not run; nothing when it runs, or has done what it is for.
    fn problem(&self, began_with: u64) -> Option<String> {
        let again = self.restarts.saturating_sub(began_with);
        let how = match self.result.as_str() {
            "exit-code" => format!("exit status {}", self.exit_status),
            "" => "no result".to_owned(),
            result => result.to_owned(),
        };
        if again > 0 || self.sub == "auto-restart" {
            let times = match again {
                0 => "is about to start it again".to_owned(),
                1 => "started it again once".to_owned(),
                again => format!("started it again {again} times"),
            };
            return Some(format!("it ends soon after its start ({how}), and systemd {times}"));
        }
        let ended = matches!(self.active.as_str(), "failed" | "inactive" | "deactivating");
        (ended && self.result != "success").then(|| format!("it has ended ({how})"))
    }
}

impl Systemd {
    /// From now on a service that was just started is watched.
    pub(super) fn watch_started_service(&mut self, name: &str, settle: u64) -> Result<(), HostError> {
        if self.booted && settle > 0 {
            let restarts = look_at(name)?.restarts;
            self.watched.insert(name.to_owned(), WatchedService { settle, restarts });
        }
        Ok(())
    }

    /// Waits until all watched services have run for as long as they must; an error says which do not.
    pub(super) fn wait_for_watched_services(&mut self) -> Result<(), HostError> {
        let mut failed = BTreeMap::new();
        let mut waited = Duration::ZERO;
        while !self.watched.is_empty() {
            thread::sleep(PAUSE);
            waited += PAUSE;
            let mut over = Vec::new();
            for (name, watched) in &self.watched {
                if let Some(problem) = look_at(name)?.problem(watched.restarts) {
                    let words = self.recent_journal_lines(name);
                    failed.insert(
                        name.clone(),
                        format!(
                            "it does not stay up: within {} s of its start {problem}{words}",
                            watched.settle
                        ),
                    );
                    over.push(name.clone());
                } else if waited.as_secs() >= watched.settle {
                    over.push(name.clone());
                }
            }
            for name in over {
                self.watched.remove(&name);
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(HostError::ServicesDoNotStayUp { failed }) }
    }
}

fn look_at(name: &str) -> Result<ServiceLook, HostError> {
    let mut command = new_noninteractive_command("systemctl");
    command.args(["show", "--property=ActiveState,SubState,Result,ExecMainStatus,NRestarts", "--"]);
    Ok(ServiceLook::parse(&run_expecting_success(command.arg(unit(name)))?.stdout))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(shown: &str) -> Option<String> {
        ServiceLook::parse(shown).problem(1)
    }

    #[test]
    fn service_that_systemd_starts_again_and_again_does_not_run() {
        let loops = "ActiveState=active\nSubState=running\nResult=exit-code\nExecMainStatus=3\nNRestarts=4\n";
        assert_eq!(
            problem(loops).unwrap(),
            "it ends soon after its start (exit status 3), and systemd started it again 3 times"
        );
        let ended = "ActiveState=failed\nSubState=failed\nResult=signal\nExecMainStatus=9\nNRestarts=1\n";
        assert_eq!(problem(ended).unwrap(), "it has ended (signal)");
    }

    #[test]
    fn running_service_and_command_that_ended_well_are_right() {
        let runs = "ActiveState=active\nSubState=running\nResult=success\nExecMainStatus=0\nNRestarts=1\n";
        assert_eq!(problem(runs), None);
        let ended = "ActiveState=inactive\nSubState=dead\nResult=success\nExecMainStatus=0\nNRestarts=1\n";
        assert_eq!(problem(ended), None);
        assert_eq!(problem("ActiveState=active\nSubState=waiting\nResult=success\n"), None);
    }
}
