//! Commands of a manifest: their guards when looking, and the commands themselves.

use std::process::Command;

use model::{
    observe::{Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{ExecResourceBody, ResourceId, ResourceKind},
};

use super::{
    account_database::AccountDatabase,
    process::{failed_command_error, new_noninteractive_command, run_with_time_limit},
};
use crate::{host::HostError, host_root::HostRoot};

/// Where and as whom commands run.
pub(super) struct CommandRunner<'a> {
    pub(super) root: &'a HostRoot,
    pub(super) accounts: &'a AccountDatabase,
    /// The host's root when it is not `/`.
    pub(super) prefix: Option<&'a str>,
}

impl CommandRunner<'_> {
    /// Whether a command's guard asks for it now, and what it lacks to be run, as properties. A guard that
    /// cannot be asked for what is lacking gives no answer: it may come in this very run.
    pub(super) fn observe_exec(&self, exec: &ExecResourceBody) -> Observation<ResourcePropertiesByKind> {
        // `refresh_only` commands wait for a notification, whatever the result of their guard.
        let due = if exec.refresh_only { Ok(Some(false)) } else { self.guard_requests_run(exec) };
        let mut properties = ResourcePropertiesByKind::new();
        let (due, lacks) = match due.and_then(|due| Ok((due, self.missing_prerequisites(exec)?))) {
            Ok(observed) => observed,
            Err(error) => return Observation::Unreadable(format!("its guard cannot be asked: {error}")),
        };
        properties.extend(due.map(|due| (ResourcePropertyKind::Due, ResourcePropertyValue::Flag(due))));
        if !lacks.is_empty() {
            properties.insert(ResourcePropertyKind::Lacks, ResourcePropertyValue::Resources(lacks));
        }
        Observation::Present(properties)
    }

    /// As [`observe_exec`](Self::observe_exec), for a command of a component that goes back to an older version: also
    /// why it must not, if it must not.
    pub(super) fn observe_exec_of_downgrade(
        &self,
        exec: &ExecResourceBody,
    ) -> Observation<ResourcePropertiesByKind> {
        let refusal = self.downgrade_refusal(exec);
        self.observe_exec(exec).map_present(|mut properties| {
            properties.extend(refusal.map(|because| {
                (ResourcePropertyKind::DowngradeRefusal, ResourcePropertyValue::Text(because))
            }));
            properties
        })
    }

    /// What the downgrade guard of a command says against going back to an older version; nothing when it succeeds.
    fn downgrade_refusal(&self, exec: &ExecResourceBody) -> Option<String> {
        let guard = exec.downgrade_guard.as_ref()?;
        match self.run_to_success(guard, exec) {
            Ok(()) => None,
            Err(HostError::Command { message, .. }) => Some(message),
            Err(error) => Some(format!("its downgrade guard cannot be asked: {error}")),
        }
    }

    /// Runs a command unless its guard shows that there is nothing to do.
    pub(super) fn run_exec_if_guard_asks(
        &self,
        exec: &ExecResourceBody,
    ) -> Result<Option<String>, HostError> {
        // The guard may be part of a payload that came with this very run, so it is asked again.
        let due = self.guard_requests_run(exec)?;
        if due == Some(false) {
            return Ok(Some("its guard showed that there is nothing to do".to_owned()));
        }
        if let Some(lacking) = self.missing_prerequisites(exec)?.first() {
            let asked = if due.is_none() { "ask its guard" } else { "run it" };
            return Err(HostError::Other(format!("cannot {asked}: there is no {lacking} on this host")));
        }
        self.run_to_success(&exec.command, exec).map(|()| None)
    }

    /// Runs a command line as `exec` says; an error unless it succeeds in time.
    pub(super) fn run_to_success(&self, words: &[String], exec: &ExecResourceBody) -> Result<(), HostError> {
        let mut command = self.command(words, exec)?;
        let ended = run_with_time_limit(&mut command, Some(exec.timeout))?;
        if ended.status.success() { Ok(()) } else { Err(failed_command_error(&command, &ended)) }
    }

    /// Runs a health check's command once.
    pub(super) fn run_health_command(&self, words: &[String]) -> Result<(), String> {
        let exec = ExecResourceBody { timeout: 30, ..ExecResourceBody::default() };
        self.run_to_success(words, &exec).map_err(|error| error.to_string())
    }

    /// Whether the guard asks for the command; nothing when it cannot be asked yet.
    fn guard_requests_run(&self, exec: &ExecResourceBody) -> Result<Option<bool>, HostError> {
        if let Some(path) = &exec.creates
            && self.there(path)?
        {
            return Ok(Some(false));
        }
        // A program that is not there fails like any other: the command may be what brings it.
        if let Some(unless) = &exec.unless
            && self.is_there(unless)?
        {
            match self.guard_succeeds(unless, exec)? {
                Some(true) => return Ok(Some(false)),
                Some(false) => (),
                None => return Ok(None),
            }
        }
        match &exec.only_if {
            Some(only_if) if self.is_there(only_if)? => self.guard_succeeds(only_if, exec),
            Some(_) => Ok(None),
            None => Ok(Some(true)),
        }
    }

    /// Whether a guard succeeds; nothing when who runs it, or where, is not there yet.
    fn guard_succeeds(&self, words: &[String], exec: &ExecResourceBody) -> Result<Option<bool>, HostError> {
        if !self.directory_is_missing(exec)?.is_empty() {
            return Ok(None);
        }
        let mut command = self.command(words, exec)?;
        Ok(Some(run_with_time_limit(&mut command, Some(exec.timeout))?.status.success()))
    }

    /// What must be there for the guard to be asked and the command to be run, and is not.
    fn missing_prerequisites(&self, exec: &ExecResourceBody) -> Result<Vec<ResourceId>, HostError> {
        let mut lacks = self.directory_is_missing(exec)?;
        for words in [exec.only_if.as_ref(), Some(&exec.command)].into_iter().flatten() {
            if let Some(program) = words.first()
                && !self.there(program)?
            {
                lacks.push(ResourceId::new(ResourceKind::File, program));
            }
        }
        Ok(lacks)
    }

    fn directory_is_missing(&self, exec: &ExecResourceBody) -> Result<Vec<ResourceId>, HostError> {
        let mut lacks = Vec::new();
        if let Some(name) = &exec.user
            && self.accounts.lookup_user(name)?.is_none()
        {
            lacks.push(ResourceId::new(ResourceKind::User, name));
        }
        if let Some(path) = &exec.directory
            && !self.there(path)?
        {
            lacks.push(ResourceId::new(ResourceKind::Directory, path));
        }
        Ok(lacks)
    }

    fn is_there(&self, words: &[String]) -> Result<bool, HostError> {
        words.first().map_or(Ok(false), |program| self.there(program))
    }

    fn there(&self, path: &str) -> Result<bool, HostError> {
        self.root.exists(path).map_err(|error| HostError::from_io_error("cannot look at", path, &error))
    }

    /// A command as its user would run it: with all of its groups, and with nothing of punch's environment.
    fn command(&self, words: &[String], exec: &ExecResourceBody) -> Result<Command, HostError> {
        let Some((name, arguments)) = words.split_first() else {
            return Err(HostError::Other("there is no command to run".to_owned()));
        };
        let user = match &exec.user {
            None => None,
            Some(name) => Some(self.accounts.lookup_user(name)?.ok_or_else(|| {
                HostError::Other(format!("there is no user `{name}` on this host to run the command"))
            })?),
        };
        let directory = exec.directory.as_deref().unwrap_or("/");
        let mut command = match (self.prefix, &user) {
            (None, None) => {
                let mut command = new_noninteractive_command(name);
                command.current_dir(directory);
                command
            }
            // `chroot --userspec` is the only tool on every host that changes user and supplementary groups.
            (prefix, user) => {
                let mut command = new_noninteractive_command("chroot");
                if let Some(user) = user {
                    command.arg(format!("--userspec={}:{}", user.uid, user.gid));
                }
                command.args([prefix.unwrap_or("/"), "/usr/bin/env", "-C", directory, name]);
                command
            }
        };
        let login = exec.user.as_deref().unwrap_or("root");
        let home = user.as_ref().map_or("/root", |user| &user.home);
        command
            .env_clear()
            .envs([("LC_ALL", "C"), ("USER", login), ("LOGNAME", login), ("HOME", home)])
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(&exec.environment)
            .args(arguments);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn words(program: &str) -> Option<Vec<String>> {
        Some(vec![program.to_owned()])
    }

    /// What is seen of a command below a root in which there is `/bin/run` and nothing else.
    fn observed(exec: ExecResourceBody) -> ResourcePropertiesByKind {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/run"), "").unwrap();
        let root = HostRoot::open_existing_root(folder.path()).unwrap();
        let accounts = AccountDatabase::read_passwd_and_group(&root, false);
        let runner = CommandRunner { root: &root, accounts: &accounts, prefix: folder.path().to_str() };
        let Observation::Present(properties) =
            runner.observe_exec(&ExecResourceBody { command: words("/bin/run").unwrap(), ..exec })
        else {
            panic!("looking must not fail");
        };
        properties
    }

    #[test]
    fn downgrade_guard_that_fails_or_is_not_there_says_why() {
        let root = HostRoot::open_existing_root(std::path::Path::new("/")).unwrap();
        let accounts = AccountDatabase::read_passwd_and_group(&root, true);
        let runner = CommandRunner { root: &root, accounts: &accounts, prefix: None };
        let refusal = |guard: &[&str]| {
            let downgrade_guard = Some(guard.iter().map(|&word| word.to_owned()).collect());
            runner.downgrade_refusal(&ExecResourceBody {
                downgrade_guard,
                timeout: 10,
                ..ExecResourceBody::default()
            })
        };
        assert_eq!(refusal(&["/bin/sh", "-c", "echo migration 4 >&2; exit 1"]).unwrap(), "migration 4");
        assert_eq!(refusal(&["/bin/sh", "-c", "echo fine"]), None);
        let missing = refusal(&["/nowhere/migrate"]).unwrap();
        assert!(missing.contains("/nowhere/migrate"), "{missing}");
    }

    fn lacks(ids: &[&str]) -> Option<ResourcePropertyValue> {
        Some(ResourcePropertyValue::Resources(
            ids.iter().map(|id| ResourceId::try_from((*id).to_owned()).unwrap()).collect(),
        ))
    }

    #[test]
    fn missing_guard_program_is_lacking_for_only_if_and_due_for_unless() {
        let properties =
            observed(ExecResourceBody { only_if: words("/bin/tset"), ..ExecResourceBody::default() });
        assert_eq!(
            (
                properties.get(&ResourcePropertyKind::Due),
                properties.get(&ResourcePropertyKind::Lacks).cloned()
            ),
            (None, lacks(&["file:/bin/tset"]))
        );
        let properties =
            observed(ExecResourceBody { unless: words("/bin/tset"), ..ExecResourceBody::default() });
        assert_eq!(
            (properties.get(&ResourcePropertyKind::Due), properties.get(&ResourcePropertyKind::Lacks)),
            (Some(&ResourcePropertyValue::Flag(true)), None)
        );
    }

    #[test]
    fn missing_guard_user_or_directory_is_reported_as_lacking() {
        let exec = ExecResourceBody {
            unless: words("/bin/run"),
            user: Some("shop".to_owned()),
            directory: Some("/srv/shop".to_owned()),
            ..ExecResourceBody::default()
        };
        let properties = observed(exec.clone());
        assert_eq!(properties.get(&ResourcePropertyKind::Due), None);
        assert_eq!(
            properties.get(&ResourcePropertyKind::Lacks).cloned(),
            lacks(&["user:shop", "directory:/srv/shop"])
        );
        // `creates` is decided without running a program.
        let properties = observed(ExecResourceBody { creates: Some("/bin/run".to_owned()), ..exec });
        assert_eq!(properties.get(&ResourcePropertyKind::Due), Some(&ResourcePropertyValue::Flag(false)));
    }
}
