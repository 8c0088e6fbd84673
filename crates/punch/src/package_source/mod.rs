//! Where packages come from: a folder of packages, or any YUM repository. What is handed out is verified.

mod fetch_deadline;
mod package_cache;
mod package_folder;
mod repository_location;
mod yum_repository;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use converge::{CannotApplyCause, PackageFetchError, PackagePin};
use model::version::Version;
use packaging::{RpmReadOrVerifyError, inspect, openpgp::TrustedPublicKeys};

pub(crate) use fetch_deadline::FetchDeadline;
pub(crate) use package_cache::VerifiedFileCache;

use self::{
    package_folder::PackageFolder, repository_location::RepositoryUrlOrFolder, yum_repository::YumRepository,
};
use crate::{
    api_client, command_error::CommandError, host_files::HostFileAccess, terminal_output::TerminalOutput,
};

/// Why a package cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PackageSourceError {
    /// What was asked for is not there.
    #[error("{0}")]
    Missing(String),
    /// The address cannot be reached.
    #[error("the repository {place} could not be reached: {why}")]
    Unreachable {
        /// Which repository.
        place: String,
        /// What happened.
        why: String,
    },
    /// It is there, and not what it should be.
    #[error("{0}")]
    Refused(String),
    /// It cannot be read or stored.
    #[error("{0}")]
    Failed(String),
}

/// Where packages come from.
pub(crate) struct PackageSource {
    kind: Kind,
    /// The keys packages must be signed with; `None` accepts any.
    keys: Option<TrustedPublicKeys>,
}

enum Kind {
    Folder(PackageFolder),
    Repository(Box<YumRepository>),
}

impl PackageSource {
    /// Opens `place`: an `http(s)://` address, which is asked until `deadline`, or a folder, with or without `repodata`.
    pub(crate) fn open_package_source(
        place: &str,
        root: &HostFileAccess,
        keys: Option<TrustedPublicKeys>,
        deadline: FetchDeadline,
        output: &TerminalOutput,
    ) -> Result<Self, CommandError> {
        let cache = VerifiedFileCache::new(root.host_root());
        let kind = if place.starts_with("http://") || place.starts_with("https://") {
            let agent = api_client::new_http_agent_with_timeouts(
                root.find_custom_ca_certificates_file()?.as_deref(),
            )?;
            let place = RepositoryUrlOrFolder::Web {
                agent,
                base: api_client::check_and_trim_base_url(place)?,
                deadline: Some(deadline),
            };
            Kind::Repository(Box::new(YumRepository::new(place, cache, keys.clone(), output.clone())))
        } else {
            let folder = Path::new(place.strip_prefix("file://").unwrap_or(place));
            let entries = std::fs::read_dir(folder);
            entries.map_err(|error| {
                CommandError::cannot_read_file_error(folder, &error)
                    .with_hint("`--repository` takes a folder of packages, as `punch package` makes it, or the address of a YUM repository")
            })?;
            if folder.join("repodata/repomd.xml").exists() {
                let place = RepositoryUrlOrFolder::Folder(folder.to_owned());
                Kind::Repository(Box::new(YumRepository::new(place, cache, keys.clone(), output.clone())))
            } else {
                Kind::Folder(PackageFolder::new(folder))
            }
        };
        Ok(Self { kind, keys })
    }

    /// Checksums of the metadata this run used: worth keeping in the cache.
    pub(crate) fn checksums_of_used_metadata(&self) -> BTreeSet<String> {
        match &self.kind {
            Kind::Folder(_) => BTreeSet::new(),
            Kind::Repository(repository) => repository.checksums_of_used_metadata(),
        }
    }

    fn get(&mut self, pin: &PackagePin) -> Result<PathBuf, PackageSourceError> {
        let path = match &mut self.kind {
            Kind::Folder(folder) => folder.find_newest_pinned_package(pin)?,
            Kind::Repository(repository) => repository.find_or_fetch_newest_pinned_package(pin)?,
        };
        self.verify(pin, &path)?;
        // rpm changes its folder before it opens its files.
        std::path::absolute(&path).map_err(|error| {
            PackageSourceError::Failed(format!(
                "{} cannot be read: {}",
                path.display(),
                crate::command_error::io_error_reason_text(&error)
            ))
        })
    }

    /// Never returns a package that is unsigned by a trusted key, damaged, or not the requested one.
    fn verify(&self, pin: &PackagePin, path: &Path) -> Result<(), PackageSourceError> {
        let refused = |error: RpmReadOrVerifyError| PackageSourceError::Refused(error.to_string());
        match &self.keys {
            Some(keys) => drop(keys.verify_rpm_file(path).map_err(refused)?),
            None => drop(inspect::inspect_package_and_verify_digests(path).map_err(refused)?),
        }
        let header = inspect::read_package_name_version_arch(path).map_err(refused)?;
        if header.name != pin.name || !header.version.satisfies_requested_version(&pin.version) {
            return Err(PackageSourceError::Refused(format!(
                "{} should be {} {} and is {} {}",
                path.display(),
                pin.name,
                pin.version,
                header.name,
                header.version
            )));
        }
        Ok(())
    }
}

impl converge::PackageFetcher for PackageSource {
    fn fetch_and_verify_package(&mut self, pin: &PackagePin) -> Result<PathBuf, PackageFetchError> {
        self.get(pin).map_err(|error| PackageFetchError {
            cause: match error {
                PackageSourceError::Missing(_) => CannotApplyCause::WrongInput,
                PackageSourceError::Unreachable { .. } => CannotApplyCause::Unreachable,
                PackageSourceError::Refused(_) | PackageSourceError::Failed(_) => CannotApplyCause::Blocked,
            },
            message: error.to_string(),
        })
    }
}

/// Whether a package for `arch` can be installed on this machine.
fn suits_architecture(arch: &str) -> bool {
    arch == "noarch" || arch == std::env::consts::ARCH
}

/// `no shop 2.0 in dist/: it has shop 1.0.0-1, 1.1.0-1`, or what it has instead.
fn missing_package_error(
    pin: &PackagePin,
    place: &str,
    versions: &mut [Version],
    names: &BTreeSet<&str>,
) -> PackageSourceError {
    versions.sort();
    let there = if !versions.is_empty() {
        let texts: Vec<String> = versions.iter().rev().take(8).map(ToString::to_string).collect();
        format!("it has {} {}", pin.name, texts.join(", "))
    } else if names.is_empty() {
        "it has no packages at all".to_owned()
    } else {
        let some: Vec<&str> = names.iter().copied().take(12).collect();
        let more = if names.len() > some.len() { ", ..." } else { "" };
        match model::suggest_spelling(&pin.name, names.iter().copied()) {
            Some(near) => format!("it has no package of that name; did you mean `{near}`?"),
            None => format!("it has no package of that name, but {}{more}", some.join(", ")),
        }
    };
    PackageSourceError::Missing(format!("no {} {} in {place}: {there}", pin.name, pin.version))
}
