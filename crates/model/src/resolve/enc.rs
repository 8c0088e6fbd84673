//! The node for Puppet: the YAML an external node classifier prints.
//!
//! Classes are components (`-` becomes `_`, as Puppet's names need) with their values as parameters.
//! Secrets are in it, as Puppet needs them; it is for the server's own Puppet only.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{format::yaml, node::Node, value::Value};

#[derive(Serialize)]
struct EncDocument<'a> {
    environment: String,
    classes: BTreeMap<String, BTreeMap<&'a str, &'a Value>>,
    parameters: BTreeMap<&'static str, Facts<'a>>,
}

/// The top-scope variable `$geppetto`.
#[derive(Serialize)]
struct Facts<'a> {
    server: &'a str,
    environment: &'a str,
    channel: &'a str,
    generation: u64,
    versions: BTreeMap<&'a str, String>,
}

/// Writes the node as an external node classifier's answer.
pub fn enc(node: &Node) -> String {
    let components = || node.components.iter();
    yaml::write(&EncDocument {
        environment: puppet_name(node.environment.as_str()),
        classes: components()
            .map(|(name, component)| {
                let values = component.values.iter().map(|(key, value)| (key.as_str(), &value.value));
                (puppet_name(name.as_str()), values.collect())
            })
            .collect(),
        parameters: [(
            "geppetto",
            Facts {
                server: node.server.as_str(),
                environment: node.environment.as_str(),
                channel: node.channel.as_str(),
                generation: node.generation,
                versions: components()
                    .map(|(name, component)| (name.as_str(), component.version.to_string()))
                    .collect(),
            },
        )]
        .into(),
    })
}

fn puppet_name(name: &str) -> String {
    name.replace('-', "_")
}
