//! Values in YAML's flow style, which is also JSON: every text is in double quotes, so that readers of YAML 1.1 (Ruby)
//! and 1.2 read the same.

use std::fmt::Write;

use crate::value::Value;

/// The longest key that YAML lets stand without a `?` before it is 1,024 characters long.
const MAX_IMPLICIT_KEY: usize = 1000;

/// Writes a value on one line.
pub(crate) fn write_value_in_flow_style(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Boolean(flag) => _ = write!(text, "{flag}"),
        Value::Integer(number) => _ = write!(text, "{number}"),
        Value::Number(number) => write_number(text, *number),
        Value::Text(value) => write_quoted_text(text, value),
        Value::List(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                write_value_in_flow_style(text, item);
            }
            text.push(']');
        }
        Value::Map(map) => {
            text.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                text.push_str(if key.len() > MAX_IMPLICIT_KEY { "? " } else { "" });
                write_quoted_text(text, key);
                text.push_str(": ");
                write_value_in_flow_style(text, value);
            }
            text.push('}');
        }
    }
}

/// Writes a name that is the key of a map: in quotes only where YAML 1.1 or 1.2 would read something else.
pub(crate) fn write_name_as_key(text: &mut String, key: &str) {
    const OTHER_MEANING: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    match OTHER_MEANING.contains(&key) {
        true => write_quoted_text(text, key),
        false => text.push_str(key),
    }
}

/// Writes a text in double quotes. What is no printable character of YAML, or a line break in YAML 1.1, is escaped.
pub(crate) fn write_quoted_text(text: &mut String, value: &str) {
    text.push('"');
    let mut plain = 0;
    for (at, c) in value.char_indices() {
        if !needs_escape(c) {
            continue;
        }
        text.push_str(&value[plain..at]);
        plain = at + c.len_utf8();
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            // Below U+10000: those above need no escape.
            c => _ = write!(text, "\\u{:04x}", u32::from(c)),
        }
    }
    text.push_str(&value[plain..]);
    text.push('"');
}

fn needs_escape(c: char) -> bool {
    matches!(
        c,
        '"' | '\\' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

/// Writes a number so that it is read as a number with a fraction, also by YAML 1.1, which wants a `.` in it.
fn write_number(text: &mut String, number: f64) {
    let written = format!("{number:?}");
    match written.split_once('e') {
        Some((mantissa, exponent)) => {
            let fraction = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            _ = write!(text, "{mantissa}{fraction}e{sign}{exponent}");
        }
        None => text.push_str(&written),
    }
}
