//! Deployments: a component's description, manifest and templates, read from its deployment package.

use std::{io::Read, path::Path};

use model::{
    component::{Component, DEPLOYMENTS_FOLDER},
    format::FormatError,
    manifest::{self, DeploymentFiles, Manifest},
    name::Name,
};

/// The largest file of a deployment that is read, in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// The most all files of a deployment may have together, in bytes.
pub(crate) const MAX_DEPLOYMENT_BYTES: u64 = 64 * 1024 * 1024;

/// How a component is deployed.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) component: Component,
    pub(crate) manifest: Manifest,
    pub(crate) templates: DeploymentFiles,
}

impl Deployment {
    /// Reads a deployment from its files, by path within the component's folder. `place` is where they
    /// are, for errors.
    pub(crate) fn from_files(name: &Name, place: &str, mut files: DeploymentFiles) -> Result<Self, String> {
        let component = files
            .remove("component.json")
            .ok_or_else(|| format!("{place} has no component.json; was it packaged by `punch package`?"))?;
        let component: Component = serde_json::from_slice(&component).map_err(|error| {
            format!("{place}/component.json is not what this version of punch reads: {error}")
        })?;
        if component.name != *name {
            return Err(format!("{place} describes component `{}`, not `{name}`", component.name));
        }
        let shown = format!("{name}/manifest.yaml");
        let manifest = match files.remove("manifest.yaml") {
            Some(bytes) => {
                let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8 text"))?;
                manifest::read_manifest(&shown, &text).map_err(|error: FormatError| error.to_string())?
            }
            None if files.contains_key("manifest.pp") => {
                return Err(format!(
                    "{place} has a Puppet manifest, which this version of punch does not apply; write manifest.yaml"
                ));
            }
            None => Manifest { file: shown, resources: Vec::new(), health: Vec::new() },
        };
        let templates = files
            .into_iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix("templates/")?.to_owned(), bytes)))
            .collect();
        Ok(Self { component, manifest, templates })
    }

    /// Reads a deployment from the package file `rpm`, without installing it.
    pub(crate) fn from_package(name: &Name, rpm: &Path) -> Result<Self, String> {
        let place = rpm.display();
        let broken = |error: rpm::Error| format!("{place} is not a readable package: {error}");
        let folder = format!("/{DEPLOYMENTS_FOLDER}/{name}/");
        let mut reader = rpm::PackageReader::open(rpm).map_err(broken)?;
        let mut files = DeploymentFiles::new();
        let mut total = 0;
        while let Some(mut file) = reader.next_file().map_err(broken)? {
            let path = file.metadata.path().to_string_lossy().into_owned();
            let Some(path) = path.strip_prefix(&folder).map(str::to_owned) else { continue };
            if file.metadata.mode().file_type() != rpm::FileType::Regular {
                continue;
            }
            let mut bytes = Vec::new();
            let read = (&mut file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
            read.map_err(|error| format!("{place} is not a readable package: {error}"))?;
            total += bytes.len() as u64;
            if bytes.len() as u64 > MAX_FILE_BYTES || total > MAX_DEPLOYMENT_BYTES {
                return Err(format!(
                    "{place} has more in {path} than a deployment may have ({MAX_FILE_BYTES} bytes a file, {MAX_DEPLOYMENT_BYTES} in all)"
                ));
            }
            files.insert(path, bytes);
        }
        Self::from_files(name, &format!("{place}:{folder}"), files)
    }
}
