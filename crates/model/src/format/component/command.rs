//! Commands: a text for the shell, or a program with its arguments.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::shown;

/// A command of `component.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// Run by `sh -c`.
    Shell(String),
    /// A program and its arguments, run as they are.
    Program(Vec<String>),
}

impl CommandLine {
    /// The program and its arguments, the shell included.
    pub fn to_argv_with_shell_for_text(&self) -> Vec<String> {
        match self {
            CommandLine::Shell(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
            CommandLine::Program(words) => words.clone(),
        }
    }

    pub(super) fn check_command(&self, key: &str, mistakes: &mut Vec<String>) {
        let words = self.to_argv_with_shell_for_text();
        if words.is_empty() || words.iter().all(|word| word.trim().is_empty()) || words[0].is_empty() {
            mistakes.push(format!("`{key}` is empty; write a command, for instance `{key}: ./{key}.sh`"));
        }
        if words.iter().any(|word| word.contains('\0')) {
            mistakes.push(format!("`{key}` holds a NUL character, which no command can take"));
        }
    }

    /// Checks a command that systemd starts: its program must be absolute.
    pub(super) fn check_systemd_command(&self, key: &str, mistakes: &mut Vec<String>) {
        self.check_command(key, mistakes);
        if let CommandLine::Program(words) = self
            && let Some(program) = words.first()
            && !program.is_empty()
            && !program.starts_with('/')
        {
            mistakes.push(format!(
                "`{key}` starts `{}`; systemd needs the whole path of the program, for instance `/usr/bin/{}`",
                shown(program),
                shown(program.rsplit('/').next().unwrap_or(program))
            ));
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandLine::Shell(text) => f.write_str(text),
            CommandLine::Program(words) => f.write_str(&words.join(" ")),
        }
    }
}

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = CommandLine;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command: a text for the shell (`./build.sh --fast`), or a list (`[make, all]`)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<CommandLine, E> {
        Ok(CommandLine::Shell(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<CommandLine, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = seq.next_element()? {
            words.push(word);
        }
        Ok(CommandLine::Program(words))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CommandLine, A::Error> {
        let mut command = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "command" {
                return Err(A::Error::unknown_field(&key, &["command"]));
            }
            command = Some(map.next_value()?);
        }
        command.ok_or_else(|| A::Error::missing_field("command"))
    }
}

impl schemars::JsonSchema for CommandLine {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A text for the shell, a list of a program and its arguments, or `{command: ...}` with either.",
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                {
                    "type": "object",
                    "properties": {
                        "command": {"anyOf": [
                            {"type": "string"},
                            {"type": "array", "items": {"type": "string"}, "minItems": 1}
                        ]}
                    },
                    "required": ["command"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
