//! The server file: `servers/NAME.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    overrides::{
        RemovalText, RequirementsByComponent, ValuesByComponent, file_parts, overrides, reject_duplicates,
    },
    yaml::{self, DocumentFormat, FormatError},
};
use crate::{estate::Server, name::Name};

/// One host.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Server", title = "Geppetto server")]
pub(super) struct ServerFile {
    /// The format of this file and its version.
    #[schemars(extend("const" = "geppetto/server/1"))]
    format: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    /// The environment it is in.
    environment: Name,
    /// The groups it is in, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Name>,
    /// The roles it has, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Name>,
    /// Required components, each with its version range: `1.2.0`, `>=1.2, <2`, `^1.2`, `~1.2` or `*`.
    #[serde(default, skip_serializing_if = "RequirementsByComponent::is_empty")]
    components: RequirementsByComponent,
    /// Values, by component and parameter. `${component.parameter}`, `${server.name}` and
    /// `${server.environment}` are replaced; `$${` stands for `${` itself.
    #[serde(default, skip_serializing_if = "ValuesByComponent::is_empty")]
    values: ValuesByComponent,
    /// Inherited things to take away: `component`, `component.parameter` or `component.parameter.entry`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<RemovalText>,
}

impl DocumentFormat for ServerFile {
    const FORMAT: &'static str = "geppetto/server/1";
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads a server file; `file` is its name in errors.
pub fn read(file: &str, text: &str) -> Result<Server, FormatError> {
    let document: ServerFile = yaml::read_document(file, text)?;
    reject_duplicates(file, "groups", &document.groups)?;
    reject_duplicates(file, "roles", &document.roles)?;
    Ok(Server {
        description: document.description,
        environment: document.environment,
        groups: document.groups,
        roles: document.roles,
        overrides: overrides(document.components, document.values, document.remove),
    })
}

/// Writes a server file, the same text for the same server.
pub fn write(server: &Server) -> String {
    let (components, values, remove) = file_parts(&server.overrides);
    yaml::write(&ServerFile {
        format: ServerFile::FORMAT.to_owned(),
        description: server.description.clone(),
        environment: server.environment.clone(),
        groups: server.groups.clone(),
        roles: server.roles.clone(),
        components,
        values,
        remove,
    })
}
