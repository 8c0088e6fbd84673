//! Packages, channels and keys: the repository, with everything that is done to it in the audit log.

use std::sync::Arc;

use model::{
    catalog::ComponentCatalog,
    name::Name,
    wire::{self, ComponentVersionSummary, ControlPlaneEvent, UploadedPackage},
};
use packaging::{
    openpgp::KeyFingerprint,
    repository::{PackageUpload, Repository, RepositoryError, TrustedOrWithdrawnKey},
};

use super::{
    BackOffice, BackOfficeError, PageRequest,
    page::PageSlice,
    refused_uploads::{RefusedUploadCounts, describe_counted_refusals},
};
use crate::{
    auth::{Admin, Developer, Operator, UnscopedPermit, Viewer},
    command_error::join_error_and_sources,
    store::TimeAndActor,
};

impl BackOffice {
    /// Does something with the repository, on a thread that may wait for the disk.
    pub(super) async fn run_blocking_with_repository<T, E>(
        &self,
        work: impl FnOnce(&Repository) -> Result<T, E> + Send + 'static,
    ) -> Result<T, BackOfficeError>
    where
        T: Send + 'static,
        E: Send + 'static,
        BackOfficeError: From<E>,
    {
        let repository = Arc::clone(&self.repository);
        let done = tokio::task::spawn_blocking(move || work(&repository)).await;
        Ok(done.map_err(|error| {
            BackOfficeError::Broken(format!("the repository's work broke off: {error}"))
        })??)
    }

    /// Changes the repository, with two entries in the audit log: one when it is begun, one of how it ended.
    pub(super) async fn change_repository_audited<T, E>(
        &self,
        entry: RepositoryAuditEntry,
        work: impl FnOnce(&Repository) -> Result<T, E> + Send + 'static,
        describe: impl FnOnce(&T) -> String + Send + 'static,
    ) -> Result<T, BackOfficeError>
    where
        T: Send + 'static,
        E: Send + 'static,
        BackOfficeError: From<E>,
    {
        let begun = format!("begun: {}", entry.detail);
        self.store
            .insert_repository_audit_entry(
                &self.audit_context(&entry.actor),
                entry.action,
                &entry.subject,
                &begun,
                None,
            )
            .await?;
        self.record_outcome(entry, work, describe).await
    }

    /// Changes the repository, with an audit entry of the result. The change completes even when the client disconnects.
    async fn record_outcome<T, E>(
        &self,
        entry: RepositoryAuditEntry,
        work: impl FnOnce(&Repository) -> Result<T, E> + Send + 'static,
        describe: impl FnOnce(&T) -> String + Send + 'static,
    ) -> Result<T, BackOfficeError>
    where
        T: Send + 'static,
        E: Send + 'static,
        BackOfficeError: From<E>,
    {
        let (store, clock, repository) =
            (self.store.clone(), self.clock.clone(), Arc::clone(&self.repository));
        let broke_off = |error| BackOfficeError::Broken(format!("the repository's work broke off: {error}"));
        let task = tokio::spawn(async move {
            let done = tokio::task::spawn_blocking(move || work(&repository)).await.map_err(broke_off);
            let done = done.and_then(|done| done.map_err(BackOfficeError::from));
            let context = TimeAndActor { at_us: clock.now_us(), actor: &entry.actor };
            let counts = entry.counted_refusals.as_deref();
            let outcome = match &done {
                Ok(done) => {
                    let counted = counts.map_or(0, |counts| counts.take_count(&entry.actor));
                    format!("done: {}{}", describe(done), describe_counted_refusals(counted))
                }
                Err(error @ BackOfficeError::Broken(_)) => format!("failed: {error}"),
                Err(error) => {
                    let counted = match counts {
                        Some(counts) => counts.count_refusal(&entry.actor, context.at_us),
                        None => Some(0),
                    };
                    let Some(counted) = counted else { return done };
                    format!("refused: {error}{}", describe_counted_refusals(counted))
                }
            };
            let event = entry.event.filter(|_| done.is_ok());
            if let Err(error) = store
                .insert_repository_audit_entry(&context, entry.action, &entry.subject, &outcome, event)
                .await
            {
                // It is done or not done all the same; that it was begun is recorded.
                tracing::error!(error = %join_error_and_sources(&error), "the outcome of a {} is not recorded", entry.action);
            }
            done
        });
        task.await.map_err(broke_off)?
    }

    /// The folder whose sub-folders are the channels.
    pub(crate) fn channels_folder_path(&self) -> std::path::PathBuf {
        self.repository.served_channels_folder()
    }

    /// The folder of the generation that a channel shows now, relative to [`BackOffice::channels_folder_path`].
    pub(crate) async fn relative_path_of_channel_generation(
        &self,
        channel: Name,
    ) -> Result<std::path::PathBuf, BackOfficeError> {
        self.run_blocking_with_repository(move |repository| {
            repository.relative_path_of_current_generation(&channel)
        })
        .await
    }

    /// What the channels hold.
    pub(super) async fn read_catalog_of_all_channels(
        &self,
    ) -> Result<Arc<ComponentCatalog>, BackOfficeError> {
        let catalog = self.run_blocking_with_repository(Repository::read_catalog).await?;
        self.cache().insert_catalog_and_forget_reached_nodes(&catalog);
        Ok(catalog)
    }

    /// Reads the catalog, so that the first request finds it in memory. What is wrong with it is told to whoever asks.
    pub(crate) async fn preload_catalog(&self) {
        let _ = self.read_catalog_of_all_channels().await;
    }

    /// The keys packages and metadata are signed with.
    pub(crate) async fn read_trusted_keys_armored(&self) -> Result<String, BackOfficeError> {
        self.run_blocking_with_repository(Repository::read_armored_trusted_and_withdrawn_keys).await
    }

    /// Begins to take in a package of at most `limit` bytes.
    pub(crate) async fn begin_package_upload(
        &self,
        _permit: &UnscopedPermit<Developer>,
        file: &str,
        limit: u64,
    ) -> Result<PackageUpload, BackOfficeError> {
        let name = file.to_owned();
        self.run_blocking_with_repository(move |repository| repository.begin_package_upload(&name, limit))
            .await
    }

    /// Takes in a package that is uploaded whole; it is visible in no channel yet.
    pub(crate) async fn finish_package_upload(
        &self,
        permit: &UnscopedPermit<Developer>,
        file: &str,
        upload: PackageUpload,
    ) -> Result<UploadedPackage, BackOfficeError> {
        let entry = RepositoryAuditEntry {
            counted_refusals: Some(Arc::clone(&self.refused_uploads)),
            ..RepositoryAuditEntry::new(&permit.audit_actor(), "receive", file, "")
        };
        self.record_outcome(
            entry,
            move |repository| repository.check_and_store_uploaded_package(upload),
            |received| format!("sha256 {}, {} bytes", received.sha256, received.size),
        )
        .await
    }

    /// Creates a channel directly behind `after` in the order of promotion, or at its end. Returns whether it
    /// is new.
    pub(crate) async fn create_channel(
        &self,
        permit: &UnscopedPermit<Operator>,
        channel: &Name,
        after: Option<&Name>,
    ) -> Result<bool, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let place = after.map_or_else(|| "at the end".to_owned(), |after| format!("after {after}"));
        let entry =
            RepositoryAuditEntry::new(&permit.audit_actor(), "create-channel", channel.as_str(), &place)
                .announce_channel_change_when_done(channel);
        let (channel, after, now) = (channel.clone(), after.cloned(), self.now_unix_seconds());
        self.change_repository_audited(
            entry,
            move |repository| repository.create_channel_if_absent(&channel, after.as_ref(), now),
            describe_creation,
        )
        .await
    }

    /// Creates `channels`, in this order of promotion, if the repository has none at all; completes a creation that was
    /// killed.
    pub(crate) async fn create_channels_if_none(
        &self,
        permit: &UnscopedPermit<Operator>,
        channels: &[Name],
    ) -> Result<(), BackOfficeError> {
        let channels = channels.to_vec();
        let missing = self
            .run_blocking_with_repository(move |repository| {
                repository.record_and_list_initial_channels(&channels)
            })
            .await?;
        for channel in missing {
            permit.require_grant_everywhere()?;
            let detail = "in the first order of promotion";
            let entry =
                RepositoryAuditEntry::new(&permit.audit_actor(), "create-channel", channel.as_str(), detail)
                    .announce_channel_change_when_done(&channel);
            let now = self.now_unix_seconds();
            self.change_repository_audited(
                entry,
                move |repository| repository.create_initial_channel_if_absent(&channel, now),
                describe_creation,
            )
            .await?;
        }
        Ok(())
    }

    /// Trusts packages signed by these armored certificates.
    pub(crate) async fn trust_package_keys(
        &self,
        permit: &UnscopedPermit<Admin>,
        armored: String,
    ) -> Result<wire::TrustedKeyList, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let entry =
            RepositoryAuditEntry::new(&permit.audit_actor(), "trust-keys", "packages", "a key was given");
        let given: Vec<KeyFingerprint> = self
            .change_repository_audited(
                entry,
                move |repository| repository.trust_keys(&armored),
                |keys: &Vec<KeyFingerprint>| {
                    keys.iter().map(KeyFingerprint::to_string).collect::<Vec<_>>().join(", ")
                },
            )
            .await?;
        let mut keys = self.run_blocking_with_repository(Repository::list_trusted_and_withdrawn_keys).await?;
        keys.retain(|key| given.contains(&key.fingerprint));
        Ok(key_list(&keys))
    }

    /// Accepts no new package signed by this key. Returns whether it was accepted before.
    pub(crate) async fn withdraw_package_key(
        &self,
        permit: &UnscopedPermit<Admin>,
        fingerprint: &str,
    ) -> Result<bool, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let entry = RepositoryAuditEntry::new(&permit.audit_actor(), "withdraw-key", fingerprint, "");
        let (fingerprint, now) = (fingerprint.to_owned(), self.now_unix_seconds());
        self.change_repository_audited(
            entry,
            move |repository| repository.withdraw_key_unless_withdrawn(&fingerprint, now.into()),
            |new| if *new { "withdrawn" } else { "was withdrawn already" }.to_owned(),
        )
        .await
    }

    /// The keys that packages and metadata are or were trusted by.
    pub(crate) async fn list_package_key_statuses(
        &self,
        _permit: &UnscopedPermit<Viewer>,
    ) -> Result<wire::TrustedKeyList, BackOfficeError> {
        Ok(key_list(&self.run_blocking_with_repository(Repository::list_trusted_and_withdrawn_keys).await?))
    }

    /// All channels, in the order of promotion.
    pub(crate) async fn list_channels(
        &self,
        _permit: &UnscopedPermit<Viewer>,
        page: &PageRequest,
    ) -> Result<wire::ChannelPage, BackOfficeError> {
        let catalog = self.read_catalog_of_all_channels().await?;
        let order = self.run_blocking_with_repository(Repository::list_channels).await?;
        let components =
            |channel: &Name| catalog.channels.get(channel).map_or(0, |components| components.len());
        let all = order.iter().map(|channel| (channel.as_str(), components(channel))).collect();
        let PageSlice { items, next } = page.slice_page_behind_named_item(all).ok_or_else(|| {
            let after = page.after.as_deref().unwrap_or_default();
            BackOfficeError::unknown_name_error(
                "channel",
                after,
                order.iter().map(Name::as_str),
                "`after` is the `next` of the page before",
            )
        })?;
        let summary =
            |(name, components): (&str, usize)| wire::ChannelSummary { name: name.to_owned(), components };
        Ok(wire::ChannelPage { items: items.into_iter().map(summary).collect(), next })
    }

    /// All components of the repository, with their newest version in each channel.
    pub(crate) async fn list_components_with_newest_versions(
        &self,
        _permit: &UnscopedPermit<Viewer>,
        page: &PageRequest,
    ) -> Result<wire::ComponentPage, BackOfficeError> {
        let catalog = self.read_catalog_of_all_channels().await?;
        let newest = catalog
            .components
            .iter()
            .filter_map(|(name, versions)| Some((name.as_str(), (name, versions.values().next_back()?))));
        let PageSlice { items, next } = page.slice_page(newest);
        let items = items
            .into_iter()
            .map(|(_, (name, newest))| wire::ComponentSummary {
                name: name.to_string(),
                kind: newest.component.kind,
                summary: newest.component.summary.clone(),
                channels: catalog
                    .channels
                    .keys()
                    .filter_map(|channel| {
                        Some((
                            channel.to_string(),
                            catalog.component_versions_in_channel(channel, name).last()?.to_string(),
                        ))
                    })
                    .collect(),
            })
            .collect();
        Ok(wire::ComponentPage { items, next })
    }

    /// The versions of a component, newest first.
    pub(crate) async fn list_component_versions(
        &self,
        _permit: &UnscopedPermit<Viewer>,
        name: &Name,
    ) -> Result<Vec<ComponentVersionSummary>, BackOfficeError> {
        let wanted = name.clone();
        let versions = self
            .run_blocking_with_repository(move |repository| repository.list_component_versions(&wanted))
            .await?;
        if versions.is_empty() {
            let catalog = self.read_catalog_of_all_channels().await?;
            let names = catalog.components.keys().map(Name::as_str);
            return Err(BackOfficeError::unknown_name_error(
                "component",
                name.as_str(),
                names,
                "publish it first (`punch publish`); `punch component list` lists all there are",
            ));
        }
        Ok(versions)
    }

    /// The time as OpenPGP keeps it.
    pub(super) fn now_unix_seconds(&self) -> u32 {
        u32::try_from(self.clock.now_us() / 1_000_000).unwrap_or(u32::MAX)
    }
}

/// The audit log entry of a repository operation.
pub(super) struct RepositoryAuditEntry {
    actor: String,
    action: &'static str,
    subject: String,
    detail: String,
    /// Announced when the operation is done.
    event: Option<ControlPlaneEvent>,
    /// Where refusals are counted; each is in the log if not given.
    counted_refusals: Option<Arc<RefusedUploadCounts>>,
}

fn key_list(keys: &[TrustedOrWithdrawnKey]) -> wire::TrustedKeyList {
    let micros = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let status = |key: &TrustedOrWithdrawnKey| wire::TrustedKeyStatus {
        fingerprint: key.fingerprint.to_string(),
        holder: key.holder.clone(),
        signs_metadata: key.signs_metadata,
        expires_us: key.expires.map(micros),
        withdrawn_us: key.withdrawn.map(micros),
    };
    wire::TrustedKeyList { items: keys.iter().map(status).collect() }
}

impl RepositoryAuditEntry {
    pub(super) fn new(actor: &str, action: &'static str, subject: &str, detail: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            action,
            subject: subject.to_owned(),
            detail: detail.to_owned(),
            event: None,
            counted_refusals: None,
        }
    }

    /// The same, and the channel is announced as changed when it is done.
    pub(super) fn announce_channel_change_when_done(self, channel: &Name) -> Self {
        Self { event: Some(ControlPlaneEvent::ChannelChanged { channel: channel.to_string() }), ..self }
    }
}

fn describe_creation(is_new: &bool) -> String {
    if *is_new { "created" } else { "existed already" }.to_owned()
}

impl From<RepositoryError> for BackOfficeError {
    fn from(error: RepositoryError) -> Self {
        use RepositoryError as R;
        let text = error.to_string();
        match error {
            R::Io { why, .. } if why.kind() == std::io::ErrorKind::StorageFull => {
                BackOfficeError::DiskFull(text)
            }
            R::Io { .. }
            | R::Damaged { .. }
            | R::Absent { .. }
            | R::Exists { .. }
            | R::KeyLost { .. }
            | R::Key(_) => BackOfficeError::Broken(text),
            R::TooLarge { .. } => BackOfficeError::TooLarge(text),
            R::OtherBytes { .. }
            | R::SameVersion { .. }
            | R::Alone { .. }
            | R::Incomplete { .. }
            | R::ChannelExists { .. }
            | R::BackwardPromotion { .. }
            | R::NoNextChannel { .. } => BackOfficeError::Conflict(text),
            R::NoChannel { .. } | R::NoVersion { .. } | R::NoKey { .. } => BackOfficeError::Absent(text),
            _ => BackOfficeError::Refused(text),
        }
    }
}
