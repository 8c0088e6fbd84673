//! The fields of one declaration after filling in, taken out one by one with their types checked.

use std::collections::BTreeMap;

use crate::{format::FormatError, value::Value};

/// Where a secret goes that a program needs.
pub(crate) const SECRET_IN_ENVIRONMENT_INSTEAD: &str =
    "give the secret as a variable under `environment:`, and let the program read that";

/// A field after filling in.
pub(crate) struct FilledField {
    /// Its line in the manifest.
    pub(crate) line: u64,
    /// Its value.
    pub(crate) value: Value,
    /// Whether a secret went into it: errors do not show it.
    pub(crate) secret: bool,
}

/// Evaluated fields; errors are collected, so that all are reported at once.
pub(crate) struct DeclarationFieldReader<'a> {
    file: &'a str,
    what: String,
    line: u64,
    values: BTreeMap<&'a str, FilledField>,
    pub(crate) errors: Vec<FormatError>,
}

impl<'a> DeclarationFieldReader<'a> {
    pub(crate) fn new(
        file: &'a str,
        what: String,
        line: u64,
        values: BTreeMap<&'a str, FilledField>,
    ) -> Self {
        Self { file, what, line, values, errors: Vec::new() }
    }

    /// Notes a mistake about the whole declaration.
    pub(crate) fn add_declaration_error(&mut self, message: &str) {
        self.error(self.line, message.to_owned());
    }

    fn error(&mut self, line: u64, message: String) {
        self.errors.push(FormatError::new_at_line(self.file, line, format!("{}: {message}", self.what)));
    }

    fn take<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let FilledField { line, value, secret } = self.values.remove(name)?;
        if value == Value::Null {
            return None;
        }
        let found = value.describe_with_type(secret);
        let read = read(value);
        if read.is_none() {
            self.error(line, format!("`{name}` must be {expected}, not {found}"));
        }
        read
    }

    pub(crate) fn read_optional_text(&mut self, name: &str) -> Option<String> {
        self.take(name, "a text without line breaks", |value| {
            scalar_to_text(value).filter(|text| one_line(text))
        })
    }

    pub(crate) fn read_required_text(&mut self, name: &str) -> String {
        if !self.values.contains_key(name) {
            self.add_declaration_error(&format!("`{name}` is missing"));
        }
        self.read_optional_text(name).unwrap_or_default()
    }

    /// A required text that `check` reads; its error is a sentence about the field.
    pub(crate) fn read_checked_text(
        &mut self,
        name: &str,
        check: impl FnOnce(&str) -> Result<String, String>,
    ) -> String {
        let line = self.values.get(name).map_or(self.line, |field| field.line);
        let reported = self.errors.len();
        let text = self.read_required_text(name);
        // A text that is missing or of another type is an error already.
        if self.errors.len() > reported {
            return text;
        }
        check(&text).unwrap_or_else(|why| {
            self.error(line, format!("`{name}` {why}"));
            text
        })
    }

    pub(crate) fn read_multiline_text(&mut self, name: &str) -> Option<String> {
        self.take(name, "a text", scalar_to_text)
    }

    pub(crate) fn read_bool_field(&mut self, name: &str) -> Option<bool> {
        self.take(name, "true or false", |value| match value {
            Value::Boolean(flag) => Some(flag),
            _ => None,
        })
    }

    pub(crate) fn read_unsigned_integer(&mut self, name: &str) -> Option<u64> {
        self.take(name, "a whole number, 0 or more", |value| match value {
            Value::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        })
    }

    pub(crate) fn read_numeric_id(&mut self, name: &str) -> Option<u32> {
        self.take(name, "a number from 0 to 4294967294", |value| match value {
            Value::Integer(number) => u32::try_from(number).ok().filter(|id| *id != u32::MAX),
            _ => None,
        })
    }

    /// Permission bits: `"0644"`, in quotes, because YAML reads bare digits as a decimal number.
    pub(crate) fn read_file_mode(&mut self) -> Option<u32> {
        self.take("mode", "octal digits (0 to 7) in quotes, for instance \"0644\"", |value| match value {
            Value::Text(text) if (3..=5).contains(&text.len()) => {
                u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o7777)
            }
            _ => None,
        })
    }

    pub(crate) fn read_text_list(&mut self, name: &str) -> Option<Vec<String>> {
        self.take(name, "a list of texts without line breaks", texts)
    }

    /// Program and arguments.
    pub(crate) fn read_command_words(&mut self, name: &str) -> Option<Vec<String>> {
        self.take(name, "a list: program and arguments, the program with its absolute path", |value| {
            absolute_command_words_from_list(value)
        })
    }

    /// Program and arguments; the program may be a name that is looked up on the host.
    pub(crate) fn read_program_words(&mut self, name: &str) -> Option<Vec<String>> {
        self.take(name, "a list: program and arguments", |value| {
            texts(value).filter(|words| words.first().is_some_and(|program| !program.is_empty()))
        })
    }

    /// Notes a mistake where a secret went into one of these fields: their words are arguments of a program. `instead`
    /// says what to do.
    pub(crate) fn refuse_secrets_in_arguments(&mut self, names: &[&str], instead: &str) {
        for name in names {
            if let Some(line) = self.values.get(name).filter(|field| field.secret).map(|field| field.line) {
                let message = format!(
                    "`{name}` has a secret in it, and every user of the host can read the arguments of a running program; {instead}"
                );
                self.error(line, message);
            }
        }
    }

    pub(crate) fn read_environment_variables(&mut self) -> BTreeMap<String, String> {
        let read = |value| match value {
            Value::Map(map) => map
                .into_iter()
                .map(|(name, value)| {
                    let right = !name.is_empty()
                        && !name.starts_with(|c: char| c.is_ascii_digit())
                        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                    Some((name, scalar_to_text(value).filter(|text| right && one_line(text))?))
                })
                .collect(),
            _ => None,
        };
        self.take("environment", "a map from variable names to texts without line breaks", read)
            .unwrap_or_default()
    }
}

/// Program and arguments; several lines are fine in an argument (`sh -c`).
pub(crate) fn absolute_command_words_from_list(value: Value) -> Option<Vec<String>> {
    let Value::List(list) = value else { return None };
    let words: Option<Vec<String>> = list.into_iter().map(scalar_to_text).collect();
    words.filter(|words| words.first().is_some_and(|program| program.starts_with('/')))
}

/// A text, or what is written like one. NUL is in no path, file or argument.
pub(crate) fn scalar_to_text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
    .filter(|text| !text.contains('\0'))
}

fn texts(value: Value) -> Option<Vec<String>> {
    match value {
        Value::List(list) => {
            list.into_iter().map(|value| scalar_to_text(value).filter(|text| one_line(text))).collect()
        }
        _ => None,
    }
}

fn one_line(text: &str) -> bool {
    !text.contains(['\n', '\r'])
}
