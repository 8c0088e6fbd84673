//! What was on the host before punch first changed it since the last good generation (`before-images.json`).

use serde::{Deserialize, Serialize};

use super::{PunchStateFolder, PunchStateFolderError};

const BEFORE_IMAGES: &str = "before-images.json";

/// What was at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BeforeImage {
    /// The path.
    pub(crate) path: String,
    /// What was there.
    pub(crate) content: BeforeImageContent,
    /// Its owner, by name or number.
    pub(crate) owner: Option<String>,
    /// Its group, by name or number.
    pub(crate) group: Option<String>,
    /// Its permission bits.
    pub(crate) mode: Option<u32>,
}

/// What a path held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BeforeImageContent {
    /// A file, kept under its SHA-256.
    File(String),
    /// A link and where it led.
    Symlink(String),
    /// A folder.
    Directory,
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
