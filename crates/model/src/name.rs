//! Names: what things may be called, checked once, when they come in. A clone shares the text.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: {why}")]
pub struct NameError {
    what: &'static str,
    text: String,
    why: &'static str,
}

fn name_error(what: &'static str, text: &str, why: &'static str) -> NameError {
    let mut text: String = text.chars().take(80).collect();
    text.retain(|c| !c.is_control());
    NameError { what, text, why }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:path, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks `text` and makes it a name.
            pub fn new(text: &str) -> Result<Self, NameError> {
                match $check(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(why) => Err(name_error($what, text, why)),
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A component, role, group, environment or channel: `shop`, `web-base`.
    Name, "name", check_label, "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
);
name!(
    /// A server: one or more labels joined by dots, as in DNS (RFC 1123): `web-01`, `web-01.example.org`.
    ServerName, "server name", check_host, "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
);
name!(
    /// A parameter of a component, or a key of its templates: `http_port`.
    Key, "parameter name", check_key, "^[a-z][a-z0-9_]{0,62}$"
);

name!(
    /// The MAC address of a network interface, in lower case: `52:54:00:12:34:56`.
    MacAddress, "MAC address", check_mac, "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"
);

fn check_mac(text: &str) -> Result<(), &'static str> {
    let is_pair = |pair: &str| {
        pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    match text.split(':').count() == 6 && text.split(':').all(is_pair) {
        true => Ok(()),
        false => Err("it must be six pairs of lower-case hexadecimal digits, like `52:54:00:12:34:56`"),
    }
}

fn check_label(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > 63 {
        return Err("it must have 1 to 63 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err("it must start with a lower-case letter");
    }
    if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        return Err("only lower-case letters, digits and `-` are allowed");
    }
    if text.ends_with('-') {
        return Err("it must not end with `-`");
    }
    Ok(())
}

fn check_host(text: &str) -> Result<(), &'static str> {
    if text.len() > 253 {
        return Err("it must have at most 253 characters");
    }
    for part in text.split('.') {
        if part.is_empty() || part.len() > 63 {
            return Err("each part between dots must have 1 to 63 characters");
        }
        if !part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            return Err("only lower-case letters, digits, `-` and `.` are allowed");
        }
        if part.starts_with('-') || part.ends_with('-') {
            return Err("no part may start or end with `-`");
        }
    }
    Ok(())
}

fn check_key(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > 63 {
        return Err("it must have 1 to 63 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err("it must start with a lower-case letter");
    }
    if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        return Err("only lower-case letters, digits and `_` are allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_names_are_refused_with_the_reason() {
        for text in ["", "-a", "a-", "A", "a b", "../etc", "a/b", "é", &"a".repeat(64)] {
            assert!(Name::new(text).is_err(), "{text}");
        }
        assert_eq!(
            Name::new("Shop").unwrap_err().to_string(),
            "`Shop` is not a name: it must start with a lower-case letter"
        );
        assert!(ServerName::new("web-01.example.org").is_ok());
        assert!(ServerName::new("web..org").is_err());
        assert!(Key::new("http_port").is_ok());
        assert!(Key::new("http-port").is_err());
        assert!(MacAddress::new("52:54:00:ab:cd:ef").is_ok());
        for text in ["52:54:00:AB:cd:ef", "52-54-00-ab-cd-ef", "52:54:00:ab:cd", ""] {
            assert!(MacAddress::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn invalid_name_error_is_short_and_without_control_characters() {
        let error = Name::new(&format!("\u{1b}[2J{}", "x".repeat(1_000_000))).unwrap_err();
        assert!(error.to_string().len() < 300);
        assert!(!error.to_string().contains('\u{1b}'));
    }
}
