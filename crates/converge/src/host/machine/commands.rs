//! Commands of a manifest: their guards when looking, and the commands themselves.

use std::{os::unix::process::CommandExt, process::Command};

use model::{
    observe::{Fact, Facts, Seen},
    resource::Exec,
};

use super::{
    accounts::Accounts,
    beneath::Root,
    process::{failed, program, run_within},
};
use crate::host::HostError;

/// Where and as whom commands run.
pub(super) struct Runner<'a> {
    pub(super) root: &'a Root,
    pub(super) accounts: &'a Accounts,
    /// The host's root when it is not `/`.
    pub(super) prefix: Option<&'a str>,
}

impl Runner<'_> {
    /// Whether a command's guard asks for it now, as a fact.
    pub(super) fn observe(&self, exec: &Exec) -> Seen<Facts> {
        // `refresh_only` commands wait for a notification, whatever their guard says.
        let due = if exec.refresh_only { Ok(false) } else { self.due(exec) };
        match due {
            Ok(due) => Seen::Present(Facts::from([("due", Fact::Flag(due))])),
            Err(error) => Seen::Unreadable(format!("its guard cannot be asked: {error}")),
        }
    }

    /// Runs a command unless its guard says that there is nothing to do.
    pub(super) fn apply(&self, exec: &Exec) -> Result<Option<String>, HostError> {
        // The guard may be part of a payload that came with this very run, so it is asked again.
        if !self.due(exec)? {
            return Ok(Some("its guard said that there is nothing to do".to_owned()));
        }
        let mut command = self.command(&exec.command, exec)?;
        let ended = run_within(&mut command, Some(exec.timeout))?;
        if ended.status.success() { Ok(None) } else { Err(failed(&command, &ended)) }
    }

    /// Runs a health check's command once.
    pub(super) fn probe(&self, words: &[String]) -> Result<(), String> {
        let exec = Exec { timeout: 30, ..Exec::default() };
        let mut command = self.command(words, &exec).map_err(|error| error.to_string())?;
        let ended = run_within(&mut command, Some(exec.timeout)).map_err(|error| error.to_string())?;
        if ended.status.success() { Ok(()) } else { Err(failed(&command, &ended).to_string()) }
    }

    fn due(&self, exec: &Exec) -> Result<bool, HostError> {
        if exec.creates.as_deref().is_some_and(|path| self.root.exists(path)) {
            return Ok(false);
        }
        if let Some(unless) = &exec.unless
            && self.succeeds(unless, exec)?
        {
            return Ok(false);
        }
        match &exec.only_if {
            Some(only_if) => self.succeeds(only_if, exec),
            None => Ok(true),
        }
    }

    /// A guard's program that is not there yet has not succeeded: its package may come in this very run.
    fn succeeds(&self, words: &[String], exec: &Exec) -> Result<bool, HostError> {
        if !words.first().is_some_and(|program| self.root.exists(program)) {
            return Ok(false);
        }
        let mut command = self.command(words, exec)?;
        Ok(run_within(&mut command, Some(exec.timeout))?.status.success())
    }

    fn command(&self, words: &[String], exec: &Exec) -> Result<Command, HostError> {
        let Some((name, arguments)) = words.split_first() else {
            return Err(HostError::Other("there is no command to run".to_owned()));
        };
        let user = match &exec.user {
            None => None,
            Some(name) => Some(self.accounts.user(name).ok_or_else(|| {
                HostError::Other(format!("there is no user `{name}` on this host to run the command"))
            })?),
        };
        let directory = exec.directory.as_deref().unwrap_or("/");
        let mut command = match self.prefix {
            None => {
                let mut command = program(name);
                command.current_dir(directory);
                if let Some(user) = &user {
                    command.uid(user.uid).gid(user.gid);
                }
                command
            }
            Some(prefix) => {
                let mut command = program("chroot");
                if let Some(user) = &user {
                    command.arg(format!("--userspec={}:{}", user.uid, user.gid));
                }
                command.args([prefix, "/usr/bin/env", "-C", directory, name]);
                command
            }
        };
        if let Some(user) = &user {
            command.env("HOME", &user.home);
        }
        command
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(&exec.environment)
            .args(arguments);
        Ok(command)
    }
}
