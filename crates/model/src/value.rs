//! Values of parameters: JSON's types, with integers kept exact.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// At most so many characters of a value are shown in an error.
const SHOWN_CHARACTERS: usize = 80;

/// A value, ordered so that the same value always has the same text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// No value at all (`null`, `~`).
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction; never NaN or infinite once checked.
    Number(f64),
    /// A text.
    Text(String),
    /// A list, in the order given.
    List(Vec<Value>),
    /// A map, in the order of its keys.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// What kind of value this is, in the words of the parameter types.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean(_) => "boolean",
            Value::Integer(_) => "integer",
            Value::Number(_) => "number",
            Value::Text(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "map",
        }
    }

    /// The value with its type, for an error: `the text "0999"`. Of a secret only the type.
    pub fn describe_with_type(&self, is_secret: bool) -> String {
        let kind = match self {
            Value::Null => return "nothing".to_owned(),
            Value::Boolean(_) => "value",
            Value::Integer(_) => "whole number",
            Value::Number(_) => "number",
            Value::Text(_) => "text",
            Value::List(_) => "list",
            Value::Map(_) => "map",
        };
        if is_secret {
            return format!("a {kind} that is secret and not shown");
        }
        let shown = self.to_string();
        let mut clipped: String = shown.chars().take(SHOWN_CHARACTERS).collect();
        if clipped.len() < shown.len() {
            clipped.push('…');
        }
        format!("the {kind} {clipped}")
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A value compared and hashed by what it is written as: `1` and `1.0` are two values.
#[derive(Debug, Clone, Copy)]
pub struct ValueComparedAsWritten<'v>(pub &'v Value);

impl PartialEq for ValueComparedAsWritten<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Value::Number(one), Value::Number(other)) => one.to_bits() == other.to_bits(),
            (Value::List(one), Value::List(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(other)
                        .all(|(one, other)| ValueComparedAsWritten(one) == ValueComparedAsWritten(other))
            }
            (Value::Map(one), Value::Map(other)) => {
                let is_same = |((key, value), (other_key, other)): ((&String, _), (&String, _))| {
                    key == other_key && ValueComparedAsWritten(value) == ValueComparedAsWritten(other)
                };
                one.len() == other.len() && one.iter().zip(other).all(is_same)
            }
            (one, other) => one == other,
        }
    }
}

impl Eq for ValueComparedAsWritten<'_> {}

impl Hash for ValueComparedAsWritten<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            Value::Null => (),
            Value::Boolean(flag) => flag.hash(state),
            Value::Integer(number) => number.hash(state),
            Value::Number(number) => number.to_bits().hash(state),
            Value::Text(text) => text.hash(state),
            Value::List(items) => items.iter().for_each(|item| ValueComparedAsWritten(item).hash(state)),
            Value::Map(map) => map.iter().for_each(|(key, value)| {
                key.hash(state);
                ValueComparedAsWritten(value).hash(state);
            }),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Boolean(flag)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl schemars::JsonSchema for Value {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A text, a whole number, a number, `true` or `false`, a list or a map.",
            "type": ["string", "integer", "number", "boolean", "array", "object", "null"],
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

/// Takes any shape; written by hand so that errors are sentences and no key is lost in silence.
struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Boolean(flag))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Integer).map_err(|_| too_large())
    }
    fn visit_i128<E: Error>(self, number: i128) -> Result<Value, E> {
        i64::try_from(number).map(Value::Integer).map_err(|_| too_large())
    }
    fn visit_u128<E: Error>(self, number: u128) -> Result<Value, E> {
        i64::try_from(number).map(Value::Integer).map_err(|_| too_large())
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        if number.is_finite() {
            Ok(Value::Number(number))
        } else {
            Err(E::custom("a number must be finite; put quotes around it if a text is meant"))
        }
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("a key of this map is written twice; keep one"));
            }
        }
        Ok(Value::Map(map))
    }
}

fn too_large<E: Error>() -> E {
    E::custom(
        "this whole number does not fit in 64 bits with a sign, so it must be at most 9223372036854775807; put quotes around it if a text is meant",
    )
}

/// Writes the value as one line of JSON, which is also YAML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
