//! The node for Puppet: the YAML an external node classifier prints.
//!
//! Classes are components (`-` becomes `_`, as Puppet's names need) with their values as parameters.
//! Secrets are in it, as Puppet needs them; it is for the server's own Puppet only. Every text is in double quotes:
//! Ruby reads YAML 1.1, in which a plain `80,443` is a number and a plain `no` is false.

use std::fmt::Write;

use crate::{
    format::yaml_flow_style::{write_name_as_key, write_quoted_text, write_value_in_flow_style},
    node::Node,
};

/// Returns the node as an external node classifier's answer.
pub fn node_to_enc_yaml(node: &Node) -> String {
    let mut text = String::from("---\nenvironment: ");
    write_quoted_text(&mut text, &puppet_name(node.environment.as_str()));
    text.push_str("\nclasses:");
    for (name, component) in &node.components {
        let is_empty = component.values.is_empty();
        text.push_str("\n  ");
        write_name_as_key(&mut text, &puppet_name(name.as_str()));
        text.push_str(if is_empty { ": {}" } else { ":" });
        for (key, value) in component.values.iter() {
            text.push_str("\n    ");
            write_name_as_key(&mut text, key.as_str());
            text.push_str(": ");
            write_value_in_flow_style(&mut text, &value.value);
        }
    }
    if node.components.is_empty() {
        text.push_str(" {}");
    }
    // The top-scope variable `$geppetto`.
    text.push_str("\nparameters:\n  geppetto:");
    for (key, value) in [
        ("server", node.server.as_str()),
        ("environment", node.environment.as_str()),
        ("channel", node.channel.as_str()),
    ] {
        _ = write!(text, "\n    {key}: ");
        write_quoted_text(&mut text, value);
    }
    _ = write!(text, "\n    generation: {}\n    versions:", node.generation);
    for (name, component) in &node.components {
        text.push_str("\n      ");
        write_name_as_key(&mut text, name.as_str());
        text.push_str(": ");
        write_quoted_text(&mut text, &component.version.to_string());
    }
    if node.components.is_empty() {
        text.push_str(" {}");
    }
    text.push('\n');
    text
}

fn puppet_name(name: &str) -> String {
    name.replace('-', "_")
}
