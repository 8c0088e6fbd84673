//! References inside texts: `${component.parameter}`, `${server.name}`, `${server.environment}`.
//!
//! `$${` stands for `${` itself.

use crate::{
    name::{Key, Name},
    value::Value,
};

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TextOrReference<'a> {
    /// Stands for itself.
    Text(&'a str),
    /// What is inside `${}`.
    Reference(&'a str),
}

/// What a reference means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReferenceTarget {
    ServerName,
    ServerEnvironment,
    Value(Name, Key),
}

/// References to the server itself.
pub(super) const OWN_SERVER_REFERENCES: [&str; 2] = ["server.name", "server.environment"];

/// Whether anything in the value needs [`split_at_references`].
pub(super) fn has_references(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains("${"),
        Value::List(items) => items.iter().any(has_references),
        Value::Map(map) => map.values().any(has_references),
        _ => false,
    }
}

/// Cuts a text at its references; `None` when a `${` is never closed.
pub(super) fn split_at_references(text: &str) -> Option<Vec<TextOrReference<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let escaped = rest[..at].ends_with('$');
        let before = if escaped { at - 1 } else { at };
        if before > 0 {
            parts.push(TextOrReference::Text(&rest[..before]));
        }
        if escaped {
            parts.push(TextOrReference::Text(&rest[at..at + 2]));
            rest = &rest[at + 2..];
        } else {
            let end = at + rest[at..].find('}')?;
            parts.push(TextOrReference::Reference(&rest[at + 2..end]));
            rest = &rest[end + 1..];
        }
    }
    if !rest.is_empty() {
        parts.push(TextOrReference::Text(rest));
    }
    Some(parts)
}

/// What the inside of `${}` means; `None` when it is of no known form.
pub(super) fn parse_reference_target(inside: &str) -> Option<ReferenceTarget> {
    match inside.split_once('.')? {
        ("server", "name") => Some(ReferenceTarget::ServerName),
        ("server", "environment") => Some(ReferenceTarget::ServerEnvironment),
        ("server", _) => None,
        (component, key) => Some(ReferenceTarget::Value(Name::new(component).ok()?, Key::new(key).ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_references_and_escapes_stay_texts() {
        use TextOrReference::{Reference, Text};
        for (text, expected) in [
            ("plain $HOME {x}", vec![Text("plain $HOME {x}")]),
            ("${a.b}", vec![Reference("a.b")]),
            (
                "http://${server.name}:${a.b}/",
                vec![Text("http://"), Reference("server.name"), Text(":"), Reference("a.b"), Text("/")],
            ),
            ("$${a.b}", vec![Text("${"), Text("a.b}")]),
            ("$$${a.b}", vec![Text("$"), Text("${"), Text("a.b}")]),
            ("$${${a.b}", vec![Text("${"), Reference("a.b")]),
            ("", vec![]),
        ] {
            assert_eq!(split_at_references(text), Some(expected), "{text}");
        }
        assert_eq!(split_at_references("x ${a.b"), None);
    }

    #[test]
    fn server_name_is_a_reference_target_and_unknown_names_are_not() {
        assert_eq!(parse_reference_target("server.name"), Some(ReferenceTarget::ServerName));
        assert_eq!(parse_reference_target("server.nam"), None);
        assert_eq!(parse_reference_target("HOME"), None);
        assert_eq!(parse_reference_target("a.b.c"), None);
    }
}
