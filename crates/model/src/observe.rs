//! Observations of a host. A failed observation is a value of its own, never "already right".

mod request;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use sha2::{Digest, Sha256};

use crate::{resource::ResourceId, version::Version};

pub use request::{ObservationRequest, packages_to_observe};

/// The observation of one thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation<T> {
    /// It is not there.
    Absent,
    /// It is there, like this.
    Present(T),
    /// The observation failed, for this reason.
    Unreadable(String),
}

/// Facts about a resource, by name (`mode`, `content`, `enabled`): what plans compare.
pub type ResourceFacts = BTreeMap<&'static str, Fact>;

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
    Content(FileContent),
}

/// The content of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileContent {
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// The text, kept for diffs when it is UTF-8, at most [`FileContent::MAX_DIFF_BYTES`] bytes and no secret.
    #[serde(skip)]
    pub text: Option<String>,
}

impl FileContent {
    /// The largest content kept for diffs, in bytes.
    pub const MAX_DIFF_BYTES: usize = 64 * 1024;

    /// The content `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let text = (bytes.len() <= Self::MAX_DIFF_BYTES).then(|| std::str::from_utf8(bytes).ok()).flatten();
        Self { sha256: sha256_hex(bytes), text: text.map(str::to_owned) }
    }
}

/// Two contents are the same when their digests are, whether or not the text was kept.
impl PartialEq for FileContent {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}
impl Eq for FileContent {}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The families of distributions, by how they package software.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Debian and its kin: dpkg, apt.
    Deb,
    /// Red Hat, Fedora, SUSE and their kin: rpm, dnf.
    Rpm,
}

impl fmt::Display for OsFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OsFamily::Deb => "deb",
            OsFamily::Rpm => "rpm",
        })
    }
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

/// Everything observed on a host that a plan needs.
#[derive(Debug, Clone, Default)]
pub struct ObservedHost {
    /// Our packages (payload and deployment) by package name: versions installed.
    pub packages: BTreeMap<String, Observation<Version>>,
    /// Resources by id.
    pub resources: BTreeMap<ResourceId, Observation<ResourceFacts>>,
    /// What punch itself installed or made in earlier runs.
    pub managed: ManagedState,
    /// The family of the distribution; none in a bare folder.
    pub family: Option<OsFamily>,
    /// Whether systemd runs there: without it units are enabled, but not started.
    pub booted: bool,
    /// Whether programs can be run there: not in a bare folder.
    pub runs_commands: bool,
}

/// What punch itself installed or made in earlier runs: the only things it removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedState {
    /// Packages, by name; whose component they are.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// Resources, in the order they were applied.
    #[serde(default)]
    pub resources: Vec<ManagedResource>,
    /// Services and commands that were notified but not yet restarted or run when a run ended early.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<ResourceId>,
}

/// A resource that was not there before punch made it (a service: neither enabled nor running), which is
/// why punch removes it when it is no longer wanted. A file that was there keeps its last content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedResource {
    /// Which.
    pub id: ResourceId,
    /// Whose component it is.
    pub component: String,
    /// Services and commands notified when it is removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<ResourceId>,
}
