//! What is wrong, or only unwise, in a component, found before anything is built.

mod replaced_paths;

use std::borrow::Cow;

use model::{
    component::Component,
    deployment_manifest,
    fault::{Fault, Severity},
    format::component::{PackagedEntrySource, PackagedFileEntry, check_component_description},
    name::Key,
};

use crate::source::{COMPONENT_YAML_FILE_NAME, ComponentSource, MANIFEST_FILE};

/// Looks at a component without building it.
pub fn lint_component(source: &ComponentSource) -> Vec<Fault> {
    let mut notes = Notes::default();
    notes.texts(source);
    notes.files(source);
    notes.replaced_paths(source);
    notes.deployment(source);
    let mut faults = notes.0;
    faults.sort_by_key(|fault| fault.severity);
    for fault in &mut faults {
        fault.component = Some(source.component.name.clone());
    }
    faults
}

/// What is wrong in a component's description, whether it is read from `component.yaml` or from the `component.json` of a
/// package.
pub(crate) fn find_description_errors(component: &Component) -> Vec<Fault> {
    let mut faults: Vec<Fault> =
        check_component_description(component).into_iter().map(Fault::new_error).collect();
    for (key, parameter) in &component.parameters {
        faults.extend(parameter.check_declaration().into_iter().map(|message| Fault {
            key: Some(key.clone()),
            ..Fault::new_error(format!("the parameter `{key}`: {message}"))
        }));
    }
    faults
}

/// What is wrong with one path of a payload, whether it is an entry of `files` or in a package.
pub(crate) fn find_payload_path_errors(path: &str, mode: Option<u16>, is_directory: bool) -> Vec<String> {
    let mut errors = Vec::new();
    let volatile = ["/proc", "/sys", "/dev", "/run", "/tmp", "/var/run", "/var/tmp"];
    if volatile.into_iter().any(|top| is_at_or_below(path, top)) {
        errors.push(format!(
            "`files` puts something at `{path}`, which does not survive a reboot; let the program or systemd make it"
        ));
    }
    if let Some(mode) = mode
        && mode & 0o002 != 0
        && !(is_directory && mode & 0o1000 != 0)
    {
        errors.push(format!(
            "`{path}` has mode {mode:04o}, so every account of the host could change it; use 0644 or 0755"
        ));
    }
    errors
}

fn is_at_or_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[derive(Default)]
struct Notes(Vec<Fault>);

impl Notes {
    fn fatal(&mut self, file: &str, message: impl Into<String>) {
        self.add(Severity::Error, file, message.into());
    }

    fn warn(&mut self, file: &str, message: impl Into<String>) {
        self.add(Severity::Warning, file, message.into());
    }

    fn add(&mut self, severity: Severity, file: &str, message: String) {
        self.0.push(Fault { severity, file: Some(file.to_owned()), ..Fault::new_error(message) });
    }

    /// Says that the last fault is about this parameter.
    fn name_parameter(&mut self, key: &Key) {
        if let Some(fault) = self.0.last_mut() {
            fault.key = Some(key.clone());
        }
    }

    fn texts(&mut self, source: &ComponentSource) {
        let summary = &source.component.summary;
        if summary.ends_with('.') {
            self.warn(&source.file, "`summary` ends with a full stop; package lists show it better without");
        }
        if summary.chars().count() > 79 {
            self.warn(&source.file, "`summary` has more than 79 characters; move the rest to `description`");
        }
        if summary.starts_with(|c: char| c.is_lowercase()) {
            self.warn(
                &source.file,
                "`summary` starts with a small letter; package lists start with capitals",
            );
        }
        if source.license.is_none() {
            self.warn(
                &source.file,
                "`license` is missing; write an SPDX expression, for instance `license: Apache-2.0`",
            );
        }
        if source.url.is_none() {
            self.warn(&source.file, "`url` is missing; add the address of the component's documentation");
        }
        if source.description.split_whitespace().any(|word| word.chars().count() > 79) {
            self.warn(
                &source.description_file,
                "`description` has a word of more than 79 characters; packages cannot break it",
            );
        }
        if source.test.is_none() {
            self.warn(&source.file, "`test` is missing; `punch test` has nothing to run");
        }
        for fault in find_description_errors(&source.component) {
            self.0.push(Fault { file: Some(source.file.clone()), ..fault });
        }
        for (key, parameter) in &source.component.parameters {
            if parameter.description.trim().is_empty() {
                self.warn(&source.file, format!("the parameter `{key}` has no description"));
                self.name_parameter(key);
            }
        }
    }

    fn files(&mut self, source: &ComponentSource) {
        for entry in &source.files {
            self.entry(source, entry);
        }
        let nothing = source.files.is_empty()
            && source.launch.is_none()
            && source.schedule.is_none()
            && source.tomcat.is_none();
        if nothing && source.deploy.manifest.is_none() {
            self.warn(&source.file, "it has neither `files` nor a manifest, so it would deploy nothing");
        }
        if let Some(launch) = &source.launch
            && launch.user == "root"
            && launch.sandbox
        {
            self.warn(
                &source.file,
                "`launch.user` is root; let the manifest create an account for it, or write `sandbox: false` if it administers the host",
            );
        }
    }

    fn entry(&mut self, source: &ComponentSource, entry: &PackagedFileEntry) {
        let path = entry.path.trim_end_matches('/');
        let below = |top: &str| is_at_or_below(path, top);
        for message in find_payload_path_errors(path, entry.mode.map(|mode| mode.0), entry.directory) {
            self.fatal(&source.file, message);
        }
        for (top, better) in [
            ("/opt", "/usr/lib or /usr/share"),
            ("/usr/local", "/usr, which is where packages install"),
            ("/home", "/var/lib"),
            ("/root", "/var/lib"),
            ("/srv", "/usr/share or /var/lib"),
        ] {
            if below(top) {
                self.warn(
                    &source.file,
                    format!("`files` puts something at `{path}`; `{top}` belongs to the host's administrator, so use {better}"),
                );
            }
        }
        let regular = matches!(entry.source_symlink_or_directory(), PackagedEntrySource::Source(_));
        if let Some(mode) = entry.mode {
            let shown = format!("{:04o}", mode.0);
            if mode.0 & 0o6000 != 0 && regular && !entry.setuid {
                self.fatal(
                    &source.file,
                    format!("`{path}` has mode {shown}: it has the rights of its owner or group, whoever starts it; if you need that, add `setuid: true`"),
                );
            }
            if regular && mode.0 & 0o044 != 0o044 && !entry.config {
                self.warn(
                    &source.file,
                    format!("`{path}` has mode {shown}, but packages are readable by everybody; keep secrets in parameters"),
                );
            }
        }
        if regular && below("/etc") && !entry.config {
            self.warn(
                &source.file,
                format!("`{path}` is packaged in /etc; add `config: true`, or better make it a template in deploy/"),
            );
        }
        if let PackagedEntrySource::Source(from) = entry.source_symlink_or_directory()
            && from.split('/').all(|part| matches!(part, "" | "." | "**"))
        {
            self.warn(
                &source.file,
                format!("`files` takes `{from}`, which is the whole folder with its tests and notes; name what runs"),
            );
        }
        if let PackagedEntrySource::Source(from) = entry.source_symlink_or_directory()
            && source.build.is_none()
            && !from.contains(['*', '?'])
            && !source.dir.join(from).exists()
        {
            self.fatal(
                &source.file,
                format!("`files` takes `{from}`, which is not there; check the name, or add the command that makes it as `build:`"),
            );
        }
    }

    fn deployment(&mut self, source: &ComponentSource) {
        let mut templates = Cow::Borrowed(&source.deploy.templates);
        if let Some(absent) = &source.deploy.absent {
            for path in &absent.unread {
                if is_misnamed_manifest(path) {
                    self.fatal(
                        path,
                        format!(
                            "it is not read, as there is no {MANIFEST_FILE}; rename it to `{MANIFEST_FILE}`"
                        ),
                    );
                    continue;
                }
                let is_folder = path.ends_with('/');
                let message = match is_folder {
                    true => {
                        "nothing of this folder is read, as there is no deploy/manifest.yaml; if it holds the manifest, rename it to `deploy`"
                    }
                    false => {
                        "it is not read, as there is no deploy/manifest.yaml; write the manifest that uses it"
                    }
                };
                self.warn(path, message);
            }
            templates.to_mut().retain(|name, _| !absent.unread.contains(&format!("deploy/templates/{name}")));
        }
        let Some(text) = &source.deploy.manifest else { return };
        for mut fault in
            deployment_manifest::lint_manifest_yaml(MANIFEST_FILE, text, &templates, &source.component)
        {
            // It knows the deployment package, which has no folder `deploy`.
            fault.file = fault.file.map(|file| match file.strip_prefix("templates/") {
                Some(template) => format!("deploy/templates/{template}"),
                None if file == COMPONENT_YAML_FILE_NAME => source.file.clone(),
                None => file,
            });
            self.0.push(fault);
        }
    }
}

/// Whether a file that nothing reads is the manifest under a wrong name: `deploy/manifest.yml`.
fn is_misnamed_manifest(path: &str) -> bool {
    let lower = path.to_lowercase();
    [MANIFEST_FILE, "deploy/manifest.yml", "deploy/manifests.yaml", "deploy/manifests.yml"]
        .contains(&lower.as_str())
}
