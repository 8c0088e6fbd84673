//! Parameters: the typed, documented keys a component declares.

use serde::{Deserialize, Serialize};

use crate::value::Value;

mod check;

pub use check::{MAX_NESTING, MAX_VALUE_SIZE, VALUE_ITEM_OVERHEAD, estimated_value_size};

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
    pub default: Option<Value>,
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
    /// The smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
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
