//! What was on the host before punch first changed it since the last good generation (`before-images.json`).

use std::collections::BTreeSet;

use model::resource::ResourceId;
use serde::{Deserialize, Serialize};

use super::{PunchStateFolder, PunchStateFolderError};

const BEFORE_IMAGES: &str = "before-images.json";

/// What was there of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BeforeImage {
    /// Which resource.
    pub(crate) id: ResourceId,
    /// What was there.
    pub(crate) content: BeforeImageContent,
    /// The owner of what lies at a path, by name or number.
    pub(crate) owner: Option<String>,
    /// The group of what lies at a path, by name or number.
    pub(crate) group: Option<String>,
    /// The permission bits of what lies at a path.
    pub(crate) mode: Option<u32>,
}

/// What a path held, or how an account or a service was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BeforeImageContent {
    /// A file, kept under its SHA-256.
    File(String),
    /// A link and where it led.
    Symlink(String),
    /// A folder.
    Directory,
    /// A user.
    User(UserBeforeImage),
    /// A group, by its number.
    Group(Option<u32>),
    /// A service: whether it started at boot, and whether it ran.
    Service { enabled: Option<bool>, running: Option<bool> },
    /// A package of the operating system, by its version.
    Package(String),
}

/// How a user was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBeforeImage {
    pub(crate) uid: Option<u32>,
    pub(crate) group: Option<String>,
    pub(crate) groups: Option<BTreeSet<String>>,
    pub(crate) home: Option<String>,
    pub(crate) shell: Option<String>,
    pub(crate) comment: Option<String>,
    /// The lines of its authorized keys, where they were to be changed.
    pub(crate) authorized_keys: Option<BTreeSet<String>>,
}

impl PunchStateFolder {
    /// What was on the host before it was first changed since the last good generation.
    pub(crate) fn load_before_images(&self) -> Result<Vec<BeforeImage>, PunchStateFolderError> {
        self.read_json(BEFORE_IMAGES)
    }

    pub(crate) fn save_before_images(&self, images: &[BeforeImage]) -> Result<(), PunchStateFolderError> {
        if images.is_empty() { self.remove(BEFORE_IMAGES) } else { self.write_json(BEFORE_IMAGES, &images) }
    }
}
