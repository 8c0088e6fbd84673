//! Packages and channels: the repository, with everything that is done to it in the audit log.

use std::{io::Read, sync::Arc};

use model::{
    catalog::Catalog,
    name::Name,
    version::Version,
    wire::{ComponentVersion, PromotionRequest, PublicationResult, ReceivedPackage},
};
use packaging::{
    openpgp::Fingerprint,
    repository::{Repository, RepositoryError},
};

use super::{BackOffice, BackOfficeError};
use crate::{daemon_error::error_chain, store::AuditContext};

impl BackOffice {
    /// Does something with the repository, on a thread that may wait for the disk.
    pub async fn with_repository<T, E>(
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
    pub(super) async fn audited<T, E>(
        &self,
        entry: AuditNote,
        work: impl FnOnce(&Repository) -> Result<T, E> + Send + 'static,
        told: impl FnOnce(&T) -> String + Send + 'static,
    ) -> Result<T, BackOfficeError>
    where
        T: Send + 'static,
        E: Send + 'static,
        BackOfficeError: From<E>,
    {
        let begun = format!("begun: {}", entry.detail);
        self.store.record(&self.audit_context(&entry.actor), entry.action, &entry.subject, &begun).await?;
        self.carried_out(entry, work, told).await
    }

    /// Changes the repository, with an audit entry of the result. The change completes even when the client disconnects.
    async fn carried_out<T, E>(
        &self,
        entry: AuditNote,
        work: impl FnOnce(&Repository) -> Result<T, E> + Send + 'static,
        told: impl FnOnce(&T) -> String + Send + 'static,
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
            let outcome = match &done {
                Ok(done) => format!("done: {}", told(done)),
                Err(error @ BackOfficeError::Broken(_)) => format!("failed: {error}"),
                Err(error) => format!("refused: {error}"),
            };
            let deed = AuditContext { at_us: clock.now_us(), actor: &entry.actor };
            if let Err(error) = store.record(&deed, entry.action, &entry.subject, &outcome).await {
                // It is done or not done all the same; that it was begun is recorded.
                tracing::error!(error = %error_chain(&error), "the outcome of a {} is not recorded", entry.action);
            }
            done
        });
        task.await.map_err(broke_off)?
    }

    /// The folder whose sub-folders are the channels.
    pub fn served_folder(&self) -> std::path::PathBuf {
        self.repository.served_folder()
    }

    /// The folder of the generation that a channel shows now, relative to [`BackOffice::served_folder`].
    pub async fn generation_path(&self, channel: Name) -> Result<std::path::PathBuf, BackOfficeError> {
        self.with_repository(move |repository| repository.generation_path(&channel)).await
    }

    /// What the channels hold.
    pub async fn catalog(&self) -> Result<Arc<Catalog>, BackOfficeError> {
        let catalog = self.with_repository(Repository::catalog).await?;
        self.known().insert_catalog(&catalog);
        Ok(catalog)
    }

    /// The keys packages and metadata are signed with.
    pub async fn package_keys(&self) -> Result<String, BackOfficeError> {
        self.with_repository(Repository::keys_armored).await
    }

    /// Takes in a package, which is visible in no channel yet.
    pub async fn receive(
        &self,
        reader: impl Read + Send + 'static,
        file: &str,
        limit: u64,
        actor: &str,
    ) -> Result<ReceivedPackage, BackOfficeError> {
        let name = file.to_owned();
        let entry = AuditNote::new(actor, "receive", file, "");
        self.carried_out(
            entry,
            move |repository| repository.receive(reader, &name, limit),
            |received| format!("sha256 {}, {} bytes", received.sha256, received.size),
        )
        .await
    }

    /// Creates a channel directly behind `after` in the order of promotion, or at its end. Returns whether it
    /// is new.
    pub async fn create_channel(
        &self,
        channel: &Name,
        after: Option<&Name>,
        actor: &str,
    ) -> Result<bool, BackOfficeError> {
        let place = after.map_or_else(|| "at the end".to_owned(), |after| format!("after {after}"));
        let entry = AuditNote::new(actor, "create channel", channel.as_str(), &place);
        let (channel, after, now) = (channel.clone(), after.cloned(), self.unix_seconds());
        self.audited(
            entry,
            move |repository| repository.create_channel(&channel, after.as_ref(), now),
            |new| if *new { "created" } else { "existed already" }.to_owned(),
        )
        .await
    }

    /// Creates `channels`, in this order of promotion, if the repository has none at all.
    pub async fn create_first_channels(&self, channels: &[Name], actor: &str) -> Result<(), BackOfficeError> {
        if self.with_repository(Repository::channels).await?.is_empty() {
            for channel in channels {
                self.create_channel(channel, None, actor).await?;
            }
        }
        Ok(())
    }

    /// Makes received packages visible in a channel, all or none.
    pub async fn publish(
        &self,
        channel: &Name,
        files: Vec<String>,
        actor: &str,
    ) -> Result<PublicationResult, BackOfficeError> {
        if files.is_empty() {
            return Err(BackOfficeError::Refused(
                "no files were named; there is nothing to publish".to_owned(),
            ));
        }
        let entry = AuditNote::new(actor, "publish", channel.as_str(), &files.join(", "));
        let (channel, now) = (channel.clone(), self.unix_seconds());
        let published =
            self.audited(entry, move |repository| repository.publish(&channel, &files, now), visible).await?;
        self.secret_parameters().await?;
        Ok(published)
    }

    /// Makes a version, and what it requires, visible in one more channel.
    pub async fn promote(
        &self,
        promotion: &PromotionRequest,
        actor: &str,
    ) -> Result<PublicationResult, BackOfficeError> {
        let named = |text: &str| Name::new(text).map_err(|error| BackOfficeError::Refused(error.to_string()));
        let (name, from, to) = (named(&promotion.name)?, named(&promotion.from)?, named(&promotion.to)?);
        let version: Version = promotion
            .version
            .parse()
            .map_err(|error: model::version::VersionError| BackOfficeError::Refused(error.to_string()))?;
        let subject = format!("{name}@{version}");
        let entry = AuditNote::new(actor, "promote", &subject, &format!("from {from} to {to}"));
        let now = self.unix_seconds();
        self.audited(entry, move |repository| repository.promote(&name, &version, &from, &to, now), visible)
            .await
    }

    /// Trusts packages signed by these armored certificates.
    pub async fn trust(&self, armored: String, actor: &str) -> Result<Vec<Fingerprint>, BackOfficeError> {
        let entry = AuditNote::new(actor, "trust", "packages", "a key was given");
        self.audited(
            entry,
            move |repository| repository.trust_keys(&armored),
            |keys| keys.iter().map(Fingerprint::to_string).collect::<Vec<_>>().join(", "),
        )
        .await
    }

    /// The versions of a component, newest first.
    pub async fn versions(&self, name: &Name) -> Result<Vec<ComponentVersion>, BackOfficeError> {
        let wanted = name.clone();
        let versions = self.with_repository(move |repository| repository.versions(&wanted)).await?;
        if versions.is_empty() {
            let catalog = self.catalog().await?;
            let names = catalog.components.keys().map(Name::as_str);
            return Err(BackOfficeError::unknown(
                "component",
                name.as_str(),
                names,
                "publish it first (`punch publish`); `GET /api/v1/components` lists all there are",
            ));
        }
        Ok(versions)
    }

    fn audit_context<'a>(&self, actor: &'a str) -> AuditContext<'a> {
        AuditContext { at_us: self.clock.now_us(), actor }
    }

    /// The time as OpenPGP keeps it.
    pub(super) fn unix_seconds(&self) -> u32 {
        u32::try_from(self.clock.now_us() / 1_000_000).unwrap_or(u32::MAX)
    }
}

/// The audit log entry of a repository operation.
pub(super) struct AuditNote {
    actor: String,
    action: &'static str,
    subject: String,
    detail: String,
}

impl AuditNote {
    pub(super) fn new(actor: &str, action: &'static str, subject: &str, detail: &str) -> Self {
        Self { actor: actor.to_owned(), action, subject: subject.to_owned(), detail: detail.to_owned() }
    }
}

fn visible(published: &PublicationResult) -> String {
    let added = published.added.join(", ");
    format!(
        "{} files became visible, {} were before: {added}",
        published.added.len(),
        published.present.len()
    )
}

impl From<RepositoryError> for BackOfficeError {
    fn from(error: RepositoryError) -> Self {
        use RepositoryError as R;
        let text = error.to_string();
        match error {
            R::Io { why, .. } if why.kind() == std::io::ErrorKind::StorageFull => {
                BackOfficeError::DiskFull(text)
            }
            R::Io { .. } | R::Damaged { .. } | R::Absent { .. } | R::Exists { .. } | R::Key(_) => {
                BackOfficeError::Broken(text)
            }
            R::TooLarge { .. } => BackOfficeError::TooLarge(text),
            R::OtherBytes { .. }
            | R::SameVersion { .. }
            | R::Alone { .. }
            | R::Incomplete { .. }
            | R::ChannelExists { .. }
            | R::BackwardPromotion { .. } => BackOfficeError::Conflict(text),
            R::NoChannel { .. } | R::NoVersion { .. } => BackOfficeError::Absent(text),
            _ => BackOfficeError::Refused(text),
        }
    }
}
