//! Reads name, version and more from a project's own file, so that they are written only once.

mod maven;
mod tables;

use std::path::Path;

use model::{
    format::{FormatError, component::ComponentFile},
    name::Name,
    version::Version,
};

/// The facts of a project's own file, as in `component.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectMetadata {
    /// The name.
    pub name: Option<Name>,
    /// The version, as RPM writes it.
    pub version: Option<String>,
    /// Some sentences about it.
    pub description: Option<String>,
    /// The licence.
    pub license: Option<String>,
    /// Where to read more.
    pub url: Option<String>,
}

/// Reads the project file `from` in the folder `root`.
pub fn read_project_file(root: &Path, from: &str) -> Result<ProjectMetadata, FormatError> {
    let text = super::read_text(&root.join(from)).map_err(|message| FormatError::new(from, message))?;
    match from {
        "pom.xml" => maven::Pom::read(root, &text)?.facts(),
        "Cargo.toml" => tables::read_cargo_toml(root, &text),
        "package.json" => tables::read_package_json(&text),
        "pyproject.toml" => tables::read_pyproject_toml(&text),
        _ => Err(FormatError::new(from, "name and version cannot be read from it")),
    }
}

/// The description of a Maven project that carries it in properties `geppetto.*` of its `pom.xml`, if it does.
pub fn component_of_pom(root: &Path) -> Option<Result<ComponentFile, FormatError>> {
    let text = super::read_text(&root.join("pom.xml")).ok()?;
    match maven::Pom::read(root, &text) {
        Ok(pom) => pom.component(),
        Err(error) => Some(Err(error)),
    }
}

/// Makes a component's name of a project's, which may have capitals, dots, underscores or a scope.
fn component_name(file: &str, text: &str) -> Result<Name, FormatError> {
    let short = text.rsplit('/').next().unwrap_or(text);
    let plain: String =
        short.trim().chars().map(|c| if "._".contains(c) { '-' } else { c.to_ascii_lowercase() }).collect();
    Name::new(&plain)
        .map_err(|error| FormatError::new(file, format!("{error}; write `name:` in component.yaml")))
}

/// Makes RPM's version of another tool's.
fn rpm_version(file: &str, text: &str) -> Result<String, FormatError> {
    match Version::from_foreign(text) {
        Ok(version) => Ok(version.to_string()),
        Err(error) => Err(FormatError::new(file, format!("{error}; or write `version:` in component.yaml"))),
    }
}
