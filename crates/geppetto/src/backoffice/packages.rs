//! Packages and channels: the repository, with everything that is done to it in the audit log.

use std::{io::Read, sync::Arc};

use model::{
    catalog::Catalog,
    name::Name,
    version::Version,
    wire::{ComponentVersion, Promotion, Published, Received},
};
use packaging::{
    openpgp::Fingerprint,
    repository::{Repository, RepositoryError},
};

use super::{Office, OfficeError};
use crate::store::Deed;

impl Office {
    /// Does something with the repository, on a thread that may wait for the disk.
    pub async fn with_repository<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Repository) -> Result<T, RepositoryError> + Send + 'static,
    ) -> Result<T, OfficeError> {
        let repository = Arc::clone(&self.repository);
        let done = tokio::task::spawn_blocking(move || work(&repository)).await;
        Ok(done.map_err(|error| OfficeError::Broken(format!("the repository's work broke off: {error}")))??)
    }

    /// The folder whose sub-folders are the channels.
    pub fn served(&self) -> std::path::PathBuf {
        self.repository.served()
    }

    /// What the channels hold.
    pub async fn catalog(&self) -> Result<Arc<Catalog>, OfficeError> {
        self.with_repository(Repository::catalog).await
    }

    /// Grows with everything that changes a channel.
    pub(super) async fn serial(&self) -> Result<u64, OfficeError> {
        self.with_repository(Repository::serial).await
    }

    /// The keys packages and metadata are signed with.
    pub async fn package_keys(&self) -> Result<String, OfficeError> {
        self.with_repository(Repository::keys_armored).await
    }

    /// Takes in a package, which is visible in no channel yet.
    pub async fn receive(
        &self,
        reader: impl Read + Send + 'static,
        file: &str,
        limit: u64,
        actor: &str,
    ) -> Result<Received, OfficeError> {
        let name = file.to_owned();
        let received =
            self.with_repository(move |repository| repository.receive(reader, &name, limit)).await?;
        let detail = format!("sha256 {}, {} bytes", received.sha256, received.size);
        self.store.record(&self.deed(actor), "receive", &received.file, &detail).await?;
        Ok(received)
    }

    /// Makes received packages visible in a channel, all or none.
    pub async fn publish(
        &self,
        channel: &Name,
        files: Vec<String>,
        actor: &str,
    ) -> Result<Published, OfficeError> {
        if files.is_empty() {
            return Err(OfficeError::Refused("no files were named; there is nothing to publish".to_owned()));
        }
        self.store.record(&self.deed(actor), "publish", channel.as_str(), &files.join(", ")).await?;
        let (channel, now) = (channel.clone(), self.seconds());
        self.with_repository(move |repository| repository.publish(&channel, &files, now)).await
    }

    /// Makes a version, and what it requires, visible in one more channel.
    pub async fn promote(&self, promotion: &Promotion, actor: &str) -> Result<Published, OfficeError> {
        let named = |text: &str| Name::new(text).map_err(|error| OfficeError::Refused(error.to_string()));
        let (name, from, to) = (named(&promotion.name)?, named(&promotion.from)?, named(&promotion.to)?);
        let version: Version = promotion
            .version
            .parse()
            .map_err(|error: model::version::VersionError| OfficeError::Refused(error.to_string()))?;
        let subject = format!("{name}@{version}");
        self.store.record(&self.deed(actor), "promote", &subject, &format!("from {from} to {to}")).await?;
        let now = self.seconds();
        self.with_repository(move |repository| repository.promote(&name, &version, &from, &to, now)).await
    }

    /// Trusts packages signed by these armored certificates.
    pub async fn trust(&self, armored: String, actor: &str) -> Result<Vec<Fingerprint>, OfficeError> {
        self.store.record(&self.deed(actor), "trust", "packages", "a key was given").await?;
        self.with_repository(move |repository| repository.trust(&armored)).await
    }

    /// The versions of a component, newest first.
    pub async fn versions(&self, name: &Name) -> Result<Vec<ComponentVersion>, OfficeError> {
        let wanted = name.clone();
        let versions = self.with_repository(move |repository| repository.versions(&wanted)).await?;
        if versions.is_empty() {
            let catalog = self.catalog().await?;
            let names = catalog.components.keys().map(Name::as_str);
            return Err(OfficeError::unknown(
                "component",
                name.as_str(),
                names,
                "publish it first (`punch publish`); `GET /api/v1/components` lists all there are",
            ));
        }
        Ok(versions)
    }

    fn deed<'a>(&self, actor: &'a str) -> Deed<'a> {
        Deed { at_us: self.clock.now_us(), actor }
    }

    /// The time as OpenPGP keeps it.
    pub(super) fn seconds(&self) -> u32 {
        u32::try_from(self.clock.now_us() / 1_000_000).unwrap_or(u32::MAX)
    }
}

impl From<RepositoryError> for OfficeError {
    fn from(error: RepositoryError) -> Self {
        use RepositoryError as R;
        let text = error.to_string();
        match error {
            R::Io { .. } | R::Damaged { .. } | R::Absent { .. } | R::Exists { .. } | R::Key(_) => {
                OfficeError::Broken(text)
            }
            R::TooLarge { .. } => OfficeError::TooLarge(text),
            R::OtherBytes { .. } | R::Alone { .. } | R::Incomplete { .. } => OfficeError::Conflict(text),
            R::NoChannel { .. } | R::NoVersion { .. } => OfficeError::Absent(text),
            _ => OfficeError::Refused(text),
        }
    }
}
