//! Where everything is, below the repository's folder.

use std::path::{Path, PathBuf};

use model::name::Name;

/// The paths of a repository.
pub(super) struct RepositoryLayout<'a>(pub(super) &'a Path);

impl RepositoryLayout<'_> {
    pub(super) fn folders(&self) -> [PathBuf; 6] {
        [
            self.0.to_owned(),
            self.incoming(),
            self.pool(),
            self.index(),
            self.0.join("members"),
            self.channels(),
        ]
    }

    pub(super) fn signing_key(&self) -> PathBuf {
        self.0.join("signing.key")
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.0.join("keys.asc")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.0.join("incoming")
    }

    pub(super) fn pool(&self) -> PathBuf {
        self.0.join("pool")
    }

    pub(super) fn pool_file_path(&self, package: &str, file: &str) -> PathBuf {
        self.pool().join(package).join(file)
    }

    pub(super) fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    pub(super) fn index_entry_path(&self, package: &str, file: &str) -> PathBuf {
        self.index().join(package).join(format!("{file}.jsonl"))
    }

    pub(super) fn members(&self, channel: &Name) -> PathBuf {
        self.0.join("members").join(channel.as_str())
    }

    pub(super) fn member(&self, channel: &Name, id: u64) -> PathBuf {
        self.members(channel).join(format!("m{id:08}"))
    }

    pub(super) fn channel_state_path(&self, channel: &Name, generation: u64) -> PathBuf {
        self.members(channel).join(format!("{generation:08}.json"))
    }

    pub(super) fn promotion_order(&self) -> PathBuf {
        self.0.join("order.json")
    }

    pub(super) fn channels(&self) -> PathBuf {
        self.0.join("channels")
    }

    pub(super) fn channel(&self, channel: &Name) -> PathBuf {
        self.channels().join(channel.as_str())
    }

    pub(super) fn packages(&self, channel: &Name) -> PathBuf {
        self.channel(channel).join("packages")
    }

    pub(super) fn generations(&self, channel: &Name) -> PathBuf {
        self.channel(channel).join("generations")
    }

    pub(super) fn generation(&self, channel: &Name, generation: u64) -> PathBuf {
        self.generations(channel).join(format!("{generation:08}"))
    }

    pub(super) fn generation_repodata(&self, channel: &Name, generation: u64) -> PathBuf {
        self.generation(channel, generation).join("repodata")
    }

    /// The symbolic link to the current generation.
    pub(super) fn current_link(&self, channel: &Name) -> PathBuf {
        self.channel(channel).join("current")
    }

    /// Where readers look.
    pub(super) fn repodata(&self, channel: &Name) -> PathBuf {
        self.channel(channel).join("repodata")
    }
}
