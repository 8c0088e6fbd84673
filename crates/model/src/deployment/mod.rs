//! Deployments: what a deployment package says about its component, and what a host must be according to
//! all of them.
//!
//! `punch` reads the files from packages and folders, the control plane from its repository; what the files
//! mean is decided here for both.

pub(crate) mod default_owner;
mod evaluate;

use crate::{
    component::{COMPONENT_JSON_FILE_NAME, Component},
    deployment_manifest::{self, DeploymentFilesByPath, DeploymentManifest},
    fault::without_control_characters,
    format::FormatError,
    name::Name,
};

pub use evaluate::{check_component_requirements, evaluate_deployments};

/// The largest file of a deployment that is read, in bytes.
pub const MAX_DEPLOYMENT_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// The most all files of a deployment may have together, in bytes.
pub const MAX_DEPLOYMENT_TOTAL_BYTES: u64 = 64 * 1024 * 1024;

/// How a component is deployed.
#[derive(Debug, Clone)]
pub struct DeploymentDescription {
    /// The component's description.
    pub component: Component,
    /// What it needs on a host, its holes not filled in.
    pub manifest: DeploymentManifest,
    /// The files its manifest names.
    pub templates: DeploymentFilesByPath,
}

/// Why files are no deployment that can be applied. `place` says where the files are.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDeploymentError {
    /// There is no description of the component.
    #[error("{place} has no component.json; was it packaged by `punch package`?")]
    NoDescription {
        /// Where.
        place: String,
    },
    /// The description cannot be read.
    #[error(
        "{place}/component.json is not what this version of punch reads: {}",
        without_control_characters(.because.to_string())
    )]
    UnreadableDescription {
        /// Where.
        place: String,
        /// Why.
        because: serde_json::Error,
    },
    /// It is the deployment of another component.
    #[error("{place} describes component `{described}`, not `{expected}`")]
    OtherComponent {
        /// Where.
        place: String,
        /// What it describes.
        described: Name,
        /// What was looked for.
        expected: Name,
    },
    /// The manifest is no text.
    #[error("{file} is not UTF-8 text")]
    NotText {
        /// The manifest.
        file: String,
    },
    /// The manifest is written for Puppet.
    #[error("{place} has a Puppet manifest, which this version of punch does not apply; write manifest.yaml")]
    PuppetManifest {
        /// Where.
        place: String,
    },
    /// The manifest has a mistake.
    #[error("{0}")]
    DeploymentManifest(FormatError),
}

impl DeploymentDescription {
    /// Reads the deployment of component `name` from its files, by path within the component's folder.
    /// `place` is where the files are, for errors.
    pub fn parse_deployment_files(
        name: &Name,
        place: &str,
        mut files: DeploymentFilesByPath,
    ) -> Result<Self, InvalidDeploymentError> {
        let component = files
            .remove(COMPONENT_JSON_FILE_NAME)
            .ok_or_else(|| InvalidDeploymentError::NoDescription { place: place.to_owned() })?;
        let component: Component = serde_json::from_slice(&component).map_err(|because| {
            InvalidDeploymentError::UnreadableDescription { place: place.to_owned(), because }
        })?;
        if component.name != *name {
            return Err(InvalidDeploymentError::OtherComponent {
                place: place.to_owned(),
                described: component.name,
                expected: name.clone(),
            });
        }
        let file = format!("{name}/manifest.yaml");
        let manifest = match files.remove("manifest.yaml") {
            Some(bytes) => match String::from_utf8(bytes) {
                Ok(text) => deployment_manifest::parse_manifest_yaml(&file, &text)
                    .map_err(InvalidDeploymentError::DeploymentManifest)?,
                Err(_) => return Err(InvalidDeploymentError::NotText { file }),
            },
            None if files.contains_key("manifest.pp") => {
                return Err(InvalidDeploymentError::PuppetManifest { place: place.to_owned() });
            }
            None => DeploymentManifest { file, resources: Vec::new(), health: Vec::new() },
        };
        let templates = files
            .into_iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix("templates/")?.to_owned(), bytes)))
            .collect();
        Ok(Self { component, manifest, templates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str =
        r#"{"name": "shop", "version": "1.0.0", "kind": "web-service", "summary": "a shop"}"#;

    fn read(files: &[(&str, &str)]) -> Result<DeploymentDescription, String> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        DeploymentDescription::parse_deployment_files(&Name::new("shop").unwrap(), "/there", files)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn deployment_without_a_manifest_has_no_resources() {
        let read =
            read(&[("component.json", DESCRIPTION), ("templates/a/b.j2", "x"), ("other", "")]).unwrap();
        assert!(read.manifest.resources.is_empty());
        assert_eq!(read.templates.into_keys().collect::<Vec<_>>(), ["a/b.j2"]);
    }

    #[test]
    fn files_that_are_no_deployment_of_the_component_are_refused() {
        assert!(read(&[]).unwrap_err().starts_with("/there has no component.json"));
        assert!(read(&[("component.json", "{")]).unwrap_err().contains("not what this version"));
        let escape = DESCRIPTION.replace("kind", "\\u001b[2Jkind");
        let error = read(&[("component.json", &escape)]).unwrap_err();
        assert!(error.contains("unknown field") && !error.contains(char::is_control), "{error:?}");
        let other = DESCRIPTION.replace("\"shop\"", "\"till\"");
        assert!(read(&[("component.json", &other)]).unwrap_err().contains("component `till`, not `shop`"));
        let puppet = [("component.json", DESCRIPTION), ("manifest.pp", "")];
        assert!(read(&puppet).unwrap_err().contains("Puppet manifest"));
    }
}
