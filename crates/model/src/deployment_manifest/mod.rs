//! Manifests: `deploy/manifest.yaml`, with values filled in, becomes resources.
//!
//! The YAML is parsed first and every text in it is filled in afterwards, so a value can never add a key
//! or a list entry: it stays a value.

mod evaluate;
pub(crate) mod field_reader;
mod json_schema;
pub(crate) mod keyword_definitions;
mod lint;
mod read;
mod resource_body;

use std::collections::BTreeMap;

use crate::{health::HealthCheck, resource::Resource, value::Value};

pub use evaluate::{ManifestVariables, evaluate_manifest};
pub use json_schema::manifest_json_schema;
pub use lint::{lint_manifest, lint_manifest_yaml};
pub use read::{ManifestWithFaults, parse_manifest_yaml, parse_manifest_yaml_with_all_faults};

/// The format's name and version, on the first line of every manifest.
pub const MANIFEST_FORMAT_NAME_AND_VERSION: &str = "geppetto/manifest/1";

/// Files of a deployment, by their path in the folder they are read from: the component's, or its `templates/`.
pub type DeploymentFilesByPath = BTreeMap<String, Vec<u8>>;

/// A manifest as written: its shape is checked, its holes are not filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentManifest {
    /// Its name in errors.
    pub file: String,
    /// Its resources, in order.
    pub resources: Vec<ResourceOrHealthCheckDeclaration>,
    /// Its health checks, in order.
    pub health: Vec<ResourceOrHealthCheckDeclaration>,
}

/// One resource or health check as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceOrHealthCheckDeclaration {
    /// The word it starts with: `file`, `template`, `user`, `http`.
    pub kind: String,
    /// What follows that word: a path, a name, a URL, a command.
    pub subject: Value,
    /// Its line in the manifest.
    pub line: u64,
    /// Its other fields.
    pub fields: BTreeMap<String, ManifestFieldValue>,
}

/// A field as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestFieldValue {
    /// Its line in the manifest.
    pub line: u64,
    /// Its value, holes included.
    pub value: Value,
}

/// A manifest with its holes filled in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvaluatedManifest {
    /// The resources, in manifest order.
    pub resources: Vec<Resource>,
    /// The health checks, in manifest order.
    pub health: Vec<HealthCheck>,
}
