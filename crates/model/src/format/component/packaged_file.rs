//! `files`: what the payload package holds, and which paths it may name.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::shown;
use crate::{
    component::{PATHS_FORBIDDEN_TO_PACKAGES, REASON_OF_FORBIDDEN_PATH},
    resource::is_valid_account_name,
};

/// One entry of `files`: something of the component's folder, a directory, or a symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PackagedFile")]
pub struct PackagedFileEntry {
    /// A file, folder or pattern (`*`, `?`, `**`) inside the component's folder.
    pub source: Option<String>,
    /// Where it goes on the host; a pattern's or folder's files go below it, and so does a file when it ends with `/`.
    pub path: String,
    /// `true` makes `path` a directory of the package, for instance one the daemon writes to.
    #[serde(default)]
    pub directory: bool,
    /// Makes `path` a symbolic link to this target.
    pub symlink: Option<String>,
    /// Permissions in octal, quoted: `"0644"`. By default `0644`, `0755` for directories and what is executable.
    pub mode: Option<FileMode>,
    /// The user that owns it; root by default.
    pub owner: Option<String>,
    /// The group that owns it; root by default.
    pub group: Option<String>,
    /// A file people edit on the host: an upgrade keeps their version.
    #[serde(default)]
    pub config: bool,
    /// Says that the set-user-id or set-group-id bit of `mode` is meant: such a program has the rights of its owner or
    /// group, whoever starts it.
    #[serde(default)]
    pub setuid: bool,
}

/// Where the content of an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackagedEntrySource<'a> {
    /// The component's folder.
    Source(&'a str),
    /// Nowhere: a directory.
    Directory,
    /// Nowhere: a link with this target.
    Symlink(&'a str),
}

impl PackagedFileEntry {
    /// Where its content comes from.
    pub fn source_symlink_or_directory(&self) -> PackagedEntrySource<'_> {
        match (&self.source, &self.symlink) {
            (Some(source), _) => PackagedEntrySource::Source(source),
            (None, Some(target)) => PackagedEntrySource::Symlink(target),
            (None, None) => PackagedEntrySource::Directory,
        }
    }

    /// Whether `path` is one path of the package rather than a folder to put things in.
    pub(super) fn is_directory_or_symlink(&self) -> bool {
        self.source.is_none()
    }

    pub(super) fn check_file_entry(&self, mistakes: &mut Vec<String>) {
        let path = shown(&self.path);
        if let Err(why) = check_package_path(&self.path) {
            mistakes.push(format!("`files` has the path `{path}`, {why}"));
        }
        if PATHS_FORBIDDEN_TO_PACKAGES.contains(&self.path.trim_end_matches('/')) {
            mistakes.push(format!("`files` has the path `{path}`: {REASON_OF_FORBIDDEN_PATH}"));
        }
        let message = [self.source.is_some(), self.directory, self.symlink.is_some()];
        if message.iter().filter(|message| **message).count() != 1 {
            mistakes.push(format!(
                "the entry of `files` for `{path}` must have exactly one of `source`, `directory: true` and `symlink`"
            ));
        }
        if let Some(source) = &self.source
            && let Err(why) = check_source_path_stays_in_component(source)
        {
            mistakes.push(format!("`files` takes `{}`, {why}", shown(source)));
        }
        if let Some(target) = &self.symlink {
            if target.is_empty() || target.chars().any(char::is_control) || target.len() > 4000 {
                mistakes.push(format!("the symlink `{path}` has no usable target; write a path"));
            }
            if self.mode.is_some() {
                mistakes
                    .push(format!("the symlink `{path}` has a mode; links have none, so remove the line"));
            }
        }
        if self.config && self.source.is_none() {
            mistakes.push(format!("`{path}` is no file, so `config: true` has no effect; remove the line"));
        }
        if self.setuid && self.mode.is_none_or(|mode| mode.0 & 0o6000 == 0) {
            mistakes.push(format!(
                "`{path}` has `setuid: true`, but no mode with such a bit, for instance \"4755\"; remove the line or write the mode"
            ));
        }
        for (key, account) in [("owner", &self.owner), ("group", &self.group)] {
            if let Some(account) = account
                && !is_valid_account_name(account)
            {
                mistakes.push(format!(
                    "`{path}` has the {key} `{}`, which is not a name an account can have",
                    shown(account)
                ));
            }
        }
    }
}

/// Checks that `path` can be a path of a package: absolute, and the same however it is read.
pub fn check_package_path(path: &str) -> Result<(), &'static str> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err("which is not absolute; start it with `/`");
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Err("which is the root of the host; name a file or folder in it");
    }
    if path.len() > 4000 || rest.split('/').any(|part| part.len() > 255) {
        return Err("which is longer than a file system takes");
    }
    if path.chars().any(char::is_control) {
        return Err("which holds a control character");
    }
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("which must be written plainly, without `..`, `.` or `//`");
    }
    Ok(())
}

/// Checks that `source` stays inside the component's folder, as far as its text tells.
pub fn check_source_path_stays_in_component(source: &str) -> Result<(), &'static str> {
    if source.is_empty() {
        return Err("which is empty; name a file or folder of the component");
    }
    if source.starts_with('/') {
        return Err("which is absolute; everything packaged must be inside the component's folder");
    }
    if source.chars().any(char::is_control) || source.len() > 4000 {
        return Err("which is not a path anybody could have meant");
    }
    if source.split('/').any(|part| part == "..") {
        return Err("which leaves the component's folder by `..`; copy the file into it or build it there");
    }
    Ok(())
}

/// Permission bits, written as a quoted octal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u16);

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Octal)
    }
}

struct Octal;

impl de::Visitor<'_> for Octal {
    type Value = FileMode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permissions as three or four octal digits in quotes, for instance \"0644\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FileMode, E> {
        let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u16::from_str_radix(text, 8) {
            Ok(bits) if digits => Ok(FileMode(bits)),
            _ => Err(E::custom(format!(
                "`{}` is no file mode: write three or four octal digits in quotes, for instance \"0644\"",
                shown(text)
            ))),
        }
    }
}

impl schemars::JsonSchema for FileMode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-7]{3,4}$"})
    }
}
