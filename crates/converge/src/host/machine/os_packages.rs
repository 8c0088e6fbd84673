//! Packages of the operating system: asked for in one query, installed by the distribution's own tool.

use std::{collections::BTreeMap, process::Command};

use model::observe::{Fact, Facts, Family, Seen};

use super::process::{Ended, failed, program, run, succeed};
use crate::host::HostError;

/// The distribution's package tools, told which root they work on.
#[derive(Debug)]
pub(super) struct OsPackages {
    pub(super) family: Option<Family>,
    /// The host's root when it is not `/`.
    pub(super) prefix: Option<String>,
}

impl OsPackages {
    /// Facts about packages, by name.
    pub(super) fn observe(&self, names: &[&str]) -> BTreeMap<String, Seen<Facts>> {
        let (Some(family), false) = (self.family, names.is_empty()) else { return BTreeMap::new() };
        let mut command = match family {
            Family::Deb => {
                let mut command = program("dpkg-query");
                if let Some(prefix) = &self.prefix {
                    command.arg(format!("--admindir={prefix}/var/lib/dpkg"));
                }
                command.args([
                    "--show",
                    "--showformat=${Package}\\t${db:Status-Status}\\t${Version}\\n",
                    "--",
                ]);
                command
            }
            Family::Rpm => {
                let mut command = program("rpm");
                if let Some(prefix) = &self.prefix {
                    command.args(["--root", prefix]);
                }
                command.args([
                    "--query",
                    "--queryformat",
                    "%{NAME}\\tinstalled\\t%{VERSION}-%{RELEASE}\\n",
                    "--",
                ]);
                command
            }
        };
        let ended = run(command.args(names));
        let error = match &ended {
            // 1 is `some are not there`; both tools then say so for each and tell about the others.
            Ok(ended) if matches!(ended.status.code(), Some(code) if family == Family::Rpm || code < 2) => {
                None
            }
            Ok(ended) => Some(failed(&command, ended).to_string()),
            Err(error) => Some(error.to_string()),
        };
        let mut found = BTreeMap::new();
        for line in ended.iter().flat_map(|ended: &Ended| ended.stdout.lines()) {
            if let [name, "installed", version] = line.split('\t').collect::<Vec<_>>()[..] {
                found.insert(name, version);
            }
        }
        names
            .iter()
            .map(|name| {
                let seen = match (&error, found.get(name)) {
                    (Some(because), _) => Seen::Unreadable(because.clone()),
                    (None, Some(version)) => {
                        Seen::Present(Facts::from([("version", Fact::Text((*version).to_owned()))]))
                    }
                    (None, None) => Seen::Absent,
                };
                ((*name).to_owned(), seen)
            })
            .collect()
    }

    /// Installs a package, in this version if one is named.
    pub(super) fn install(&self, name: &str, version: Option<&str>) -> Result<(), HostError> {
        match self.family {
            Some(Family::Deb) => {
                let what = version.map_or_else(|| name.to_owned(), |version| format!("{name}={version}"));
                let install = |tool: &Self| {
                    succeed(
                        tool.apt()
                            .args(["install", "--yes", "--allow-downgrades", "--no-install-recommends"])
                            .arg(&what),
                    )
                };
                match install(self) {
                    // Old or missing package lists are the usual reason.
                    Err(HostError::Command { .. }) => {
                        succeed(self.apt().arg("update"))?;
                        install(self).map(drop)
                    }
                    result => result.map(drop),
                }
            }
            Some(Family::Rpm) => {
                let what = version.map_or_else(|| name.to_owned(), |version| format!("{name}-{version}"));
                let mut command = program("dnf");
                if let Some(prefix) = &self.prefix {
                    command.arg(format!("--installroot={prefix}"));
                }
                succeed(
                    command.args(["install", "--assumeyes", "--setopt=install_weak_deps=False"]).arg(what),
                )
                .map(drop)
            }
            None => Err(HostError::Other(format!(
                "package {name} cannot be installed: there is no distribution under this root"
            ))),
        }
    }

    /// Removes a package unless others need it: then it is left, and said to be.
    pub(super) fn remove(&self, name: &str) -> Result<Option<String>, HostError> {
        let mut command = match self.family {
            Some(Family::Deb) => {
                let mut command = program("dpkg");
                if let Some(prefix) = &self.prefix {
                    command.arg(format!("--root={prefix}"));
                }
                command.args(["--remove", name]);
                command
            }
            Some(Family::Rpm) => {
                let mut command = program("rpm");
                if let Some(prefix) = &self.prefix {
                    command.args(["--root", prefix]);
                }
                command.args(["--erase", "--", name]);
                command
            }
            None => return Ok(None),
        };
        command.env("DEBIAN_FRONTEND", "noninteractive");
        let ended = run(&mut command)?;
        if ended.status.success() {
            Ok(None)
        } else if ended.stderr.contains("depend") || ended.stderr.contains("is needed by") {
            Ok(Some("left: other packages need it".to_owned()))
        } else {
            Err(failed(&command, &ended))
        }
    }

    fn apt(&self) -> Command {
        let mut command = match &self.prefix {
            None => program("apt-get"),
            Some(prefix) => {
                let mut command = program("chroot");
                command.args([prefix, "apt-get"]);
                command
            }
        };
        command.env("DEBIAN_FRONTEND", "noninteractive").args([
            "--quiet",
            "--option=Dpkg::Options::=--force-confold",
            "--option=DPkg::Lock::Timeout=120",
        ]);
        command
    }
}
