//! `launch`, `schedule` and `tomcat`: how what is packaged runs.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    CommandLine, calendar::check_systemd_calendar_expression, check_package_path,
    check_source_path_stays_in_component, shown,
};
use crate::resource::is_valid_account_name;

/// A daemon, as systemd shall run it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchSettings {
    /// What is started: a list with the whole path of the program first, or a text for the shell.
    pub command: CommandLine,
    /// The account it runs as; the manifest creates it.
    pub user: String,
    /// Its group; the user's own when absent.
    pub group: Option<String>,
    /// Variables it gets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// A file of `NAME=value` lines it gets its variables from, if that exists.
    pub environment_file: Option<String>,
    /// The directory it starts in.
    pub working_directory: Option<String>,
    /// When systemd starts it again.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// Units started before it: `postgresql.service`.
    #[serde(default)]
    pub after: Vec<String>,
    /// Directories it may write to; everything else is read-only for it.
    #[serde(default)]
    pub writable: Vec<String>,
    /// `true` lets it answer on ports below 1024, such as 80 and 443, without being root.
    #[serde(default)]
    pub ports_below_1024: bool,
    /// `false` runs it without the restrictions of systemd, for programs that administer the host.
    #[serde(default = "yes")]
    pub sandbox: bool,
}

/// When systemd starts a daemon again that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// When it failed.
    #[default]
    OnFailure,
    /// However it ended.
    Always,
    /// Never.
    No,
}

impl RestartPolicy {
    /// The word systemd uses.
    pub fn systemd_restart_value(self) -> &'static str {
        match self {
            RestartPolicy::OnFailure => "on-failure",
            RestartPolicy::Always => "always",
            RestartPolicy::No => "no",
        }
    }
}

/// A job run at given times.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduledJob {
    /// What is run: a list with the whole path of the program first, or a text for the shell.
    pub command: CommandLine,
    /// When, as systemd writes it (`systemd.time(7)`): `hourly`, `*:0/5`, `Mon *-*-* 04:30`.
    pub calendar: String,
    /// The account it runs as; the manifest creates it.
    pub user: String,
    /// Its group; the user's own when absent.
    pub group: Option<String>,
    /// Variables it gets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// A file of `NAME=value` lines it gets its variables from, if that exists.
    pub environment_file: Option<String>,
    /// The directory it starts in.
    pub working_directory: Option<String>,
    /// Directories it may write to; everything else is read-only for it.
    #[serde(default)]
    pub writable: Vec<String>,
    /// `false` runs it without the restrictions of systemd, for programs that administer the host.
    #[serde(default = "yes")]
    pub sandbox: bool,
}

/// A web archive served by Tomcat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TomcatContext {
    /// The archive inside the component's folder, after the build: `target/shop.war`.
    pub war: String,
    /// Where it answers: `/shop`, or `/` for the host's root.
    pub context: String,
}

fn yes() -> bool {
    true
}

impl LaunchSettings {
    pub(super) fn check_launch_settings(&self, key: &str, mistakes: &mut Vec<String>) {
        self.command.check_systemd_command(&format!("{key}.command"), mistakes);
        for (name, account) in [("user", Some(&self.user)), ("group", self.group.as_ref())] {
            if let Some(account) = account
                && !is_valid_account_name(account)
            {
                mistakes.push(format!(
                    "`{key}.{name}` is `{}`, which is not a name an account can have: at most 32 lower-case letters, digits, `-` and `_`, no digit first",
                    shown(account)
                ));
            }
        }
        for name in self.environment.keys() {
            if !variable(name) {
                mistakes.push(format!(
                    "`{key}.environment` sets `{}`, which is not a variable's name: letters, digits and `_`, no digit first",
                    shown(name)
                ));
            }
        }
        for text in self.environment.values() {
            if text.chars().any(char::is_control) {
                mistakes.push(format!(
                    "`{key}.environment` has a value with a control character; put it in an `environment_file`"
                ));
            }
        }
        let files =
            [("environment_file", &self.environment_file), ("working_directory", &self.working_directory)];
        let files = files.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
        for (name, path) in files.chain(self.writable.iter().map(|path| ("writable", path))) {
            if let Err(why) = check_package_path(path) {
                mistakes.push(format!("`{key}.{name}` is `{}`, {why}", shown(path)));
            }
        }
        for unit in &self.after {
            let plain = unit.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.@\\".contains(c));
            if !plain || !unit.contains('.') {
                mistakes.push(format!(
                    "`{key}.after` names `{}`; write whole unit names, for instance `postgresql.service`",
                    shown(unit)
                ));
            }
        }
    }
}

impl ScheduledJob {
    /// The same facts as those of a daemon.
    pub fn to_launch_settings(&self) -> LaunchSettings {
        LaunchSettings {
            command: self.command.clone(),
            user: self.user.clone(),
            group: self.group.clone(),
            environment: self.environment.clone(),
            environment_file: self.environment_file.clone(),
            working_directory: self.working_directory.clone(),
            restart: RestartPolicy::No,
            after: Vec::new(),
            writable: self.writable.clone(),
            ports_below_1024: false,
            sandbox: self.sandbox,
        }
    }

    pub(super) fn check_scheduled_job(&self, mistakes: &mut Vec<String>) {
        self.to_launch_settings().check_launch_settings("schedule", mistakes);
        if let Err(why) = check_systemd_calendar_expression(&self.calendar) {
            mistakes.push(format!("`schedule.calendar` {why}"));
        }
    }
}

impl TomcatContext {
    /// The name of the context file in Tomcat's `conf/Catalina/localhost`, which is where Tomcat takes the
    /// context's path from.
    pub fn tomcat_context_file_name(&self) -> String {
        match self.context.trim_matches('/') {
            "" => "ROOT.xml".to_owned(),
            path => format!("{}.xml", path.replace('/', "#")),
        }
    }

    pub(super) fn check_tomcat_context(&self, mistakes: &mut Vec<String>) {
        if let Err(why) = check_source_path_stays_in_component(&self.war) {
            mistakes.push(format!("`tomcat.war` is `{}`, {why}", shown(&self.war)));
        }
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
        };
        let path = self.context.strip_prefix('/');
        if !path.is_some_and(|path| path.is_empty() || path.split('/').all(plain)) {
            mistakes.push(format!(
                "`tomcat.context` is `{}`; write the path it answers at, for instance `/shop`",
                shown(&self.context)
            ));
        }
    }
}

fn variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
