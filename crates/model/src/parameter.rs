//! Parameters: the typed, documented keys a component declares.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    name::{Key, Name},
    value::Value,
};

mod check;

pub use check::{
    MAX_ESTIMATED_VALUE_BYTES, MAX_VALUE_NESTING_DEPTH, VALUE_ITEM_OVERHEAD_BYTES, estimate_value_size,
};

/// A parameter a component declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// What it is for, in one sentence.
    pub description: String,
    /// The value when no place sets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub default: Option<Arc<Value>>,
    /// A place must set it; a server without a value has no node file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Never shown in a diff, log, report, page or error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// How values from several places become one.
    #[serde(default)]
    pub merge: MergeStrategy,
    /// The only values allowed (of type `string`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// The values read from each selected server (of type `servers`): `shop.http_port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<QualifiedParameterName>,
    /// Other servers may read this secret, into a parameter that is secret itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// The smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
}

/// A parameter of a component: `shop.http_port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QualifiedParameterName {
    /// The component.
    pub component: Name,
    /// The parameter.
    pub key: Key,
}

impl std::str::FromStr for QualifiedParameterName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(component, key)| {
            Some(Self { component: Name::new(component).ok()?, key: Key::new(key).ok()? })
        });
        parts.ok_or_else(|| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
            format!("`{shown}` is not `component.parameter`, like `shop.http_port`")
        })
    }
}

impl TryFrom<String> for QualifiedParameterName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<QualifiedParameterName> for String {
    fn from(name: QualifiedParameterName) -> String {
        name.to_string()
    }
}

impl std::fmt::Display for QualifiedParameterName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.component, self.key)
    }
}

impl schemars::JsonSchema for QualifiedParameterName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ParameterName".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A parameter: `component.parameter`." })
    }
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// Any text without NUL.
    String,
    /// A whole number of 64 bits.
    Integer,
    /// A number, whole or not.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A TCP or UDP port: 1 to 65535.
    Port,
    /// An absolute path without `..`.
    Path,
    /// A host name (RFC 1123) or an IP address.
    Host,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A URL with a scheme and a host.
    Url,
    /// A list of any values.
    List,
    /// A list of texts.
    StringList,
    /// A map from texts to any values.
    Map,
    /// Other servers: a place sets a selection, which becomes the list of the
    /// selected servers with their addresses and the values that `reads` names.
    Servers,
}

/// How the values of several places become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MergeStrategy {
    /// The strongest place wins whole.
    #[default]
    Replace,
    /// Lists are joined, strongest first, duplicates dropped.
    Append,
    /// Maps are joined key by key, at every depth, the strongest winning.
    Deep,
}
