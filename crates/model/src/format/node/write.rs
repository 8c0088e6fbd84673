//! Writing node files: keys line by line, each value in flow style on its line.
//!
//! Names need no quotes and every text has some, so that what is written reads back as it was, whatever is in it.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use ed25519_dalek::SigningKey;

use super::NodeFile;
use crate::{
    catalog::PackageFile,
    estate::RevisionAndAuthor,
    format::{
        signature::sign_node_yaml,
        yaml::VersionedYamlFormat,
        yaml_flow_style::{write_name_as_key, write_quoted_text, write_value_in_flow_style},
    },
    node::{
        Node, NodeComponent, NodeValue, RequirementProvenanceEntry, RequirementProvenanceKind,
        ValueProvenanceEntry,
    },
    value::Value,
};

/// Writes node files. A component that several nodes share is written once.
#[derive(Default)]
pub struct NodeYamlWriterWithSharedComponents {
    /// By the address of the component, which is held so that no other can get it.
    shared: HashMap<*const NodeComponent, (Arc<NodeComponent>, String)>,
}

impl NodeYamlWriterWithSharedComponents {
    /// Returns the text of a node file, unsigned: the same text for the same node.
    pub fn node_to_unsigned_yaml(&mut self, node: &Node) -> String {
        let mut text = format!("format: {}\nserver: ", NodeFile::FORMAT);
        write_quoted_text(&mut text, node.server.as_str());
        for (key, value) in [("environment", &node.environment), ("channel", &node.channel)] {
            _ = write!(text, "\n{key}: ");
            write_quoted_text(&mut text, value.as_str());
        }
        if node.epoch > 0 {
            _ = write!(text, "\nepoch: {}", node.epoch);
        }
        _ = write!(text, "\ngeneration: {}\ncomponents:", node.generation);
        if node.components.is_empty() {
            text.push_str(" {}");
        }
        text.push('\n');
        for (name, component) in &node.components {
            text.push_str("  ");
            write_name_as_key(&mut text, name.as_str());
            text.push_str(":\n");
            self.write_component(&mut text, component);
        }
        text
    }

    /// Returns the text of a node file, signed.
    pub fn node_to_signed_yaml(&mut self, node: &Node, key: &SigningKey) -> String {
        sign_node_yaml(&self.node_to_unsigned_yaml(node), key)
    }

    /// Returns the text of a node file to try on another machine: generation 0, and a placeholder for each secret.
    fn node_to_yaml_without_secrets(&mut self, node: &Node) -> String {
        let mut node = Node { epoch: 0, generation: 0, ..node.clone() };
        let mut secrets = Vec::new();
        for (name, component) in &mut node.components {
            if !component.values.values().any(|value| value.secret) {
                continue;
            }
            for (key, value) in
                Arc::make_mut(component).values.iter_parameter_values_mut().filter(|(_, value)| value.secret)
            {
                Arc::make_mut(value).value = Arc::new(Value::Text(format!("FILL-IN {name}.{key}")));
                secrets.push(format!("{name}.{key}"));
            }
        }
        let head = format!(
            "# What {} would get from the back-office, to try it on another machine:\n\
             #   punch apply FILE --repository FOLDER-OR-URL --root DIR\n",
            node.server
        );
        let note = match secrets.is_empty() {
            true => String::new(),
            false => format!("# Secrets are left out. Replace each FILL-IN: {}\n", secrets.join(", ")),
        };
        format!("{head}{note}{}", self.node_to_unsigned_yaml(&node))
    }

    fn write_component(&mut self, text: &mut String, component: &Arc<NodeComponent>) {
        // What only this node holds will not be written again.
        if Arc::strong_count(component) == 1 {
            return write_component(text, component);
        }
        let (_, written) = self.shared.entry(Arc::as_ptr(component)).or_insert_with(|| {
            let mut written = String::new();
            write_component(&mut written, component);
            (Arc::clone(component), written)
        });
        text.push_str(written);
    }
}

/// Returns the text of a node file to try on another machine: unsigned, of generation 0, and with a placeholder for each secret.
pub fn node_to_yaml_without_secrets(node: &Node) -> String {
    NodeYamlWriterWithSharedComponents::default().node_to_yaml_without_secrets(node)
}

fn write_component(text: &mut String, component: &NodeComponent) {
    text.push_str("    version: ");
    write_quoted_text(text, &component.version.to_string());
    if let Some(kind) = component.kind {
        _ = write!(text, "\n    kind: {}", kind.as_str());
    }
    for (key, package) in [("payload", &component.payload), ("deployment", &component.deployment)] {
        if let Some(package) = package {
            _ = write!(text, "\n    {key}: ");
            write_package(text, package);
        }
    }
    if !component.requirements.is_empty() {
        text.push_str("\n    requirements:");
        for requirement in component.requirements.iter() {
            text.push_str("\n    - ");
            write_requirement(text, requirement);
        }
    }
    if !component.values.is_empty() {
        text.push_str("\n    values:");
        for (key, value) in component.values.iter() {
            text.push_str("\n      ");
            write_name_as_key(text, key.as_str());
            text.push_str(": ");
            write_value_in_flow_style(text, &value.value);
        }
    }
    let mut secrets = component.values.iter().filter(|(_, value)| value.secret).peekable();
    if secrets.peek().is_some() {
        text.push_str("\n    secrets:");
        for (key, _) in secrets {
            text.push_str("\n    - ");
            write_name_as_key(text, key.as_str());
        }
    }
    let has_provenance = |value: &Arc<NodeValue>| !value.provenance.is_empty();
    if component.values.values().any(has_provenance) {
        text.push_str("\n    provenance:");
        for (key, value) in component.values.iter().filter(|(_, value)| has_provenance(value)) {
            text.push_str("\n      ");
            write_name_as_key(text, key.as_str());
            text.push(':');
            for entry in value.provenance.iter() {
                text.push_str("\n      - ");
                write_provenance(text, entry);
            }
        }
    }
    text.push('\n');
}

fn write_package(text: &mut String, package: &PackageFile) {
    for (start, value) in
        [("{name: ", &package.name), (", file: ", &package.file), (", sha256: ", &package.sha256)]
    {
        text.push_str(start);
        write_quoted_text(text, value);
    }
    _ = write!(text, ", size: {}}}", package.size);
}

fn write_requirement(text: &mut String, requirement: &RequirementProvenanceEntry) {
    text.push_str("{place: ");
    write_quoted_text(text, &requirement.place.to_string());
    match &requirement.what {
        RequirementProvenanceKind::Requires(range) | RequirementProvenanceKind::Constrains(range) => {
            text.push_str(", range: ");
            write_quoted_text(text, &range.to_string());
        }
        RequirementProvenanceKind::Removes => (),
        RequirementProvenanceKind::Excludes { version, requires } => {
            text.push_str(", excludes: ");
            write_quoted_text(text, &version.to_string());
            text.push_str(", requires: ");
            write_quoted_text(text, requires.as_str());
        }
    }
    if matches!(requirement.what, RequirementProvenanceKind::Constrains(_)) {
        text.push_str(", constrains: true");
    }
    _ = write!(text, ", effective: {}", requirement.effective);
    write_origin(text, requirement.origin.as_ref());
}

fn write_provenance(text: &mut String, entry: &ValueProvenanceEntry) {
    text.push_str("{place: ");
    write_quoted_text(text, &entry.place.to_string());
    if let Some(value) = &entry.value {
        text.push_str(", value: ");
        write_value_in_flow_style(text, value);
    }
    if entry.removes {
        text.push_str(", removes: true");
    }
    _ = write!(text, ", effective: {}", entry.effective);
    write_origin(text, entry.origin.as_ref());
}

fn write_origin(text: &mut String, origin: Option<&RevisionAndAuthor>) {
    if let Some(origin) = origin {
        _ = write!(text, ", revision: {}, by: ", origin.revision);
        write_quoted_text(text, &origin.by);
    }
    text.push('}');
}
