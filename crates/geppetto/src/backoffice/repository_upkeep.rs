//! Looking after what is stored: old versions, reports and jobs are removed, the repository is checked and mended.
//!
//! A version stays that a node file needs: a kept generation, or the next one.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use model::{catalog::ComponentCatalog, name::Name, resolve::Resolver, version::Version, wire};
use packaging::repository::{RepositoryFinding, RetentionResult};
use tokio::runtime::Handle;

use super::{
    BackOffice, BackOfficeError, cancel_when_dropped::CancelWhenDropped, estate_snapshot,
    packages::RepositoryAuditEntry,
};
use crate::{
    auth::{Operator, UnscopedPermit},
    jobs::{JobKind, RETAIN_VERSIONS},
    store::{Store, StoreError},
};

/// How long a job that ended is kept: thirty days, in microseconds.
const KEPT_JOBS_US: i64 = 30 * 86_400 * 1_000_000;

impl BackOffice {
    /// Removes all versions from the repository but the newest `keep` of each component, those that kept node files
    /// name, and what these require.
    pub(crate) async fn remove_unneeded_versions_from_every_channel(
        &self,
        permit: &UnscopedPermit<Operator>,
        keep: usize,
    ) -> Result<RetentionResult, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let entry = RepositoryAuditEntry::new(
            &permit.audit_actor(),
            "retain",
            "repository",
            &format!("keep the newest {keep} of each component"),
        );
        // The removed version may be the last that declares a parameter secret.
        self.load_and_store_ever_secret_parameters().await?;
        let (store, now) = (self.store.clone(), self.now_unix_seconds());
        let runtime = Handle::current();
        self.change_repository_audited(
            entry,
            move |repository| {
                // Queried under the repository lock, so that every version a node file names is seen.
                repository.remove_unneeded_versions_queried_under_lock(
                    |catalog| runtime.block_on(needed_versions(&store, catalog, &AtomicBool::new(false))),
                    keep,
                    now,
                )
            },
            |removed| format!("{} files of {} bytes removed", removed.files.len(), removed.bytes),
        )
        .await
    }

    /// What [`BackOffice::remove_unneeded_versions_from_every_channel`] would remove now.
    pub(crate) async fn preview_removal_of_unneeded_versions(
        &self,
        permit: &UnscopedPermit<Operator>,
        keep: u32,
    ) -> Result<wire::RetentionPreview, BackOfficeError> {
        permit.require_grant_everywhere()?;
        // It refuses the numbers that the job refuses.
        JobKind::job_kind_from_request(RETAIN_VERSIONS, Some(keep), None)
            .map_err(|error| BackOfficeError::Refused(error.to_string()))?;
        let (store, now, runtime) = (self.store.clone(), self.now_unix_seconds(), Handle::current());
        let request = CancelWhenDropped::default();
        let is_cancelled = request.flag();
        let planned = self
            .run_blocking_with_repository(move |repository| {
                repository.preview_removal_of_unneeded_versions(
                    |catalog| runtime.block_on(needed_versions(&store, catalog, &is_cancelled)),
                    keep as usize,
                    now,
                )
            })
            .await?;
        let RetentionResult { channels, mut versions, files, bytes } = planned;
        let channels = channels.into_iter().map(|(channel, files)| {
            let versions = versions.remove(&channel).unwrap_or_default();
            let versions = versions.iter().map(|(name, version)| format!("{name}@{version}")).collect();
            wire::ChannelRetentionPreview { channel: channel.to_string(), versions, files }
        });
        Ok(wire::RetentionPreview { keep, channels: channels.collect(), files, bytes })
    }

    /// Reads every package and all metadata of the repository, and gives what is damaged.
    pub(crate) async fn check_repository(
        &self,
        permit: &UnscopedPermit<Operator>,
        progress: impl FnMut(u64, u64) -> bool + Send + 'static,
    ) -> Result<Vec<RepositoryFinding>, BackOfficeError> {
        permit.require_grant_everywhere()?;
        self.run_blocking_with_repository(move |repository| {
            repository.check_repository_with_progress(progress)
        })
        .await
    }

    /// Removes what uploads, publications and channel creations left in the repository that were killed more than an hour
    /// ago. Nobody has ever seen any of it, so no audit entry says that it is gone.
    pub(crate) async fn remove_leftovers_of_killed_processes(
        &self,
        permit: &UnscopedPermit<Operator>,
    ) -> Result<Vec<PathBuf>, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let now = self.now_unix_seconds();
        self.run_blocking_with_repository(move |repository| {
            repository.remove_leftovers_of_killed_processes(now)
        })
        .await
    }

    /// Removes reports that are neither among the newest of their server nor among its newest failures, and jobs
    /// that ended long ago. Gives how many of each.
    pub(crate) async fn prune_reports_and_ended_jobs(
        &self,
        permit: &UnscopedPermit<Operator>,
    ) -> Result<(u64, u64), BackOfficeError> {
        permit.require_grant_everywhere()?;
        let mut reports = 0;
        for server in self.store.read_servers_with_many_reports().await? {
            reports += self.store.prune_reports_of_server(&server).await?;
        }
        let jobs = self.store.prune_ended_jobs(self.clock.now_us() - KEPT_JOBS_US).await?;
        Ok((reports, jobs))
    }

    /// Writes a channel's metadata anew from the index, and links its packages again.
    pub(crate) async fn rewrite_channel_metadata_and_links(
        &self,
        permit: &UnscopedPermit<Operator>,
        channel: Name,
    ) -> Result<(), BackOfficeError> {
        permit.require_grant_everywhere()?;
        let entry = RepositoryAuditEntry::new(
            &permit.audit_actor(),
            "rebuild",
            &format!("channel {channel}"),
            "its metadata and links",
        );
        let now = self.now_unix_seconds();
        self.change_repository_audited(
            entry,
            move |repository| repository.rewrite_channel_metadata_and_links(&channel, now),
            |()| "metadata written anew".to_owned(),
        )
        .await
    }
}

/// The versions that kept node files name, and those that servers would get if they asked now. Fails once `is_cancelled`
/// is set.
async fn needed_versions(
    store: &Store,
    catalog: &ComponentCatalog,
    is_cancelled: &AtomicBool,
) -> Result<BTreeSet<(Name, Version)>, BackOfficeError> {
    let mut needed = BTreeSet::new();
    for (name, version) in store.read_component_versions_of_node_files().await? {
        let corrupt = || StoreError::Corrupt(format!("the component version `{name} {version}`"));
        let name = Name::new(&name).map_err(|_| corrupt())?;
        let version: Version = version.parse().map_err(|_| corrupt())?;
        needed.insert((name, version));
    }
    let state = estate_snapshot::read_current_estate(store).await?;
    let resolver = Resolver::new(&state.estate, catalog);
    for server in state.estate.servers.keys() {
        if is_cancelled.load(Ordering::Relaxed) {
            return Err(BackOfficeError::Broken("the request for this preview ended early".to_owned()));
        }
        // A server that has no node now needs nothing that could be kept for it.
        let Ok(resolved) = resolver.resolve_server(server) else { continue };
        let components = resolved.node.components.iter();
        needed.extend(components.map(|(name, component)| (name.clone(), component.version.clone())));
    }
    Ok(needed)
}
