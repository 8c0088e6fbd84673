//! JSON Schemas of the formats people write, for editors and for the reference.

use schemars::JsonSchema;

use super::{
    environment::EnvironmentFile, group::GroupFile, node::NodeFile, role::RoleFile, server::ServerFile,
};

/// The schemas, each with the name of its file.
pub fn schemas() -> Vec<(&'static str, String)> {
    vec![
        ("role.schema.json", schema::<RoleFile>()),
        ("group.schema.json", schema::<GroupFile>()),
        ("environment.schema.json", schema::<EnvironmentFile>()),
        ("server.schema.json", schema::<ServerFile>()),
        ("node.schema.json", schema::<NodeFile>()),
    ]
}

fn schema<T: JsonSchema>() -> String {
    format!("{:#}\n", schemars::schema_for!(T).to_value())
}
