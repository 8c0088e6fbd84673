//! JSON Schemas of the formats people write, for editors and for the reference.

use schemars::JsonSchema;

use super::{
    component, environment::EnvironmentFile, group::GroupFile, node::NodeFile, role::RoleFile,
    server::ServerFile,
};
use crate::deployment_manifest;

/// The schemas, each with the name of its file.
pub fn file_format_json_schemas() -> Vec<(&'static str, String)> {
    vec![
        ("component.schema.json", text(&component::component_json_schema())),
        ("manifest.schema.json", text(&deployment_manifest::manifest_json_schema())),
        ("role.schema.json", schema::<RoleFile>()),
        ("group.schema.json", schema::<GroupFile>()),
        ("environment.schema.json", schema::<EnvironmentFile>()),
        ("server.schema.json", schema::<ServerFile>()),
        ("node.schema.json", schema::<NodeFile>()),
    ]
}

fn schema<T: JsonSchema>() -> String {
    text(&schemars::schema_for!(T).to_value())
}

fn text(schema: &serde_json::Value) -> String {
    format!("{schema:#}\n")
}
