//! The keywords of all kinds together: reading, the JSON Schema and the manual use these tables.

use serde_json::{Value, json};

use super::keyword_definitions::{
    DeclarationKeywordDefinition, FieldDefinition,
    FieldValueShape::{self, Command, Flag, List, Map, Mode, Number, Text, Texts},
};
use crate::{health::HEALTH_CHECK_KEYWORDS, resource::ResourceKind};

/// The fields every resource may have.
pub(super) const COMMON_RESOURCE_FIELDS: &[FieldDefinition] = &[
    ("present", Flag, "`false` removes it."),
    ("when", Flag, "`false` leaves it out."),
    ("each", List, "One resource for each of these; `item` is the one."),
    ("require", Texts, "Resources applied before this one: `user:shop`."),
    ("notify", Texts, "Services restarted, and commands run, when this one changed: `service:shop`."),
];

/// The keywords for resources, in the order of the manual.
pub(super) fn all_resource_keywords() -> Vec<&'static DeclarationKeywordDefinition> {
    ResourceKind::ALL_RESOURCE_KINDS.into_iter().flat_map(|kind| kind.definition_of_kind().keywords).collect()
}

/// The fields every health check may have.
pub(super) const COMMON_HEALTH_CHECK_FIELDS: &[FieldDefinition] = &[
    ("within", Number, "Seconds in which it must have succeeded once; 30 when left out."),
    ("when", Flag, "`false` leaves it out."),
];

/// The keywords for health checks.
pub(super) fn all_health_check_keywords() -> Vec<&'static DeclarationKeywordDefinition> {
    HEALTH_CHECK_KEYWORDS.iter().collect()
}

/// The JSON Schema of a manifest.
pub fn manifest_json_schema() -> Value {
    let list = |kinds: Vec<&DeclarationKeywordDefinition>, common: &[FieldDefinition]| -> Value {
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
                "items": {"oneOf": list(all_resource_keywords(), COMMON_RESOURCE_FIELDS)},
            },
            "health": {
                "description": "What must answer at the end.",
                "type": "array",
                "items": {"oneOf": list(all_health_check_keywords(), COMMON_HEALTH_CHECK_FIELDS)},
            },
        },
    })
}

fn declaration(kind: &DeclarationKeywordDefinition, common: &[FieldDefinition]) -> Value {
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
