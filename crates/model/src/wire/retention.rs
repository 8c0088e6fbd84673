//! What a retention of the repository would remove.

use serde::{Deserialize, Serialize};

shape! {
    /// What the job `retain-versions` would remove now.
    pub struct RetentionPreview {
        /// How many of the newest versions of each component are kept in any case.
        pub keep: u32,
        /// The channels that would show less, by name.
        pub channels: Vec<ChannelRetentionPreview>,
        /// The files that no channel would show any more: they are removed.
        pub files: Vec<String>,
        /// The bytes of these files.
        pub bytes: u64,
    }

    /// What a retention would remove from a channel.
    pub struct ChannelRetentionPreview {
        /// The channel.
        pub channel: String,
        /// The component versions that would not be visible there any more: `shop@1.0.0-1`.
        pub versions: Vec<String>,
        /// Their files, and those of packages that belong to no component.
        pub files: Vec<String>,
    }
}
