//! Retention: old versions go, except those that some kept generation of a node file needs.

use std::collections::BTreeSet;

use model::{name::Name, version::Version};
use packaging::repository::Removed;

use super::{Office, OfficeError};
use crate::store::{Deed, StoreError};

impl Office {
    /// Removes all but the newest `keep` versions of each component from the repository.
    pub async fn retain(&self, keep: usize, actor: &str) -> Result<Removed, OfficeError> {
        let mut needed = BTreeSet::new();
        for (name, version) in self.store.needed_versions().await? {
            let corrupt = || StoreError::Corrupt(format!("the component version `{name} {version}`"));
            let name = Name::new(&name).map_err(|_| corrupt())?;
            let version: Version = version.parse().map_err(|_| corrupt())?;
            needed.insert((name, version));
        }
        let deed = Deed { at_us: self.clock.now_us(), actor };
        let detail =
            format!("keep the newest {keep} of each component and {} that node files need", needed.len());
        self.store.record(&deed, "retain", "repository", &detail).await?;
        let now = self.seconds();
        self.with_repository(move |repository| repository.retain(&needed, keep, now)).await
    }

    /// Writes a channel's metadata anew from the index, and links its packages again.
    pub async fn rebuild(&self, channel: Name, actor: &str) -> Result<(), OfficeError> {
        let deed = Deed { at_us: self.clock.now_us(), actor };
        self.store.record(&deed, "rebuild", &format!("channel {channel}"), "metadata written anew").await?;
        let now = self.seconds();
        self.with_repository(move |repository| repository.rebuild(&channel, now)).await
    }
}
