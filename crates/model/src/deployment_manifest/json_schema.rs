//! The words of all kinds together: reading, the JSON Schema and the manual use these tables.

use serde_json::{Value, json};

use super::schema_types::{
    FieldSchema,
    FieldValueShape::{self, Command, Flag, List, Map, Mode, Number, Text, Texts},
    ResourceOrHealthCheckKindSchema,
};
use crate::{health::HEALTH_CHECK_SCHEMAS, resource::ResourceKind};

/// The fields every resource may have.
pub(super) const COMMON_RESOURCE_FIELD_SCHEMAS: &[FieldSchema] = &[
    ("present", Flag, "`false` removes it."),
    ("when", Flag, "`false` leaves it out."),
    ("each", List, "One resource for each of these; `item` is the one."),
    ("require", Texts, "Resources applied before this one: `user:shop`."),
    ("notify", Texts, "Services restarted, and commands run, when this one changed: `service:shop`."),
];

/// The words for resources, in the order of the manual.
pub(super) fn all_resource_schemas() -> Vec<&'static ResourceOrHealthCheckKindSchema> {
    ResourceKind::ALL_RESOURCE_KINDS.into_iter().flat_map(|kind| kind.definition_of_kind().schemas).collect()
}

/// The fields every health check may have.
pub(super) const COMMON_HEALTH_CHECK_FIELD_SCHEMAS: &[FieldSchema] = &[
    ("within", Number, "Seconds in which it must have succeeded once; 30 when left out."),
    ("when", Flag, "`false` leaves it out."),
];

/// The words for health checks.
pub(super) fn all_health_check_schemas() -> Vec<&'static ResourceOrHealthCheckKindSchema> {
    HEALTH_CHECK_SCHEMAS.iter().collect()
}

/// The JSON Schema of a manifest.
pub fn manifest_json_schema() -> Value {
    let list = |kinds: Vec<&ResourceOrHealthCheckKindSchema>, common: &[FieldSchema]| -> Value {
        kinds.into_iter().map(|kind| declaration(kind, common)).collect()
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Geppetto manifest",
        "description": "How a component is deployed: deploy/manifest.yaml. Every text may have holes: {{ parameter }}.",
        "type": "object",
        "additionalProperties": false,
        "required": ["format"],
        "properties": {
            "format": {"const": super::MANIFEST_FORMAT_NAME_AND_VERSION, "description": "The format of this file and its version."},
            "resources": {
                "description": "What must be on the host, in the order it is applied.",
                "type": "array",
                "items": {"oneOf": list(all_resource_schemas(), COMMON_RESOURCE_FIELD_SCHEMAS)},
            },
            "health": {
                "description": "What must answer at the end.",
                "type": "array",
                "items": {"oneOf": list(all_health_check_schemas(), COMMON_HEALTH_CHECK_FIELD_SCHEMAS)},
            },
        },
    })
}

fn declaration(kind: &ResourceOrHealthCheckKindSchema, common: &[FieldSchema]) -> Value {
    let mut properties = serde_json::Map::new();
    for (name, shape, about) in kind.fields.iter().chain(common) {
        properties.insert((*name).to_owned(), field(*shape, about));
    }
    properties.insert(kind.word.to_owned(), field(kind.subject.0, kind.subject.1));
    let required: Vec<&str> = std::iter::once(kind.word).chain(kind.required.iter().copied()).collect();
    json!({"title": kind.word, "type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn field(shape: FieldValueShape, about: &str) -> Value {
    let plain = match shape {
        Text => return json!({"description": about, "type": ["string", "number", "boolean"]}),
        Flag => json!({"type": "boolean"}),
        Number => json!({"type": "integer", "minimum": 0}),
        Mode => json!({"type": "string", "pattern": "^[0-7]{3,5}$"}),
        Texts => json!({"type": "array", "items": {"type": ["string", "number", "boolean"]}}),
        Command => {
            json!({"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}})
        }
        Map => json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
        List => json!({"type": "array"}),
    };
    // One hole alone may stand for a value of any type.
    json!({"description": about, "anyOf": [plain, {"type": "string", "pattern": "\\{\\{"}]})
}
