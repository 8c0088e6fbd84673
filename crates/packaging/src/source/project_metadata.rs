//! Reads name, version and more from a project's own file, so that they are written only once.

mod maven;
mod toml_and_json;
mod xml_text;

use std::path::Path;

use model::{
    format::{
        FormatError,
        component::{ComponentFile, check_and_normalize_multiline_text, check_single_line_text},
    },
    name::Name,
};

use super::version_scheme::VersionScheme;

/// A field that a project file may state. An error counts only where `component.yaml` does not state the field itself.
pub type OptionalProjectFieldResult<T> = Result<Option<T>, FormatError>;

/// The metadata of a project's own file, as in `component.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFileMetadata {
    /// The name.
    pub name: OptionalProjectFieldResult<Name>,
    /// The version, as RPM writes it.
    pub version: OptionalProjectFieldResult<String>,
    /// Some sentences about it.
    pub description: OptionalProjectFieldResult<String>,
    /// The licence.
    pub license: OptionalProjectFieldResult<String>,
    /// Where to read more.
    pub url: OptionalProjectFieldResult<String>,
}

impl Default for ProjectFileMetadata {
    fn default() -> Self {
        Self { name: Ok(None), version: Ok(None), description: Ok(None), license: Ok(None), url: Ok(None) }
    }
}

/// Reads the project file `from` in the folder `root`.
pub fn read_project_file_metadata(root: &Path, from: &str) -> Result<ProjectFileMetadata, FormatError> {
    let text = || super::read_text(&root.join(from)).map_err(|message| FormatError::new(from, message));
    match from {
        "pom.xml" => {
            maven::PomWithParents::read_pom_with_parents(root).map(|pom| pom.project_metadata_of_pom())
        }
        "Cargo.toml" => toml_and_json::read_cargo_toml(root, &text()?),
        "package.json" => toml_and_json::read_package_json(&text()?),
        "pyproject.toml" => toml_and_json::read_pyproject_toml(&text()?),
        _ => Err(FormatError::new(from, "name and version cannot be read from it")),
    }
}

/// The description of a Maven project that carries it in properties `geppetto.*` of its `pom.xml`, if it does.
pub fn read_component_from_pom_xml(root: &Path) -> Option<Result<ComponentFile, Vec<FormatError>>> {
    if !root.join(maven::POM_FILE_NAME).exists() {
        return None;
    }
    match maven::PomWithParents::read_pom_with_parents(root) {
        Ok(pom) => pom.component_of_geppetto_properties(),
        Err(error) => Some(Err(vec![error])),
    }
}

/// Makes a component's name of a project's, which may have capitals, dots, underscores or a scope: `@acme/Shop.Web`
/// becomes `acme-shop-web`, so that the packages of two scopes never share a name.
fn component_name(text: &str) -> Result<Name, String> {
    let text = text.trim();
    let plain: String = text
        .strip_prefix('@')
        .unwrap_or(text)
        .chars()
        .map(|c| if "._/".contains(c) { '-' } else { c.to_ascii_lowercase() })
        .collect();
    Name::new(&plain).map_err(|error| format!("{error}; write `name:` in component.yaml"))
}

/// Checks a description of several lines.
fn description(text: &str) -> Result<String, String> {
    check_and_normalize_multiline_text("description", text)
        .map_err(|why| format!("{why}; or write `description:` in component.yaml"))
}

/// Checks a text of one line; one that is empty says nothing.
fn one_line(key: &str, text: String) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match check_single_line_text(key, &text) {
        Ok(()) => Ok(Some(text)),
        Err(why) => Err(format!("{why}; or write `{key}:` in component.yaml")),
    }
}

/// Makes RPM's version of another tool's.
fn rpm_version(scheme: VersionScheme, text: &str) -> Result<String, String> {
    scheme
        .to_rpm_version(text)
        .map_err(|why| format!("{why}, or write `version:` in component.yaml as RPM compares it"))
}
