//! `component.yaml`: the whole description of a component, as its developer writes it.

mod calendar;
mod command;
mod description;
mod key_line;
mod launch;
mod packaged_file;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

pub use command::CommandLine;
pub use description::check_component_description;
use description::{check_os_package_names, check_replaced_paths, check_requirements};
pub use launch::{LaunchSettings, RestartPolicy, ScheduledJob, TomcatContext};
pub use packaged_file::{
    FileMode, PackagedEntrySource, PackagedFileEntry, check_package_path,
    check_source_path_stays_in_component,
};
use serde::Deserialize;
pub use texts::{check_and_normalize_multiline_text, check_single_line_text};

use super::{FormatError, yaml};
use crate::{
    component::{ComponentKind, OsPackageRequirements},
    name::{Key, Name},
    parameter::Parameter,
    version::VersionRange,
};

/// The first line of every `component.yaml`.
pub const COMPONENT_FORMAT_NAME_AND_VERSION: &str = "geppetto/component/1";

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
    pub files: Vec<PackagedFileEntry>,
    /// A daemon: becomes a systemd service named like the component.
    pub launch: Option<LaunchSettings>,
    /// A job run at given times: becomes a systemd timer and service named like the component.
    pub schedule: Option<ScheduledJob>,
    /// A web archive served by Tomcat.
    pub tomcat: Option<TomcatContext>,
    /// Other components needed on the same host, and in which versions: `base-lib: ">=1.2, <2"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub requires: BTreeMap<Name, VersionRange>,
    /// Packages of the operating system that are needed.
    #[serde(default)]
    pub os_packages: OsPackageRequirements,
    /// Files and folders of the host that the payload may replace: paths, with everything below them, or patterns (`*`,
    /// `?`, `**`). They are saved, and put back when the component is removed.
    #[serde(default)]
    pub replaces: Vec<String>,
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
    pub fn rpm_arch_name(self) -> &'static str {
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
pub fn parse_component_yaml(file: &str, text: &str) -> Result<ComponentFile, Vec<FormatError>> {
    let mut read = yaml::parse_versioned_yaml_with_all_faults::<ComponentFile>(file, text);
    let Some(mut component) = read.document.take() else { return Err(read.errors) };
    let mut mistakes = component.check();
    // What is wrong is not missing too.
    let from_is_left_out = read.is_left_out("from");
    mistakes
        .retain(|(key, _)| !(read.is_left_out(key) || from_is_left_out && ["name", "version"].contains(key)));
    let mut errors = read.errors;
    if mistakes.is_empty() && errors.is_empty() {
        return Ok(component);
    }
    let error =
        |(key, message): (&str, String)| match key_line::find_key_line_for_message(text, key, &message) {
            Some(line) => FormatError::new_at_line(file, line, message),
            None => FormatError::new(file, message),
        };
    errors.extend(mistakes.into_iter().map(error));
    Err(errors)
}

/// The JSON Schema of `component.yaml`, for editors.
pub fn component_json_schema() -> serde_json::Value {
    schemars::schema_for!(ComponentFile).to_value()
}

impl yaml::VersionedYamlFormat for ComponentFile {
    const FORMAT: &'static str = COMPONENT_FORMAT_NAME_AND_VERSION;

    // A secret may have been written in place of a declaration, or as a default.
    const KEYS_WITHOUT_SECRETS: &'static [&'static str] = &[
        "format",
        "name",
        "version",
        "from",
        "release",
        "kind",
        "summary",
        "description",
        "license",
        "url",
        "arch",
        "build",
        "test",
        "files",
        "launch",
        "schedule",
        "tomcat",
        "requires",
        "os_packages",
        "replaces",
        "parameters.type",
        "parameters.required",
        "parameters.secret",
        "parameters.merge",
        "parameters.shared",
        "parameters.min",
        "parameters.max",
    ];

    const PLACEHOLDERS_OF_REQUIRED_KEYS: &'static [(&'static str, &'static str)] =
        &[("kind", "os-config"), ("summary", "Placeholder")];

    fn format(&self) -> &str {
        &self.format
    }
}

/// What is wrong, each with the key of the file it is about.
#[derive(Default)]
struct Mistakes(Vec<(&'static str, String)>);

impl Mistakes {
    fn add(&mut self, key: &'static str, message: impl Into<String>) {
        self.0.push((key, message.into()));
    }

    /// Takes the mistakes that `check` finds under `key`.
    fn collect(&mut self, key: &'static str, check: impl FnOnce(&mut Vec<String>)) {
        let mut found = Vec::new();
        check(&mut found);
        self.0.extend(found.into_iter().map(|message| (key, message)));
    }
}

impl ComponentFile {
    /// Checks what the types alone do not, and gives the description the line ends of Unix.
    fn check(&mut self) -> Vec<(&'static str, String)> {
        let mut mistakes = Mistakes::default();
        self.check_origin(&mut mistakes);
        self.check_texts(&mut mistakes);
        for (key, command) in [("build", &self.build), ("test", &self.test)] {
            if let Some(command) = command {
                mistakes.collect(key, |found| command.check_command(key, found));
            }
        }
        mistakes.collect("files", |found| self.check_files(found));
        mistakes.collect("replaces", |found| check_replaced_paths(&self.replaces, found));
        if let Some(launch) = &self.launch {
            mistakes.collect("launch", |found| launch.check_launch_settings("launch", found));
        }
        if let Some(schedule) = &self.schedule {
            mistakes.collect("schedule", |found| schedule.check_scheduled_job(found));
            if self.launch.is_some() {
                mistakes.add(
                    "schedule",
                    "`launch` and `schedule` both make the systemd service of the component; split it in two components",
                );
            }
        }
        if let Some(tomcat) = &self.tomcat {
            mistakes.collect("tomcat", |found| tomcat.check_tomcat_context(found));
        }
        mistakes.collect("os_packages", |found| check_os_package_names(&self.os_packages, found));
        if let Some(name) = &self.name {
            mistakes.collect("requires", |found| check_requirements(name, &self.requires, found));
        }
        mistakes.0
    }

    fn check_origin(&self, mistakes: &mut Mistakes) {
        if let Some(from) = &self.from {
            if !["pom.xml", "Cargo.toml", "package.json", "pyproject.toml"].contains(&from.as_str()) {
                mistakes.add("from", format!(
                    "`from: {}` is not a project file name and version can come from; write `pom.xml`, `Cargo.toml`, `package.json` or `pyproject.toml`",
                    shown(from)
                ));
            }
            return;
        }
        for (key, missing) in [("name", self.name.is_none()), ("version", self.version.is_none())] {
            if missing {
                mistakes.add(key, format!(
                    "`{key}` is missing; write it, or name the project file it comes from: `from: pom.xml`"
                ));
            }
        }
    }

    fn check_texts(&mut self, mistakes: &mut Mistakes) {
        for (key, text) in
            [("summary", Some(&self.summary)), ("license", self.license.as_ref()), ("url", self.url.as_ref())]
        {
            if let Some(Err(message)) = text.map(|text| check_single_line_text(key, text)) {
                mistakes.add(key, message);
            }
        }
        match self.description.as_ref().map(|text| check_and_normalize_multiline_text("description", text)) {
            Some(Ok(text)) => self.description = Some(text),
            Some(Err(message)) => mistakes.add("description", message),
            None => (),
        }
    }

    fn check_files(&self, mistakes: &mut Vec<String>) {
        let mut paths = BTreeSet::new();
        for entry in &self.files {
            entry.check_file_entry(mistakes);
            if !entry.path.ends_with('/')
                && entry.is_directory_or_symlink()
                && !paths.insert(entry.path.as_str())
            {
                mistakes.push(format!("`files` lists `{}` twice; keep one of the entries", entry.path));
            }
        }
    }
}

/// A text of the user's as an error may show it: short, and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
