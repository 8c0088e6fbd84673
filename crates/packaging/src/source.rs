//! A component's folder: `component.yaml`, `deploy/` and the files they name.

mod absent_manifest;
mod default_manifest;
mod deploy;
pub mod project_metadata;
mod version_scheme;

use std::path::{Path, PathBuf};

use model::{
    component::{self, Component},
    deployment_manifest,
    format::{
        FormatError,
        component::{
            Arch, CommandLine, ComponentFile, LaunchSettings, PackagedFileEntry, ScheduledJob, TomcatContext,
            parse_component_yaml,
        },
    },
    version::Version,
};

pub use absent_manifest::AbsentManifest;
pub use deploy::DeployFolder;

/// The name of the file that describes a component.
pub const COMPONENT_YAML_FILE_NAME: &str = "component.yaml";

/// The manifest of a component, in its folder.
pub(crate) const MANIFEST_FILE: &str = "deploy/manifest.yaml";

/// A component, as its developer keeps it in a folder; everything that can be read before the build.
#[derive(Debug, Clone)]
pub struct ComponentSource {
    /// The folder, without symbolic links in its path.
    pub dir: PathBuf,
    /// The file that describes it: `component.yaml`, or a `pom.xml` that carries the description.
    pub file: String,
    /// The file that `description` comes from.
    pub description_file: String,
    /// What everything after packaging knows of it.
    pub component: Component,
    /// Some sentences about it.
    pub description: String,
    /// The licence, as an SPDX expression.
    pub license: Option<String>,
    /// Where to read more.
    pub url: Option<String>,
    /// Where the payload runs.
    pub arch: Arch,
    /// Builds what is packaged.
    pub build: Option<CommandLine>,
    /// Tests it.
    pub test: Option<CommandLine>,
    /// What the payload package holds.
    pub files: Vec<PackagedFileEntry>,
    /// A daemon.
    pub launch: Option<LaunchSettings>,
    /// A job run at given times.
    pub schedule: Option<ScheduledJob>,
    /// A web archive.
    pub tomcat: Option<TomcatContext>,
    /// What the deployment package holds besides the description.
    pub deploy: DeployFolder,
}

impl ComponentSource {
    /// Reads the component in `dir`; returns all errors in it.
    pub fn load_component_source(dir: &Path) -> Result<ComponentSource, Vec<FormatError>> {
        let one = |message: String| vec![FormatError::new(COMPONENT_YAML_FILE_NAME, message)];
        let root = dir.canonicalize().map_err(|error| {
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such folder".to_owned(),
                _ => format!("the folder cannot be opened: {error}"),
            };
            vec![FormatError::new(&dir.display().to_string(), message)]
        })?;
        if !root.is_dir() {
            let message = format!("it is no folder; name the folder that holds {COMPONENT_YAML_FILE_NAME}");
            return Err(vec![FormatError::new(&dir.display().to_string(), message)]);
        }
        let path = root.join(COMPONENT_YAML_FILE_NAME);
        let (written_in, file) = if path.exists() {
            let text = read_text(&path).map_err(one)?;
            (COMPONENT_YAML_FILE_NAME, parse_component_yaml(COMPONENT_YAML_FILE_NAME, &text))
        } else {
            match project_metadata::read_component_from_pom_xml(&root) {
                Some(file) => ("pom.xml", file),
                None => {
                    return Err(one(format!(
                        "there is none in `{}`; go to a component's folder, or make one with `punch new ARCHETYPE NAME`",
                        dir.display()
                    )));
                }
            }
        };
        let described = file.and_then(|file| describe(file, written_in, &root).map_err(|error| vec![error]));
        let mut errors_of_deploy = Vec::new();
        let deploy = DeployFolder::load_deploy_folder(&root, &mut errors_of_deploy);
        match described {
            Ok(described) if errors_of_deploy.is_empty() => Ok(described.assemble(root, deploy)),
            described => {
                let mut errors = described.err().unwrap_or_default();
                errors.extend(errors_of_deploy);
                // Only its shape: what the manifest says depends on the description.
                let manifest = deploy.manifest.iter();
                errors.extend(manifest.flat_map(|text| {
                    deployment_manifest::parse_manifest_yaml_with_all_faults(MANIFEST_FILE, text).errors
                }));
                Err(errors)
            }
        }
    }
}

/// A description merged with the metadata of the project's own file.
struct Described {
    file: ComponentFile,
    component: Component,
    description: String,
    written_in: String,
    description_file: String,
}

impl Described {
    fn assemble(self, dir: PathBuf, deploy: DeployFolder) -> ComponentSource {
        let Described { file, component, description, written_in, description_file } = self;
        let deploy = deploy.add_default_manifest_and_templates(
            &component,
            file.launch.as_ref(),
            file.schedule.is_some(),
            file.tomcat.as_ref(),
        );
        ComponentSource {
            dir,
            file: written_in,
            description_file,
            description,
            component,
            license: file.license,
            url: file.url,
            arch: file.arch,
            build: file.build,
            test: file.test,
            files: file.files,
            launch: file.launch,
            schedule: file.schedule,
            tomcat: file.tomcat,
            deploy,
        }
    }
}

/// Merges the description in the file `written_in` with the metadata of the project's own file.
fn describe(mut file: ComponentFile, written_in: &str, root: &Path) -> Result<Described, FormatError> {
    let from = file.from.clone().unwrap_or_else(|| "the project file".to_owned());
    let metadata = match &file.from {
        Some(from) => project_metadata::read_project_file_metadata(root, from)?,
        None => project_metadata::ProjectFileMetadata::default(),
    };
    let missing = |what: &str| {
        FormatError::new(&from, format!("it has no {what}; write `{what}:` in {COMPONENT_YAML_FILE_NAME}"))
    };
    let (name, name_file) = match file.name.clone() {
        Some(name) => (name, written_in),
        None => (metadata.name?.ok_or_else(|| missing("name"))?, from.as_str()),
    };
    if let Some(why) = component::reserved_component_name_problem(&name) {
        return Err(FormatError::new(name_file, why));
    }
    let (version, version_file) = match file.version.clone() {
        Some(version) => (version, written_in),
        None => (metadata.version?.ok_or_else(|| missing("version"))?, from.as_str()),
    };
    let version = Version::new(&version, Some(&file.release))
        .map_err(|error| FormatError::new(version_file, error.to_string()))?;
    for (text, field) in [(&mut file.license, metadata.license), (&mut file.url, metadata.url)] {
        if text.is_none() {
            *text = field?;
        }
    }
    let summary = file.summary.trim().to_owned();
    let (description, description_file) = match file.description.take() {
        Some(description) => (description, written_in),
        None => match metadata.description? {
            Some(description) => (description, from.as_str()),
            None => (summary.clone(), written_in),
        },
    };
    let setuid = file.files.iter().filter(|entry| entry.setuid);
    let component = Component {
        name,
        version,
        kind: file.kind,
        summary,
        requires: std::mem::take(&mut file.requires),
        os_packages: file.os_packages.clone(),
        parameters: std::mem::take(&mut file.parameters),
        replaces: std::mem::take(&mut file.replaces),
        setuid: setuid.map(|entry| entry.path.clone()).collect(),
    };
    Ok(Described {
        description: description.trim_end().to_owned(),
        component,
        written_in: written_in.to_owned(),
        description_file: description_file.to_owned(),
        file,
    })
}

/// Reads a text file that people write, without the byte order mark that some editors put before it.
fn read_text(path: &Path) -> Result<String, String> {
    let text = String::from_utf8(read_bytes(path)?).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// Reads a file that people write, refusing what cannot be one before it fills the memory.
fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;

    let most = model::format::yaml::MAX_YAML_BYTES as u64;
    let cannot = |error: std::io::Error| format!("it cannot be read: {error}");
    // Checked before opening: opening a pipe would block.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        return Err(format!("it has more than {most} bytes, so it is no file people write"));
    }
    Ok(bytes)
}
