//! Where everything is, below the repository's folder.

use std::path::{Path, PathBuf};

use model::name::Name;

/// The paths of a repository.
pub(super) struct RepositoryLayout<'a>(pub(super) &'a Path);

impl RepositoryLayout<'_> {
    pub(super) fn folders_to_create(&self) -> [PathBuf; 6] {
        [
            self.0.to_owned(),
            self.incoming_folder_path(),
            self.pool_folder_path(),
            self.index_folder_path(),
            self.0.join("members"),
            self.channels_folder_path(),
        ]
    }

    pub(super) fn signing_key_path(&self) -> PathBuf {
        self.0.join("signing.key")
    }

    pub(super) fn trusted_keys_path(&self) -> PathBuf {
        self.0.join("keys.asc")
    }

    pub(super) fn withdrawn_keys_path(&self) -> PathBuf {
        self.0.join("withdrawn-keys.json")
    }

    pub(super) fn lock_file_path(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn incoming_folder_path(&self) -> PathBuf {
        self.0.join("incoming")
    }

    pub(super) fn pool_folder_path(&self) -> PathBuf {
        self.0.join("pool")
    }

    pub(super) fn pool_package_path(&self, package: &str, file: &str) -> PathBuf {
        self.pool_folder_path().join(package).join(file)
    }

    pub(super) fn index_folder_path(&self) -> PathBuf {
        self.0.join("index")
    }

    pub(super) fn index_entry_path(&self, package: &str, file: &str) -> PathBuf {
        self.index_folder_path().join(package).join(format!("{file}.jsonl"))
    }

    pub(super) fn channel_batches_folder_path(&self, channel: &Name) -> PathBuf {
        self.0.join("members").join(channel.as_str())
    }

    pub(super) fn metadata_batch_path(&self, channel: &Name, id: u64) -> PathBuf {
        self.channel_batches_folder_path(channel).join(format!("m{id:08}"))
    }

    pub(super) fn channel_generation_state_path(&self, channel: &Name, generation: u64) -> PathBuf {
        self.channel_batches_folder_path(channel).join(format!("{generation:08}.json"))
    }

    pub(super) fn promotion_order_path(&self) -> PathBuf {
        self.0.join("order.json")
    }

    pub(super) fn channels_folder_path(&self) -> PathBuf {
        self.0.join("channels")
    }

    pub(super) fn channel_folder_path(&self, channel: &Name) -> PathBuf {
        self.channels_folder_path().join(channel.as_str())
    }

    pub(super) fn channel_packages_folder_path(&self, channel: &Name) -> PathBuf {
        self.channel_folder_path(channel).join("packages")
    }

    pub(super) fn channel_generations_folder_path(&self, channel: &Name) -> PathBuf {
        self.channel_folder_path(channel).join("generations")
    }

    pub(super) fn generation_folder_path(&self, channel: &Name, generation: u64) -> PathBuf {
        self.channel_generations_folder_path(channel).join(format!("{generation:08}"))
    }

    pub(super) fn generation_repodata_path(&self, channel: &Name, generation: u64) -> PathBuf {
        self.generation_folder_path(channel, generation).join("repodata")
    }

    /// The symbolic link to the current generation.
    pub(super) fn channel_current_generation_link_path(&self, channel: &Name) -> PathBuf {
        self.channel_folder_path(channel).join("current")
    }

    /// Where readers look.
    pub(super) fn stable_channel_repodata_path(&self, channel: &Name) -> PathBuf {
        self.channel_folder_path(channel).join("repodata")
    }
}
