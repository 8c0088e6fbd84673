//! The words of a manifest: kinds and their fields. Reading, the JSON Schema and the manual all use this table.

use serde_json::{Value, json};

/// A field: its name, what it holds, what it is for.
pub(super) type FieldSchema = (&'static str, FieldShape, &'static str);

/// A kind of resource or health check.
pub(super) struct ResourceSchema {
    /// The word a declaration starts with.
    pub(super) word: &'static str,
    /// What follows that word.
    pub(super) subject: (FieldShape, &'static str),
    /// Its own fields.
    pub(super) fields: &'static [FieldSchema],
    /// Those of them that must be there.
    required: &'static [&'static str],
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldShape {
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

const OWNER: FieldSchema = ("owner", Text, "The user it belongs to.");
const GROUP: FieldSchema = ("group", Text, "The group it belongs to.");
const MODE: FieldSchema = ("mode", Mode, "Its permission bits, in quotes: \"0644\".");

/// The fields every resource may have.
pub(super) const COMMON_FIELDS: &[FieldSchema] = &[
    ("present", Flag, "`false` removes it."),
    ("when", Flag, "`false` leaves it out."),
    ("each", List, "One resource for each of these; `item` is the one."),
    ("require", Texts, "Resources applied before this one: `user:shop`."),
    ("notify", Texts, "Services restarted, and commands run, when this one changed: `service:shop`."),
];

/// The kinds of resource.
pub(super) const RESOURCE_SCHEMAS: &[ResourceSchema] = &[
    ResourceSchema {
        word: "file",
        subject: (Text, "A regular file with given content; its absolute path."),
        fields: &[
            ("content", Text, "Its content."),
            ("source", Text, "Copied as it is from deploy/templates."),
            OWNER,
            GROUP,
            MODE,
        ],
        required: &[],
    },
    ResourceSchema {
        word: "template",
        subject: (
            Text,
            "A regular file rendered from a template; its absolute path. Elsewhere it is called `file:PATH`.",
        ),
        fields: &[("source", Text, "The template, in deploy/templates."), OWNER, GROUP, MODE],
        required: &["source"],
    },
    ResourceSchema {
        word: "directory",
        subject: (Text, "A directory; its absolute path."),
        fields: &[OWNER, GROUP, MODE],
        required: &[],
    },
    ResourceSchema {
        word: "symlink",
        subject: (Text, "A symbolic link; its absolute path."),
        fields: &[("target", Text, "Where it points.")],
        required: &["target"],
    },
    ResourceSchema {
        word: "user",
        subject: (Text, "A user of the system; its name."),
        fields: &[
            ("uid", Number, "Its number."),
            ("group", Text, "Its primary group; its own one when left out."),
            ("groups", Texts, "Its further groups: these and no other."),
            ("home", Text, "Its home directory."),
            ("shell", Text, "Its login shell."),
            ("comment", Text, "Its full name or purpose."),
            ("system", Flag, "A system account, when it has to be made."),
            ("authorized_keys", Texts, "The lines of ~/.ssh/authorized_keys: these and no other."),
        ],
        required: &[],
    },
    ResourceSchema {
        word: "group",
        subject: (Text, "A group of the system; its name."),
        fields: &[
            ("gid", Number, "Its number."),
            ("system", Flag, "A system group, when it has to be made."),
        ],
        required: &[],
    },
    ResourceSchema {
        word: "service",
        subject: (Text, "A unit of systemd; its name, `.service` may be left out."),
        fields: &[
            ("enabled", Flag, "Whether it starts at boot."),
            ("running", Flag, "Whether it runs."),
            ("reload", Flag, "Reload instead of restart when notified."),
        ],
        required: &[],
    },
    ResourceSchema {
        word: "cron",
        subject: (Text, "A job of cron; the name of its file in /etc/cron.d."),
        fields: &[
            ("schedule", Text, "Five fields, or @hourly, @daily, @weekly, @monthly, @yearly, @reboot."),
            ("user", Text, "Who runs it; root when left out."),
            ("command", Text, "The command line."),
            ("environment", Map, "Variables set before it."),
        ],
        required: &["schedule", "command"],
    },
    ResourceSchema {
        word: "package",
        subject: (Text, "A package of the operating system; its name."),
        fields: &[(
            "version",
            Text,
            "Exactly this version, as the package tool writes it; any when left out.",
        )],
        required: &[],
    },
    ResourceSchema {
        word: "exec",
        subject: (Text, "A command run when its guard requires it; a name for it."),
        fields: &[
            (
                "command",
                Command,
                "The program with its absolute path, and its arguments; no shell in between.",
            ),
            ("creates", Text, "Run only if this path does not exist."),
            ("unless", Command, "Run only if this command fails."),
            ("only_if", Command, "Run only if this command succeeds."),
            ("refresh_only", Flag, "Run only when notified."),
            ("user", Text, "Who runs it; root when left out."),
            ("directory", Text, "Where it runs."),
            ("environment", Map, "Variables set before it."),
            ("timeout", Number, "Seconds before it is stopped; 300 when left out."),
        ],
        required: &["command"],
    },
];

/// The fields every health check may have.
pub(super) const COMMON_HEALTH_FIELDS: &[FieldSchema] = &[
    ("within", Number, "Seconds in which it must have succeeded once; 30 when left out."),
    ("when", Flag, "`false` leaves it out."),
];

/// The kinds of health check.
pub(super) const HEALTH_SCHEMAS: &[ResourceSchema] = &[
    ResourceSchema {
        word: "http",
        subject: (Text, "A URL that must answer: http://HOST:PORT/PATH."),
        fields: &[
            ("status", Number, "The status it must answer with; 200 when left out."),
            ("contains", Text, "A text the answer must hold."),
        ],
        required: &[],
    },
    ResourceSchema {
        word: "tcp",
        subject: (Text, "HOST:PORT that must accept a connection."),
        fields: &[],
        required: &[],
    },
    ResourceSchema {
        word: "command",
        subject: (
            Command,
            "A command that must succeed: the program with its absolute path, and its arguments.",
        ),
        fields: &[],
        required: &[],
    },
];

/// The JSON Schema of a manifest.
pub fn schema() -> Value {
    let list = |kinds: &[ResourceSchema], common: &[FieldSchema]| -> Value {
        kinds.iter().map(|kind| declaration(kind, common)).collect()
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
                "items": {"oneOf": list(RESOURCE_SCHEMAS, COMMON_FIELDS)},
            },
            "health": {
                "description": "What must answer at the end.",
                "type": "array",
                "items": {"oneOf": list(HEALTH_SCHEMAS, COMMON_HEALTH_FIELDS)},
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
