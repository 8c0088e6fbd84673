//! Properties of a resource: what is observed, what is wanted, and what a plan compares.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::resource::ResourceId;

/// Properties of a resource.
pub type ResourcePropertiesByKind = BTreeMap<ResourcePropertyKind, ResourcePropertyValue>;

/// What a property is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourcePropertyKind {
    /// The keys a user may log in with.
    AuthorizedKeys,
    /// The comment of a user.
    Comment,
    /// The content of a file.
    Content,
    /// Why a component must not go back to an older version, as a sentence.
    DowngradeRefusal,
    /// Whether a command must be run, or why it is.
    Due,
    /// Whether a service starts at boot.
    Enabled,
    /// The files of a package.
    Files,
    /// The number of a group.
    Gid,
    /// The group of a file, or the primary group of a user.
    Group,
    /// The further groups of a user.
    Groups,
    /// The home of a user.
    Home,
    /// Why what lies at a path cannot be changed, as a sentence.
    Immutable,
    /// What a command needs and is not there.
    Lacks,
    /// The permissions of a file or folder.
    Mode,
    /// The owner of a file or folder.
    Owner,
    /// Whether a service runs.
    Running,
    /// The shell of a user.
    Shell,
    /// Where a link leads.
    Target,
    /// What lies at a path.
    Type,
    /// The number of a user.
    Uid,
    /// The version of a package.
    Version,
}

impl fmt::Display for ResourcePropertyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResourcePropertyKind::AuthorizedKeys => "authorized_keys",
            ResourcePropertyKind::Comment => "comment",
            ResourcePropertyKind::Content => "content",
            ResourcePropertyKind::DowngradeRefusal => "downgrade_refusal",
            ResourcePropertyKind::Due => "due",
            ResourcePropertyKind::Enabled => "enabled",
            ResourcePropertyKind::Files => "files",
            ResourcePropertyKind::Gid => "gid",
            ResourcePropertyKind::Group => "group",
            ResourcePropertyKind::Groups => "groups",
            ResourcePropertyKind::Home => "home",
            ResourcePropertyKind::Immutable => "immutable",
            ResourcePropertyKind::Lacks => "lacks",
            ResourcePropertyKind::Mode => "mode",
            ResourcePropertyKind::Owner => "owner",
            ResourcePropertyKind::Running => "running",
            ResourcePropertyKind::Shell => "shell",
            ResourcePropertyKind::Target => "target",
            ResourcePropertyKind::Type => "type",
            ResourcePropertyKind::Uid => "uid",
            ResourcePropertyKind::Version => "version",
        })
    }
}

/// One property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ResourcePropertyValue {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u32),
    /// Permission bits.
    #[serde(serialize_with = "mode_text")]
    Mode(u32),
    /// A text.
    Text(String),
    /// A set of texts.
    Set(BTreeSet<String>),
    /// What lies at a path.
    Type(FileType),
    /// Bytes, by their digest.
    Content(FileDigestAndText),
    /// It is there, but cannot be used, for this reason.
    Unusable(String),
    /// Resources, in the order they are needed.
    Resources(Vec<ResourceId>),
    /// Why a command is run.
    RunReason(RunReasonDespiteGuard),
}

/// What can lie at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A socket, a device, a pipe.
    SpecialFile,
}

/// Why a command is run although its guard did not ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunReasonDespiteGuard {
    /// What it depends on changes, or changed when an earlier run ended early.
    Notified,
    /// Its guard can only be asked when these are there.
    GuardMustWait(Vec<ResourceId>),
    /// What the answer of its guard depends on changes.
    GuardMayChange,
}

/// The digest of a file's content, and its text when that is small.
#[derive(Debug, Clone, Serialize)]
pub struct FileDigestAndText {
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// The text, kept for diffs when it is UTF-8, at most [`FileDigestAndText::MAX_DIFFABLE_BYTES`] bytes and no secret.
    #[serde(skip)]
    pub text: Option<String>,
}

impl FileDigestAndText {
    /// The largest content kept for diffs, in bytes.
    pub const MAX_DIFFABLE_BYTES: usize = 64 * 1024;

    /// The content `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let text =
            (bytes.len() <= Self::MAX_DIFFABLE_BYTES).then(|| std::str::from_utf8(bytes).ok()).flatten();
        Self { sha256: sha256_hex(bytes), text: text.map(str::to_owned) }
    }
}

/// Two contents are the same when their digests are, whether or not the text was kept.
impl PartialEq for FileDigestAndText {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}
impl Eq for FileDigestAndText {}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn mode_text<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

impl Serialize for RunReasonDespiteGuard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ResourcePropertyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, texts: &mut dyn Iterator<Item = String>| {
            f.write_str(&texts.collect::<Vec<_>>().join(","))
        };
        match self {
            ResourcePropertyValue::Flag(true) => f.write_str("yes"),
            ResourcePropertyValue::Flag(false) => f.write_str("no"),
            ResourcePropertyValue::Number(number) => number.fmt(f),
            ResourcePropertyValue::Mode(mode) => write!(f, "{mode:04o}"),
            ResourcePropertyValue::Text(text) | ResourcePropertyValue::Unusable(text) => f.write_str(text),
            ResourcePropertyValue::Set(texts) => list(f, &mut texts.iter().cloned()),
            ResourcePropertyValue::Resources(ids) => list(f, &mut ids.iter().map(ResourceId::to_string)),
            ResourcePropertyValue::Type(kind) => kind.fmt(f),
            ResourcePropertyValue::Content(content) => {
                write!(f, "sha256:{}", content.sha256.get(..12).unwrap_or(&content.sha256))
            }
            ResourcePropertyValue::RunReason(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileType::File => "file",
            FileType::Directory => "directory",
            FileType::Symlink => "symlink",
            FileType::SpecialFile => "special file",
        })
    }
}

impl fmt::Display for RunReasonDespiteGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunReasonDespiteGuard::Notified => f.write_str("notified"),
            RunReasonDespiteGuard::GuardMustWait(lacks) => {
                let names: Vec<String> = lacks.iter().map(ResourceId::to_string).collect();
                write!(f, "its guard is checked during the run, {} must be there first", names.join(" and "))
            }
            RunReasonDespiteGuard::GuardMayChange => f.write_str("unless its guard prevents it"),
        }
    }
}
