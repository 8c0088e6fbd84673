//! JSON values as YAML in block style, as people write it.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The YAML text of a map; `indent` is how deep its keys stand.
pub(super) fn write_yaml_map(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (key, value) in map {
        _ = write!(out, "{:indent$}{}:", "", scalar(key));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                write_yaml_map(out, inner, indent + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                for item in items {
                    _ = writeln!(out, "{:indent$}- {}", "", item_text(item));
                }
            }
            other => _ = writeln!(out, " {}", item_text(other)),
        }
    }
}

/// A value on one line.
fn item_text(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        // JSON is YAML.
        other => other.to_string(),
    }
}

/// A text, in quotes where it would be read as something else without.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@ ".contains(c))
        && !text.ends_with(' ')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text);
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}
