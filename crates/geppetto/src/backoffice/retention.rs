//! Retention: old versions go, except those that a node file needs: a kept generation, or the next one.

use std::collections::BTreeSet;

use model::{catalog::Catalog, name::Name, resolve::Resolver, version::Version};
use packaging::repository::RemovedVersion;
use tokio::runtime::Handle;

use super::{BackOffice, BackOfficeError, estate_snapshot, packages::AuditNote};
use crate::store::{Store, StoreError};

impl BackOffice {
    /// Removes all but the newest `keep` versions of each component from the repository.
    pub async fn retain_versions(&self, keep: usize, actor: &str) -> Result<RemovedVersion, BackOfficeError> {
        let entry = AuditNote::new(
            actor,
            "retain",
            "repository",
            &format!("keep the newest {keep} of each component"),
        );
        // The removed version may be the last that declares a parameter secret.
        self.secret_parameters().await?;
        let (store, now) = (self.store.clone(), self.unix_seconds());
        let runtime = Handle::current();
        self.audited(
            entry,
            move |repository| {
                // Queried under the repository lock, so that every version a node file names is seen.
                repository.retain_with_needed(
                    |catalog| runtime.block_on(needed_versions(&store, catalog)),
                    keep,
                    now,
                )
            },
            |removed| format!("{} files of {} bytes removed", removed.files.len(), removed.bytes),
        )
        .await
    }

    /// Writes a channel's metadata anew from the index, and links its packages again.
    pub async fn rebuild_channel(&self, channel: Name, actor: &str) -> Result<(), BackOfficeError> {
        let entry = AuditNote::new(actor, "rebuild", &format!("channel {channel}"), "its metadata and links");
        let now = self.unix_seconds();
        self.audited(
            entry,
            move |repository| repository.rebuild(&channel, now),
            |()| "metadata written anew".to_owned(),
        )
        .await
    }
}

/// The versions that kept node files name, and those that servers would get if they asked now.
async fn needed_versions(
    store: &Store,
    catalog: &Catalog,
) -> Result<BTreeSet<(Name, Version)>, BackOfficeError> {
    let mut needed = BTreeSet::new();
    for (name, version) in store.needed_versions().await? {
        let corrupt = || StoreError::Corrupt(format!("the component version `{name} {version}`"));
        let name = Name::new(&name).map_err(|_| corrupt())?;
        let version: Version = version.parse().map_err(|_| corrupt())?;
        needed.insert((name, version));
    }
    let state = estate_snapshot::read_current_estate(store).await?;
    let resolver = Resolver::new(&state.estate, catalog);
    for server in state.estate.servers.keys() {
        // A server that has no node now needs nothing that could be kept for it.
        let Ok(node) = resolver.resolve(server) else { continue };
        needed.extend(node.components.into_iter().map(|(name, component)| (name, component.version)));
    }
    Ok(needed)
}
