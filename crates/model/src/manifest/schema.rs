//! The JSON Schema of manifests, made from the same tables that reading checks with.

use serde_json::{Map, Value, json};

use super::{
    FORMAT,
    read::{COMMON, HEALTH, HEALTH_COMMON, RESOURCES},
};

/// The JSON Schema of `deploy/manifest.yaml`, for editors.
///
/// Every place that takes a number, a flag or a list also takes a text, for it may be a template.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "deploy/manifest.yaml",
        "description": "How a component is deployed: resources to apply and health checks to pass.",
        "type": "object",
        "properties": {
            "format": {"description": "The format of this file and its version.", "type": "string", "const": FORMAT},
            "resources": {
                "description": "What the host must have, in the order it is applied.",
                "type": "array",
                "items": {"anyOf": entries(RESOURCES, COMMON)},
            },
            "health": {
                "description": "What must answer once everything is applied.",
                "type": "array",
                "items": {"anyOf": entries(HEALTH, HEALTH_COMMON)},
            },
        },
        "required": ["format"],
        "additionalProperties": false,
    })
}

fn entries(kinds: &[(&str, &[&str])], common: &[&str]) -> Vec<Value> {
    kinds
        .iter()
        .map(|(kind, own)| {
            let mut properties: Map<String, Value> =
                own.iter().chain(common).map(|name| ((*name).to_owned(), field(kind, name))).collect();
            let subject = if *kind == "command" { list() } else { text() };
            properties.insert((*kind).to_owned(), subject);
            json!({
                "title": kind,
                "type": "object",
                "properties": properties,
                "required": [kind],
                "additionalProperties": false,
            })
        })
        .collect()
}

fn field(kind: &str, name: &str) -> Value {
    match name {
        "system" | "enabled" | "running" | "reload" | "present" | "refresh_only" | "when" => {
            json!({"type": ["boolean", "string"]})
        }
        "uid" | "gid" | "timeout" | "status" | "within" => json!({"type": ["integer", "string"]}),
        "environment" => json!({"type": "object"}),
        "command" if kind == "cron" => text(),
        "groups" | "authorized_keys" | "require" | "notify" | "each" | "command" | "unless" | "only_if" => {
            list()
        }
        _ => text(),
    }
}

fn text() -> Value {
    json!({"type": "string"})
}

fn list() -> Value {
    json!({"type": ["array", "string"]})
}
