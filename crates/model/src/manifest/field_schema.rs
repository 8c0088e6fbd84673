//! The words of a manifest: kinds and their fields. Reading, the JSON Schema and the manual all use these
//! tables; that of a kind is in the kind's file.

use serde_json::{Value, json};

use crate::{health::HEALTH_SCHEMAS, resource::ResourceKind};

/// A field: its name, what it holds, what it is for.
pub(crate) type FieldSchema = (&'static str, FieldShape, &'static str);

/// A kind of resource or health check.
pub(crate) struct ResourceSchema {
    /// The word a declaration starts with.
    pub(crate) word: &'static str,
    /// What follows that word.
    pub(crate) subject: (FieldShape, &'static str),
    /// Its own fields.
    pub(crate) fields: &'static [FieldSchema],
    /// Those of them that must be there.
    pub(crate) required: &'static [&'static str],
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldShape {
    /// A text, or what is written like one.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number, 0 or more.
    Number,
    /// Octal digits in quotes.
    Mode,
    /// A list of texts.
    Texts,
    /// Program and arguments.
    Command,
    /// A map from names to texts.
    Map,
    /// A list of anything.
    List,
}

use FieldShape::{Command, Flag, List, Map, Mode, Number, Text, Texts};

/// The fields every resource may have.
pub(super) const COMMON_FIELDS: &[FieldSchema] = &[
    ("present", Flag, "`false` removes it."),
    ("when", Flag, "`false` leaves it out."),
    ("each", List, "One resource for each of these; `item` is the one."),
    ("require", Texts, "Resources applied before this one: `user:shop`."),
    ("notify", Texts, "Services restarted, and commands run, when this one changed: `service:shop`."),
];

/// The words for resources, in the order of the manual.
pub(super) fn resource_schemas() -> Vec<&'static ResourceSchema> {
    ResourceKind::ALL.into_iter().flat_map(|kind| kind.rules().schemas).collect()
}

/// The fields every health check may have.
pub(super) const COMMON_HEALTH_FIELDS: &[FieldSchema] = &[
    ("within", Number, "Seconds in which it must have succeeded once; 30 when left out."),
    ("when", Flag, "`false` leaves it out."),
];

/// The words for health checks.
pub(super) fn health_schemas() -> Vec<&'static ResourceSchema> {
    HEALTH_SCHEMAS.iter().collect()
}

/// The JSON Schema of a manifest.
pub fn schema() -> Value {
    let list = |kinds: Vec<&ResourceSchema>, common: &[FieldSchema]| -> Value {
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
            "format": {"const": super::FORMAT, "description": "The format of this file and its version."},
            "resources": {
                "description": "What must be on the host, in the order it is applied.",
                "type": "array",
                "items": {"oneOf": list(resource_schemas(), COMMON_FIELDS)},
            },
            "health": {
                "description": "What must answer at the end.",
                "type": "array",
                "items": {"oneOf": list(health_schemas(), COMMON_HEALTH_FIELDS)},
            },
        },
    })
}

fn declaration(kind: &ResourceSchema, common: &[FieldSchema]) -> Value {
    let mut properties = serde_json::Map::new();
    for (name, shape, about) in kind.fields.iter().chain(common) {
        properties.insert((*name).to_owned(), field(*shape, about));
    }
    properties.insert(kind.word.to_owned(), field(kind.subject.0, kind.subject.1));
    let required: Vec<&str> = std::iter::once(kind.word).chain(kind.required.iter().copied()).collect();
    json!({"title": kind.word, "type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn field(shape: FieldShape, about: &str) -> Value {
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
