//! Reading a manifest: known kinds, known fields, each mistake with its line and the nearest right name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Declaration, FORMAT, Field, Manifest};
use crate::{
    format::{
        FormatError,
        yaml::{self, Spanned},
    },
    nearest,
    value::Value,
};

/// The fields every resource may have.
pub(super) const COMMON: &[&str] = &["each", "when", "require", "notify", "present"];

/// The kinds of resource, with their own fields.
pub(super) const RESOURCES: &[(&str, &[&str])] = &[
    ("file", &["content", "source", "owner", "group", "mode"]),
    ("template", &["source", "owner", "group", "mode"]),
    ("directory", &["owner", "group", "mode"]),
    ("symlink", &["target"]),
    ("user", &["uid", "group", "groups", "home", "shell", "comment", "system", "authorized_keys"]),
    ("group", &["gid", "system"]),
    ("service", &["enabled", "running", "reload"]),
    ("cron", &["schedule", "user", "command", "environment"]),
    ("package", &["version"]),
    (
        "exec",
        &[
            "command",
            "creates",
            "unless",
            "only_if",
            "refresh_only",
            "user",
            "directory",
            "environment",
            "timeout",
        ],
    ),
];

/// The kinds of health check, with their own fields.
pub(super) const HEALTH: &[(&str, &[&str])] =
    &[("http", &["status", "contains"]), ("tcp", &[]), ("command", &[])];

/// The fields every health check may have.
pub(super) const HEALTH_COMMON: &[&str] = &["within", "when"];

/// How many resources and health checks a manifest may have.
const MOST: usize = 2000;

type Written = Spanned<BTreeMap<String, Spanned<Value>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    #[serde(default)]
    resources: Vec<Written>,
    #[serde(default)]
    health: Vec<Written>,
}

impl yaml::Document for Document {
    const FORMAT: &'static str = FORMAT;
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads a manifest and checks its shape.
pub fn read(file: &str, text: &str) -> Result<Manifest, FormatError> {
    let document: Document = yaml::read_document(file, text)?;
    if document.resources.len() + document.health.len() > MOST {
        return Err(FormatError::new(file, format!("it has more than {MOST} entries; split the component")));
    }
    let read = |list: Vec<Written>, kinds, common| -> Result<Vec<Declaration>, FormatError> {
        list.into_iter().map(|written| declaration(file, written, kinds, common)).collect()
    };
    Ok(Manifest {
        file: file.to_owned(),
        resources: read(document.resources, RESOURCES, COMMON)?,
        health: read(document.health, HEALTH, HEALTH_COMMON)?,
    })
}

fn declaration(
    file: &str,
    written: Written,
    kinds: &[(&str, &[&str])],
    common: &[&str],
) -> Result<Declaration, FormatError> {
    let line = written.referenced.line();
    let mut fields: BTreeMap<String, Field> = written
        .value
        .into_iter()
        .map(|(name, value)| (name, Field { line: value.referenced.line(), value: value.value }))
        .collect();
    // `cron` has a field `user`, `exec` a field `command`: the kind with more of the fields is meant.
    let kind = kinds
        .iter()
        .filter(|(word, _)| fields.contains_key(*word))
        .min_by_key(|(word, own)| unknown(&fields, word, own, common).count());
    let Some((word, own)) = kind else {
        let words: Vec<&str> = kinds.iter().map(|(word, _)| *word).collect();
        let wrong = fields.keys().find_map(|key| nearest(key, words.iter().copied()).map(|near| (key, near)));
        let message = match wrong {
            Some((key, near)) => format!("`{key}` is no kind of resource; did you mean `{near}`?"),
            None => format!("one of these must say what it is: {}", words.join(", ")),
        };
        return Err(FormatError::new(&format!("{file}:{line}"), message));
    };
    let wrong = unknown(&fields, word, own, common).next().map(|(name, field)| (name.clone(), field.line));
    if let Some((name, line)) = wrong {
        let names = own.iter().chain(common).copied();
        let hint = match nearest(&name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has: {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err(FormatError::new(
            &format!("{file}:{line}"),
            format!("a `{word}` has no field `{name}`; {hint}"),
        ));
    }
    let subject = fields.remove(*word).map_or(Value::Null, |field| field.value);
    Ok(Declaration { kind: (*word).to_owned(), subject, line, fields })
}

fn unknown<'a>(
    fields: &'a BTreeMap<String, Field>,
    word: &'a str,
    own: &'a [&str],
    common: &'a [&str],
) -> impl Iterator<Item = (&'a String, &'a Field)> {
    fields.iter().filter(move |(name, _)| {
        let name = name.as_str();
        name != word && !own.contains(&name) && !common.contains(&name)
    })
}
