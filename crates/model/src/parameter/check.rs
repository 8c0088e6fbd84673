//! Checks of values against what a parameter declares, each failure a sentence starting with `must`.

use std::net::IpAddr;

use super::{MergeStrategy, Parameter, ParameterType};
use crate::{server_selection::ServerSelectionCriteria, value::Value};

/// The heaviest value allowed; see [`estimate_value_size`].
pub const MAX_ESTIMATED_VALUE_BYTES: usize = 512 * 1024;

/// Lists and maps inside a value may be nested so deep, so that every file that holds it stays readable.
pub const MAX_VALUE_NESTING_DEPTH: usize = 32;

/// What each text, number, list, map and key of a map weighs at least.
pub const VALUE_ITEM_OVERHEAD_BYTES: usize = 16;

/// What a value weighs: the bytes of its texts, and [`VALUE_ITEM_OVERHEAD_BYTES`] for each thing in it.
pub fn estimate_value_size(value: &Value) -> usize {
    let weight = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(estimate_value_size).sum(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| key.len() + VALUE_ITEM_OVERHEAD_BYTES + estimate_value_size(value))
            .sum(),
        _ => 0,
    };
    weight.saturating_add(VALUE_ITEM_OVERHEAD_BYTES)
}

impl Parameter {
    /// Checks a final value. The sentence never shows the value of a secret.
    pub fn check_final_value(&self, value: &Value) -> Result<(), String> {
        self.check_final_value_with_secrecy(value, self.secret)
    }

    /// Checks a final value; when `secret`, the message does not show it.
    pub fn check_final_value_with_secrecy(&self, value: &Value, secret: bool) -> Result<(), String> {
        if *value == Value::Null {
            return Err(format!(
                "must be {}, and `null` is no value; to remove the values of weaker places, \
                 write the parameter under `remove:`",
                self.describe_expected_type()
            ));
        }
        if nesting(value) > MAX_VALUE_NESTING_DEPTH {
            return Err(format!("must not nest lists and maps more than {MAX_VALUE_NESTING_DEPTH} deep"));
        }
        if estimate_value_size(value) > MAX_ESTIMATED_VALUE_BYTES {
            return Err(format!(
                "must not hold more than {MAX_ESTIMATED_VALUE_BYTES} bytes; put large data into a file"
            ));
        }
        if !self.fits(value) {
            let (wanted, advice) = (self.describe_expected_type(), self.advice(value, secret));
            return Err(match first_wrong_item(value).filter(|_| self.kind == ParameterType::StringList) {
                Some((number, item)) => {
                    let advice = match item {
                        Value::List(_) | Value::Map(_) | Value::Null => "",
                        _ => "; put quotes around it",
                    };
                    format!("must be {wanted}, and item {number} is {}{advice}", display_value(item, secret))
                }
                None => format!("must be {wanted}, not {}{advice}", display_value(value, secret)),
            });
        }
        if contains_nul(value) {
            return Err("must not contain the character NUL".to_owned());
        }
        Ok(())
    }

    /// Checks a value before references are resolved; what depends on a reference is checked later.
    pub fn check_unresolved_value(&self, value: &Value) -> Result<(), String> {
        self.check_unresolved_value_with_secrecy(value, self.secret)
    }

    /// The same; when `secret`, the message does not show the value.
    pub fn check_unresolved_value_with_secrecy(&self, value: &Value, secret: bool) -> Result<(), String> {
        match value {
            value if self.kind == ParameterType::Servers => {
                ServerSelectionCriteria::check_unresolved_selection(value)
            }
            Value::Text(text) if text.contains("${") => {
                let only = text.starts_with("${") && text.find('}') == Some(text.len() - 1);
                if only || self.takes_text() {
                    return Ok(());
                }
                Err(format!(
                    "must be {}, not a text with a reference inside; write exactly one reference",
                    self.describe_expected_type()
                ))
            }
            value if has_reference(value) && self.kind_of_collection(value) => Ok(()),
            value => self.check_final_value_with_secrecy(value, secret),
        }
    }

    /// Checks the default against the type; a default may hold references.
    pub fn check_type_of_default(&self) -> Result<(), String> {
        match &self.default {
            Some(default) => {
                self.check_unresolved_value(default).map_err(|sentence| format!("its default {sentence}"))
            }
            None => Ok(()),
        }
    }

    /// Everything in the declaration itself that contradicts something else in it.
    pub fn check_declaration(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let number =
            matches!(self.kind, ParameterType::Integer | ParameterType::Number | ParameterType::Port);
        if self.description.trim().is_empty() {
            wrong.push("its `description` is empty; say in one sentence what it is for".to_owned());
        }
        if self.required && self.default.is_some() {
            wrong.push(
                "it is `required` and has a `default`, which can then never be used; drop one".to_owned(),
            );
        }
        if self.secret && self.default.as_ref().is_some_and(|default| **default != Value::from("")) {
            wrong.push(
                "it is `secret` and has a `default`, which everybody can read in the package; drop one"
                    .to_owned(),
            );
        }
        if !self.one_of.is_empty() && self.kind != ParameterType::String {
            wrong.push("`one_of` is only for parameters of type `string`".to_owned());
        }
        if !number && (self.min.is_some() || self.max.is_some()) {
            wrong.push(
                "`min` and `max` are only for parameters of type `integer`, `number` or `port`".to_owned(),
            );
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            wrong.push(format!("its `min` {min} is greater than its `max` {max}"));
        }
        if self.merge == MergeStrategy::Append
            && !matches!(self.kind, ParameterType::List | ParameterType::StringList)
        {
            wrong.push("`merge: append` is only for parameters of type `list` or `string-list`".to_owned());
        }
        if !self.reads.is_empty() && self.kind != ParameterType::Servers {
            wrong.push("`reads` is only for parameters of type `servers`".to_owned());
        }
        if self.kind == ParameterType::Servers && self.merge != MergeStrategy::Replace {
            wrong.push("a parameter of type `servers` cannot be merged; take `merge` out".to_owned());
        }
        if self.shared && !self.secret {
            wrong.push(
                "`shared` is only for secrets; other servers may read every other value anyway".to_owned(),
            );
        }
        if self.merge == MergeStrategy::Deep && self.kind != ParameterType::Map {
            wrong.push("`merge: deep` is only for parameters of type `map`".to_owned());
        }
        wrong.extend(self.check_type_of_default().err());
        wrong
    }

    fn fits(&self, value: &Value) -> bool {
        match (self.kind, value) {
            (ParameterType::String, Value::Text(text)) => {
                self.one_of.is_empty() || self.one_of.contains(text)
            }
            (ParameterType::Integer | ParameterType::Number, Value::Integer(number)) => {
                self.in_range((*number).into(), (*number).into())
            }
            (ParameterType::Number, Value::Number(number)) => {
                // Whole numbers around it say the same about whole bounds, and lose nothing.
                number.is_finite() && self.in_range(number.floor() as i128, number.ceil() as i128)
            }
            (ParameterType::Port, Value::Integer(number)) => {
                (1..=65535).contains(number) && self.in_range((*number).into(), (*number).into())
            }
            (ParameterType::Boolean, Value::Boolean(_)) => true,
            (ParameterType::Path, Value::Text(text)) => is_path(text),
            (ParameterType::Host, Value::Text(text)) => is_host(text),
            (ParameterType::Ip, Value::Text(text)) => text.parse::<IpAddr>().is_ok(),
            (ParameterType::Url, Value::Text(text)) => is_url(text),
            (ParameterType::List, Value::List(_)) => true,
            (ParameterType::StringList, Value::List(items)) => {
                items.iter().all(|item| item.as_text().is_some())
            }
            (ParameterType::Map, Value::Map(_)) => true,
            (ParameterType::Servers, Value::List(servers)) => servers.iter().all(is_selected_server),
            _ => false,
        }
    }

    fn in_range(&self, floor: i128, ceiling: i128) -> bool {
        self.min.is_none_or(|min| floor >= min.into()) && self.max.is_none_or(|max| ceiling <= max.into())
    }

    fn takes_text(&self) -> bool {
        matches!(
            self.kind,
            ParameterType::String
                | ParameterType::Path
                | ParameterType::Host
                | ParameterType::Ip
                | ParameterType::Url
        )
    }

    fn kind_of_collection(&self, value: &Value) -> bool {
        match value {
            Value::List(_) => matches!(self.kind, ParameterType::List | ParameterType::StringList),
            Value::Map(_) => self.kind == ParameterType::Map,
            _ => false,
        }
    }

    /// What the parameter takes: `a whole number from 1 to 10`.
    pub fn describe_expected_type(&self) -> String {
        let what = match self.kind {
            ParameterType::String if !self.one_of.is_empty() => {
                let texts: Vec<String> = self.one_of.iter().map(|text| format!("`{text}`")).collect();
                return match texts.len() {
                    1 => texts.join(""),
                    _ => format!("one of {}", texts.join(", ")),
                };
            }
            ParameterType::String => "a string",
            ParameterType::Integer => "a whole number",
            ParameterType::Number => "a number",
            ParameterType::Boolean => "`true` or `false`",
            ParameterType::Port => "a port",
            ParameterType::Path => "an absolute path without `..`",
            ParameterType::Host => "a host name or an IP address",
            ParameterType::Ip => "an IP address",
            ParameterType::Url => "a URL like `https://host/path`",
            ParameterType::List => "a list",
            ParameterType::StringList => "a list of strings",
            ParameterType::Map => "a map",
            ParameterType::Servers => "a list of servers, each a map with a `name`",
        };
        let (min, max) = match self.kind {
            ParameterType::Port => (Some(self.min.unwrap_or(1)), Some(self.max.unwrap_or(65535))),
            _ => (self.min, self.max),
        };
        match (min, max) {
            (Some(min), Some(max)) => format!("{what} from {min} to {max}"),
            (Some(min), None) => format!("{what} of at least {min}"),
            (None, Some(max)) => format!("{what} of at most {max}"),
            (None, None) => what.to_owned(),
        }
    }

    /// What to do about the commonest slips; the value is in it only when it is not `secret`.
    fn advice(&self, value: &Value, secret: bool) -> String {
        let number =
            matches!(self.kind, ParameterType::Integer | ParameterType::Number | ParameterType::Port);
        let advice = match value {
            Value::Number(value) if number && self.kind != ParameterType::Number => {
                let whole = *value as i64;
                if value.fract() != 0.0 || secret {
                    ", which is written with a fraction"
                } else if whole as f64 != *value || whole == i64::MAX || whole == i64::MIN {
                    // YAML's readers make a number with a fraction of one that is too large.
                    ", which does not fit in 64 bits with a sign"
                } else if self.fits(&Value::Integer(whole)) {
                    return format!(", which is written with a fraction; write {whole}");
                } else {
                    ", which is written with a fraction"
                }
            }
            // YAML 1.1 reads `017` as 15 and YAML 1.2 as 17, so here it is a text.
            Value::Text(text) if number && has_leading_zero(text) => {
                "; whether a number that starts with 0 is octal depends on the reader, so write it without that 0"
            }
            Value::Text(text) if number && text.parse::<f64>().is_ok() => "; take the quotes away",
            Value::Text(_) if self.kind == ParameterType::Boolean => {
                "; write `true` or `false` without quotes"
            }
            Value::Integer(_) | Value::Number(_) | Value::Boolean(_) if self.takes_text() => {
                "; put quotes around it"
            }
            Value::Text(_) if matches!(self.kind, ParameterType::List | ParameterType::StringList) => {
                "; write it as `[...]`"
            }
            _ => "",
        };
        advice.to_owned()
    }
}

/// Whether a text is digits that start with a zero they do not need: `017`, `-08`.
fn has_leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first item of a list that is no text, and its number, counted from 1.
fn first_wrong_item(value: &Value) -> Option<(usize, &Value)> {
    let Value::List(items) = value else { return None };
    let (at, item) = items.iter().enumerate().find(|(_, item)| item.as_text().is_none())?;
    Some((at + 1, item))
}

/// What was found, in words; the value itself unless it is secret.
fn display_value(value: &Value, secret: bool) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "a whole number",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    };
    match value {
        _ if secret => format!("{kind} (it is secret and not shown)"),
        Value::Boolean(flag) => format!("`{flag}`"),
        Value::Integer(number) => format!("{number}"),
        // With its fraction: `1.0` is not `1`.
        Value::Number(number) => format!("{number:?}"),
        Value::Text(text) => {
            let clipped: String = text.chars().take(60).collect();
            let more = if clipped.len() < text.len() { "…" } else { "" };
            format!("the string {clipped:?}{more}")
        }
        Value::List(_) | Value::Map(_) | Value::Null => kind.to_owned(),
    }
}

fn is_selected_server(value: &Value) -> bool {
    matches!(value, Value::Map(server) if server.get("name").is_some_and(|name| name.as_text().is_some()))
}

fn nesting(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(nesting).max().unwrap_or_default(),
        Value::Map(map) => 1 + map.values().map(nesting).max().unwrap_or_default(),
        _ => 0,
    }
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(contains_nul),
        Value::Map(map) => map.iter().any(|(key, value)| key.contains('\0') || contains_nul(value)),
        _ => false,
    }
}

fn has_reference(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains("${"),
        Value::List(items) => items.iter().any(has_reference),
        Value::Map(map) => map.values().any(has_reference),
        _ => false,
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.split('/').any(|part| part == "..") && !text.chars().any(char::is_control)
}

fn is_host(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// A scheme, `://`, a host, perhaps a port; the rest is free but for spaces.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    scheme_fits
        && is_host(host)
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
