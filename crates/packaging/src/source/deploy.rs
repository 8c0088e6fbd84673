//! `deploy/`: the manifest and its templates, and what stands in for them when a component has none.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use model::{
    component::{Component, OsPackageRequirements},
    format::{
        FormatError,
        component::{LaunchSettings, TomcatContext},
    },
};

/// The largest template read, in bytes.
const MAX_TEMPLATE: u64 = 16 * 1024 * 1024;
/// The template of a Tomcat context a component gets when it has none of its own.
const CONTEXT_TEMPLATE: &str = "context.xml.j2";

/// What the deployment package holds besides the component's description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployFolder {
    /// The text of `deploy/manifest.yaml`, or the one that follows from `component.yaml`.
    pub manifest: Option<String>,
    /// `deploy/templates/**`, by path below `templates/`.
    pub templates: BTreeMap<String, Vec<u8>>,
}

impl DeployFolder {
    pub(super) fn load_deploy_folder(root: &Path, errors: &mut Vec<FormatError>) -> DeployFolder {
        let mut deploy = DeployFolder::default();
        let manifest = root.join("deploy/manifest.yaml");
        if manifest.symlink_metadata().is_ok() {
            match check_within_folder(root, &manifest).and_then(|()| super::read_text(&manifest)) {
                Ok(text) => deploy.manifest = Some(text),
                Err(message) => errors.push(FormatError::new("deploy/manifest.yaml", message)),
            }
        }
        let templates = root.join("deploy/templates");
        if templates.symlink_metadata().is_ok() {
            deploy.collect(root, &templates, "", errors);
        }
        deploy
    }

    fn collect(&mut self, root: &Path, dir: &Path, prefix: &str, errors: &mut Vec<FormatError>) {
        let shown = format!("deploy/templates/{prefix}");
        let refuse = |message: String| FormatError::new(shown.trim_end_matches('/'), message);
        if let Err(message) = check_within_folder(root, dir) {
            return errors.push(refuse(message));
        }
        let mut entries: Vec<_> = match fs::read_dir(dir) {
            Ok(entries) => entries.filter_map(Result::ok).collect(),
            Err(error) => return errors.push(refuse(format!("it cannot be read: {error}"))),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                errors.push(refuse("it holds a file whose name is not UTF-8".to_owned()));
                continue;
            };
            let key = format!("{prefix}{name}");
            let file = format!("deploy/templates/{key}");
            if let Err(message) = check_within_folder(root, &path) {
                errors.push(FormatError::new(&file, message));
            } else if path.is_dir() {
                if prefix.matches('/').count() > 16 {
                    errors.push(FormatError::new(&file, "folders are nested too deep"));
                } else {
                    self.collect(root, &path, &format!("{key}/"), errors);
                }
            } else {
                match read_bytes(&path) {
                    Ok(bytes) => drop(self.templates.insert(key, bytes)),
                    Err(message) => errors.push(FormatError::new(&file, message)),
                }
            }
        }
    }

    /// Adds what follows from `component.yaml` where the developer wrote nothing: a context for Tomcat, and a
    /// manifest that creates the account and runs the service.
    pub(super) fn add_default_manifest_and_templates(
        mut self,
        component: &Component,
        launch: Option<&LaunchSettings>,
        timer: bool,
        tomcat: Option<&TomcatContext>,
    ) -> DeployFolder {
        let name = &component.name;
        if tomcat.is_some() {
            self.templates.entry(CONTEXT_TEMPLATE.to_owned()).or_insert_with(|| {
                // Served from the archive itself: Tomcat keeps what it unpacked of an archive of the same time, and
                // all versions have the time of the source.
                format!("<Context docBase=\"/usr/share/{name}/{name}.war\" unpackWAR=\"false\"/>\n")
                    .into_bytes()
            });
        }
        if self.manifest.is_none() {
            self.manifest = default_manifest(component, launch, timer, tomcat);
        }
        self
    }
}

fn default_manifest(
    component: &Component,
    launch: Option<&LaunchSettings>,
    timer: bool,
    tomcat: Option<&TomcatContext>,
) -> Option<String> {
    use std::fmt::Write;

    let name = &component.name;
    let mut text = String::new();
    if let Some(launch) = launch {
        if launch.user != "root" {
            let _ = write!(text, "  - user: {}\n    system: true\n", launch.user);
        }
        let _ = write!(text, "  - service: {name}\n    enabled: true\n    running: true\n");
    }
    if timer {
        let _ = write!(text, "  - service: {name}.timer\n    enabled: true\n    running: true\n");
    }
    if let Some(tomcat) = tomcat {
        let _ = write!(
            text,
            "  - template: \"/etc/tomcat10/Catalina/localhost/{}\"\n    source: {CONTEXT_TEMPLATE}\n    mode: \"0644\"\n    notify: [service:tomcat10]\n  - service: tomcat10\n    enabled: true\n    running: true\n",
            tomcat.tomcat_context_file_name()
        );
    }
    let os_only = component.os_packages != OsPackageRequirements::default();
    if text.is_empty() && !os_only {
        return None;
    }
    let resources = if text.is_empty() { " []\n".to_owned() } else { format!("\n{text}") };
    Some(format!("format: geppetto/manifest/1\nresources:{resources}"))
}

/// Checks that `path` is, after following symbolic links, still inside `root`.
fn check_within_folder(root: &Path, path: &Path) -> Result<(), String> {
    match path.canonicalize() {
        Ok(real) if real.starts_with(root) => Ok(()),
        Ok(real) => Err(format!(
            "it is a symbolic link to `{}`, outside the component's folder; copy the file into the folder",
            real.display()
        )),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("it cannot be read: {error}");
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("it is neither a file nor a folder".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(cannot)?.take(MAX_TEMPLATE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_TEMPLATE {
        return Err(format!(
            "it has more than {MAX_TEMPLATE} bytes; put it in the payload (`files:`) instead"
        ));
    }
    Ok(bytes)
}
