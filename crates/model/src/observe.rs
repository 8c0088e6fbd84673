//! What was seen on a host. "Could not look" is a value of its own, never "already right".

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{resource::ResourceId, version::Version};

/// What looking at one thing gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen<T> {
    /// It is not there.
    Absent,
    /// It is there, like this.
    Present(T),
    /// Looking failed, for this reason.
    Unreadable(String),
}

/// Facts about a resource, by name (`mode`, `content`, `enabled`): what plans compare.
pub type Facts = BTreeMap<&'static str, Fact>;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// A set of texts, sorted.
    Set(Vec<String>),
    /// Bytes, by their digest.
    Content(Content),
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// The text, kept for diffs when it is UTF-8, at most [`Content::SHOWN`] bytes and no secret.
    #[serde(skip)]
    pub text: Option<String>,
}

impl Content {
    /// The largest content kept for diffs, in bytes.
    pub const SHOWN: usize = 64 * 1024;
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Flag(true) => f.write_str("yes"),
            Fact::Flag(false) => f.write_str("no"),
            Fact::Text(text) => f.write_str(text),
            Fact::Set(texts) => f.write_str(&texts.join(",")),
            Fact::Content(content) => {
                write!(f, "sha256:{}", content.sha256.get(..12).unwrap_or(&content.sha256))
            }
        }
    }
}

/// Everything seen on a host that a plan needs.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Our packages (payload and deployment) by package name: versions installed.
    pub packages: BTreeMap<String, Seen<Version>>,
    /// Resources by id.
    pub resources: BTreeMap<ResourceId, Seen<Facts>>,
    /// What punch itself installed or made in earlier runs.
    pub managed: Managed,
}

/// What punch itself installed or made in earlier runs: the only things it removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Managed {
    /// Packages, by name; whose component they are.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// Resources, in the order they were applied.
    #[serde(default)]
    pub resources: Vec<ManagedResource>,
}

/// A resource punch manages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedResource {
    /// Which.
    pub id: ResourceId,
    /// Whose component it is.
    pub component: String,
    /// Whether it was not there before punch made it; only then is it deleted when no longer wanted.
    /// A service that was there is left as it is, a file that was there keeps its last content.
    pub created: bool,
}
