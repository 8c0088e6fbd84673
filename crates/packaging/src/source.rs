//! A component's folder: `component.yaml`, `deploy/` and the files they name.

mod deploy;
pub mod facts;

use std::path::{Path, PathBuf};

use model::{
    component::{self, Component},
    format::{
        FormatError,
        component::{
            Arch, CommandLine, ComponentFile, JobSchedule, LaunchCommand, PackagedFile, TomcatContext, read,
        },
    },
    version::Version,
};

pub use deploy::DeployFolder;

/// The name of the file that describes a component.
pub const COMPONENT_FILE: &str = "component.yaml";

/// A component, as its developer keeps it in a folder; everything that can be read before the build.
#[derive(Debug, Clone)]
pub struct ComponentSource {
    /// The folder, without symbolic links in its path.
    pub dir: PathBuf,
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
    pub files: Vec<PackagedFile>,
    /// A daemon.
    pub launch: Option<LaunchCommand>,
    /// A job run at given times.
    pub schedule: Option<JobSchedule>,
    /// A web archive.
    pub tomcat: Option<TomcatContext>,
    /// What the deployment package holds besides the description.
    pub deploy: DeployFolder,
}

impl ComponentSource {
    /// Reads the component in `dir`; returns all errors in it.
    pub fn load(dir: &Path) -> Result<ComponentSource, Vec<FormatError>> {
        let one = |message: String| vec![FormatError::new(COMPONENT_FILE, message)];
        let root = dir
            .canonicalize()
            .map_err(|error| one(format!("the folder `{}` cannot be opened: {error}", dir.display())))?;
        let path = root.join(COMPONENT_FILE);
        let file = if path.exists() {
            let text = read_text(&path).map_err(one)?;
            read(COMPONENT_FILE, &text)?
        } else {
            match facts::component_of_pom(&root) {
                Some(file) => file.map_err(|error| vec![error])?,
                None => {
                    return Err(one(format!(
                        "there is none in `{}`; go to a component's folder, or make one with `punch new ARCHETYPE NAME`",
                        dir.display()
                    )));
                }
            }
        };
        let mut errors = Vec::new();
        let component = match describe(&file, &root) {
            Ok(component) => Some(component),
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let deploy = DeployFolder::load(&root, &mut errors);
        match component {
            Some((component, facts)) if errors.is_empty() => {
                Ok(ComponentSource::assemble(root, file, component, facts, deploy))
            }
            _ => Err(errors),
        }
    }

    fn assemble(
        dir: PathBuf,
        file: ComponentFile,
        component: Component,
        facts: facts::ProjectMetadata,
        deploy: DeployFolder,
    ) -> ComponentSource {
        let description = file.description.or(facts.description).unwrap_or_else(|| component.summary.clone());
        let deploy = deploy.add_default_files(
            &component,
            file.launch.as_ref(),
            file.schedule.is_some(),
            file.tomcat.as_ref(),
        );
        ComponentSource {
            dir,
            description: description.trim_end().to_owned(),
            component,
            license: file.license.or(facts.license),
            url: file.url.or(facts.url),
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

/// Merges `component.yaml` with the facts of the project's own file.
fn describe(file: &ComponentFile, root: &Path) -> Result<(Component, facts::ProjectMetadata), FormatError> {
    let facts = match &file.from {
        Some(from) => facts::read_project_file(root, from)?,
        None => facts::ProjectMetadata::default(),
    };
    let missing = |what: &str| {
        let from = file.from.as_deref().unwrap_or("the project file");
        FormatError::new(from, format!("it has no {what}; write `{what}:` in {COMPONENT_FILE}"))
    };
    let name = file.name.clone().or(facts.name.clone()).ok_or_else(|| missing("name"))?;
    if let Some(why) = component::reserved_name_problem(&name) {
        let place =
            if file.name.is_some() { COMPONENT_FILE } else { file.from.as_deref().unwrap_or_default() };
        return Err(FormatError::new(place, why));
    }
    let version = match (&file.version, &facts.version) {
        (Some(text), _) => Version::new(text, Some(&file.release))
            .map_err(|error| FormatError::new(COMPONENT_FILE, error.to_string()))?,
        (None, Some(version)) => Version::new(version, Some(&file.release))
            .map_err(|error| FormatError::new(file.from.as_deref().unwrap_or_default(), error.to_string()))?,
        (None, None) => return Err(missing("version")),
    };
    let component = Component {
        name,
        version,
        kind: file.kind,
        summary: file.summary.trim().to_owned(),
        requires: file.requires.clone(),
        os_packages: file.os_packages.clone(),
        parameters: file.parameters.clone(),
    };
    Ok((component, facts))
}

/// Reads a text file that people write, refusing what cannot be one before it fills the memory.
fn read_text(path: &Path) -> Result<String, String> {
    use std::io::Read;

    let most = model::format::yaml::MAX_DOCUMENT_BYTES as u64;
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
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
