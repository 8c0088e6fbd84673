//! `component.yaml`: the whole description of a component, as its developer writes it.

mod command;
mod entry;
mod running;

use std::collections::{BTreeMap, BTreeSet};

pub use command::CommandLine;
pub use entry::{FileMode, FileSource, PackagedFile, check_package_path, check_source_path};
pub use running::{JobSchedule, LaunchCommand, RestartPolicy, TomcatContext};
use serde::Deserialize;

use super::{FormatError, yaml};
use crate::{
    component::{ComponentKind, OsRequirements},
    name::{Key, Name},
    parameter::Parameter,
    version::VersionRange,
};

/// The first line of every `component.yaml`.
pub const FORMAT: &str = "geppetto/component/1";

/// A `component.yaml`, read and checked; what it leaves to the project's own file is `None`.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "component.yaml")]
pub struct ComponentFile {
    /// The version of this format: `geppetto/component/1`.
    pub format: String,
    /// The component's name; taken from the file named by `from` when absent.
    #[schemars(with = "Option<String>")]
    pub name: Option<Name>,
    /// The version, without release: `1.2.0`; taken from the file named by `from` when absent.
    pub version: Option<String>,
    /// Where name and version come from when not given here: a `pom.xml`, `Cargo.toml`, `package.json` or
    /// `pyproject.toml` in the component's folder.
    pub from: Option<String>,
    /// Counts the packagings of one version, from 1.
    #[serde(default = "one")]
    pub release: String,
    /// What kind of component it is.
    pub kind: ComponentKind,
    /// One line about it, without a full stop.
    pub summary: String,
    /// Some sentences about it; the summary when absent.
    pub description: Option<String>,
    /// The licence, as an SPDX expression: `Apache-2.0`.
    pub license: Option<String>,
    /// Where to read more.
    pub url: Option<String>,
    /// Where the payload runs: `noarch` (anywhere) or `x86_64`.
    #[serde(default)]
    pub arch: Arch,
    /// Builds what is packaged; run in the component's folder before packaging.
    pub build: Option<CommandLine>,
    /// Tests the component; run in the component's folder by `punch test`.
    pub test: Option<CommandLine>,
    /// What the payload package holds.
    #[serde(default)]
    pub files: Vec<PackagedFile>,
    /// A daemon: becomes a systemd service named like the component.
    pub launch: Option<LaunchCommand>,
    /// A job run at given times: becomes a systemd timer and service named like the component.
    pub schedule: Option<JobSchedule>,
    /// A web archive served by Tomcat.
    pub tomcat: Option<TomcatContext>,
    /// Other components needed on the same host, and in which versions: `base-lib: ">=1.2, <2"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub requires: BTreeMap<Name, VersionRange>,
    /// Packages of the operating system that are needed.
    #[serde(default)]
    pub os_packages: OsRequirements,
    /// What can be configured, by key.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Parameter>")]
    pub parameters: BTreeMap<Key, Parameter>,
}

/// The architectures a payload can be of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// Runs anywhere: scripts, archives of Java, configuration.
    #[default]
    Noarch,
    /// 64-bit x86 programs.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Arch {
    /// The word in package names.
    pub fn word(self) -> &'static str {
        match self {
            Arch::Noarch => "noarch",
            Arch::X86_64 => "x86_64",
        }
    }
}

fn one() -> String {
    "1".to_owned()
}

/// Reads a `component.yaml` and checks all that can be checked without looking at a disk.
pub fn read(file: &str, text: &str) -> Result<ComponentFile, Vec<FormatError>> {
    let component: ComponentFile = yaml::read_document(file, text).map_err(|error| vec![error])?;
    let mistakes = component.check();
    if mistakes.is_empty() {
        Ok(component)
    } else {
        Err(mistakes.into_iter().map(|message| FormatError::new(file, message)).collect())
    }
}

/// The JSON Schema of `component.yaml`, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ComponentFile).to_value()
}

impl yaml::DocumentFormat for ComponentFile {
    const FORMAT: &'static str = FORMAT;

    fn format(&self) -> &str {
        &self.format
    }
}

impl ComponentFile {
    fn check(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if let Some(from) = &self.from {
            if !["pom.xml", "Cargo.toml", "package.json", "pyproject.toml"].contains(&from.as_str()) {
                mistakes.push(format!(
                    "`from: {}` is not a project file name and version can come from; write `pom.xml`, `Cargo.toml`, `package.json` or `pyproject.toml`",
                    shown(from)
                ));
            }
        } else {
            for (key, missing) in [("name", self.name.is_none()), ("version", self.version.is_none())] {
                if missing {
                    mistakes.push(format!(
                        "`{key}` is missing; write it, or name the project file it comes from: `from: pom.xml`"
                    ));
                }
            }
        }
        for (key, text) in
            [("summary", Some(&self.summary)), ("license", self.license.as_ref()), ("url", self.url.as_ref())]
        {
            if let Some(text) = text
                && (text.trim().is_empty() || text.chars().any(char::is_control) || text.len() > 500)
            {
                mistakes.push(format!(
                    "`{key}` must be one line of at most 500 characters, and not an empty one"
                ));
            }
        }
        if let Some(description) = &self.description
            && description.chars().any(|c| c.is_control() && c != '\n')
        {
            mistakes
                .push("`description` holds a control character; plain text is all it may hold".to_owned());
        }
        for command in [("build", &self.build), ("test", &self.test)] {
            if let (key, Some(command)) = command {
                command.check(key, &mut mistakes);
            }
        }
        let mut paths = BTreeSet::new();
        for entry in &self.files {
            entry.check(&mut mistakes);
            if !entry.path.ends_with('/') && entry.names_one_path() && !paths.insert(entry.path.as_str()) {
                mistakes.push(format!("`files` lists `{}` twice; keep one of the entries", entry.path));
            }
        }
        if let Some(launch) = &self.launch {
            launch.check("launch", &mut mistakes);
        }
        if let Some(schedule) = &self.schedule {
            schedule.check(&mut mistakes);
            if self.launch.is_some() {
                mistakes.push(
                    "`launch` and `schedule` both make the systemd service of the component; split it in two components"
                        .to_owned(),
                );
            }
        }
        if let Some(tomcat) = &self.tomcat {
            tomcat.check(&mut mistakes);
        }
        for name in self.os_packages.rpm.iter().chain(&self.os_packages.deb) {
            if !os_package(name) {
                mistakes.push(format!(
                    "`os_packages` holds `{}`, which is not a package name: letters, digits, `+`, `-`, `.`, `_`, starting with a letter or digit",
                    shown(name)
                ));
            }
        }
        if let Some(name) = &self.name
            && self.requires.contains_key(name)
        {
            mistakes.push(format!("`requires` names `{name}` itself; remove that line"));
        }
        mistakes
    }
}

fn os_package(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
}

/// A text of the user's as an error may show it: short, and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
