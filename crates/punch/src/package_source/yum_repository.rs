//! A YUM repository: signed `repomd.xml`, the list of packages it names, the packages the list names.
//!
//! A repository of ours has a `mirrorlist`, which names the current generation: a repository below it that
//! never changes, so that `repomd.xml` and its signature always belong together. Any other repository is read
//! at its own address, where a publication may come between the two.
//!
//! A package a node file names exactly is fetched without any metadata: the node file is signed and
//! holds its checksum. Everything fetched is kept in the cache by checksum.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use converge::PackagePin;
use packaging::{
    openpgp::{SignatureError, TrustedPublicKeys},
    repository_metadata::{self, PackageInPrimaryXml, PrimaryXmlLocation, RepositoryMetadataError},
};

use super::{
    PackageSourceError, VerifiedFileCache, missing_package_error,
    repository_location::{RepositoryFileReadError, RepositoryUrlOrFolder},
    suits_architecture,
};
use crate::{
    api_client::{self, strip_control_characters_and_shorten},
    command_error::io_error_reason_text,
    terminal_output::TerminalOutput,
};

const MIRRORLIST: &str = "mirrorlist";
/// The largest mirrorlist that is read, in bytes.
const MAX_MIRRORLIST: u64 = 64 * 1024;
const REPOMD: &str = "repodata/repomd.xml";
const SIGNATURE: &str = "repodata/repomd.xml.asc";
/// So often the two are read until they fit each other.
const TRIES: usize = 4;
/// The largest `repomd.xml`, and the largest list of packages, that are read.
const MAX_REPOMD: u64 = 4 * 1024 * 1024;
const MAX_PRIMARY: u64 = 1024 * 1024 * 1024;
/// The largest package accepted when its size is not declared.
const MAX_PACKAGE: u64 = 64 * 1024 * 1024 * 1024;

/// A YUM repository.
pub(super) struct YumRepository {
    place: RepositoryUrlOrFolder,
    cache: VerifiedFileCache,
    keys: Option<TrustedPublicKeys>,
    output: TerminalOutput,
    /// Where the metadata is, once it was looked for: the current generation, or `place` itself.
    generation: Option<RepositoryUrlOrFolder>,
    index: Option<BTreeMap<String, Vec<PackageInPrimaryXml>>>,
    used: BTreeSet<String>,
}

impl YumRepository {
    pub(super) fn new(
        place: RepositoryUrlOrFolder,
        cache: VerifiedFileCache,
        keys: Option<TrustedPublicKeys>,
        output: TerminalOutput,
    ) -> Self {
        Self { place, cache, keys, output, generation: None, index: None, used: BTreeSet::new() }
    }

    /// Checksums of metadata used in this run.
    pub(super) fn checksums_of_used_metadata(&self) -> BTreeSet<String> {
        self.used.clone()
    }

    /// The newest package that matches `pin`, from the cache or fetched into it.
    pub(super) fn find_or_fetch_newest_pinned_package(
        &mut self,
        pin: &PackagePin,
    ) -> Result<PathBuf, PackageSourceError> {
        if let (Some(sha256), Some(file)) = (&pin.sha256, &pin.file)
            && repository_metadata::check_path_inside_repository(file).is_ok()
            && !file.contains('/')
        {
            if let Some(path) = self.cache.find_file_or_remove_damaged(sha256, file) {
                return Ok(path);
            }
            match self.fetch(&self.place, &format!("packages/{file}"), sha256, pin.size) {
                // Other repositories keep packages elsewhere: their metadata has the location.
                Err(PackageSourceError::Missing(_)) => (),
                found => return found,
            }
        }
        let listed = self.listed(pin)?;
        let name = listed.href.rsplit('/').next().unwrap_or_default();
        match self.cache.find_file_or_remove_damaged(&listed.sha256, name) {
            Some(path) => Ok(path),
            None => self.fetch(self.metadata_place(), &listed.href, &listed.sha256, listed.size),
        }
    }

    fn listed(&mut self, pin: &PackagePin) -> Result<PackageInPrimaryXml, PackageSourceError> {
        let index = match self.index.take() {
            Some(index) => index,
            None => self.read_index()?,
        };
        let found = self.choose(&index, pin);
        self.index = Some(index);
        found
    }

    fn choose(
        &self,
        index: &BTreeMap<String, Vec<PackageInPrimaryXml>>,
        pin: &PackagePin,
    ) -> Result<PackageInPrimaryXml, PackageSourceError> {
        let of_name = || index.get(&pin.name).into_iter().flatten();
        let fitting = |listed: &&PackageInPrimaryXml| {
            suits_architecture(&listed.arch) && listed.version.satisfies_requested_version(&pin.version)
        };
        let newest = of_name().filter(fitting).max_by(|one, other| one.version.cmp(&other.version));
        let Some(newest) = newest else {
            let names: BTreeSet<&str> = index.keys().map(String::as_str).collect();
            let mut versions: Vec<_> = of_name().map(|listed| listed.version.clone()).collect();
            return Err(missing_package_error(pin, &self.place.to_string(), &mut versions, &names));
        };
        match &pin.sha256 {
            None => Ok(newest.clone()),
            Some(wanted) => of_name().find(|listed| listed.sha256 == *wanted).cloned().ok_or_else(|| {
                PackageSourceError::Refused(format!(
                    "{} has {} {} with other bytes than the node file asks for (sha256 {wanted})",
                    self.place, pin.name, newest.version
                ))
            }),
        }
    }

    fn read_index(&mut self) -> Result<BTreeMap<String, Vec<PackageInPrimaryXml>>, PackageSourceError> {
        self.generation = self.find_generation()?;
        let repomd = self.read_repomd()?;
        let broken = |why: String| {
            PackageSourceError::Refused(format!("the metadata of {} is broken: {why}", self.place))
        };
        let broken_metadata = |error| {
            broken(match error {
                RepositoryMetadataError::Read(why) => {
                    format!("the list of packages cannot be read: {}", io_error_reason_text(&why))
                }
                RepositoryMetadataError::Malformed(why) => why,
            })
        };
        let primary =
            repository_metadata::parse_primary_location_in_repomd(&repomd).map_err(broken_metadata)?;
        let path = self.fetch_primary(&primary)?;
        self.used.insert(primary.sha256.clone());
        let mut index: BTreeMap<String, Vec<PackageInPrimaryXml>> = BTreeMap::new();
        let reader = open(&path, &primary.href).map_err(broken)?;
        repository_metadata::for_each_package_in_primary(BufReader::new(reader), |listed| {
            index.entry(listed.name.clone()).or_default().push(listed);
        })
        .map_err(broken_metadata)?;
        Ok(index)
    }

    /// Where `repodata` is looked for.
    fn metadata_place(&self) -> &RepositoryUrlOrFolder {
        self.generation.as_ref().unwrap_or(&self.place)
    }

    /// The current generation, where the repository has a mirrorlist.
    fn find_generation(&self) -> Result<Option<RepositoryUrlOrFolder>, PackageSourceError> {
        let RepositoryUrlOrFolder::Web { agent, base, deadline } = &self.place else { return Ok(None) };
        let list = match self.place.read_small_text_file(MIRRORLIST, MAX_MIRRORLIST) {
            Ok(list) => list,
            Err(RepositoryFileReadError::Missing) => return Ok(None),
            Err(error) => return Err(self.error(MIRRORLIST, error)),
        };
        let base = first_mirror(base, &list).map_err(|why| {
            PackageSourceError::Failed(format!("the mirrorlist {base}/{MIRRORLIST} cannot be used: {why}"))
        })?;
        Ok(Some(RepositoryUrlOrFolder::Web { agent: agent.clone(), base, deadline: *deadline }))
    }

    /// Reads `repomd.xml` and its signature. Where nothing but the repository's own address is known, a
    /// publication may come between the two, so they are read several times before they are refused.
    fn read_repomd(&self) -> Result<String, PackageSourceError> {
        let mut tries = if self.generation.is_some() { 1 } else { TRIES };
        loop {
            tries -= 1;
            let repomd =
                self.metadata_place().read_small_text_file(REPOMD, MAX_REPOMD).map_err(
                    |error| match error {
                        RepositoryFileReadError::Missing => PackageSourceError::Missing(format!(
                            "{} is not a YUM repository: it has no {REPOMD}",
                            self.place
                        )),
                        error => self.error(REPOMD, error),
                    },
                )?;
            match self.check_signature(&repomd)? {
                Ok(()) => return Ok(repomd),
                Err(why) if tries == 0 => {
                    return Err(PackageSourceError::Refused(format!(
                        "the metadata of {} is refused: {why}",
                        self.place
                    )));
                }
                Err(_) => (),
            }
        }
    }

    /// Reads the signature of `repomd` and verifies it.
    fn check_signature(&self, repomd: &str) -> Result<Result<(), SignatureError>, PackageSourceError> {
        let Some(keys) = &self.keys else { return Ok(Ok(())) };
        let signature = self.metadata_place().read_small_text_file(SIGNATURE, MAX_REPOMD).map_err(
            |error| match error {
                RepositoryFileReadError::Missing => PackageSourceError::Refused(format!(
                    "the metadata of {} is not signed, and this host trusts only signed ones",
                    self.place
                )),
                error => self.error(SIGNATURE, error),
            },
        )?;
        Ok(keys.verify_detached_signature(repomd.as_bytes(), &signature).map(drop))
    }

    fn fetch_primary(&self, primary: &PrimaryXmlLocation) -> Result<PathBuf, PackageSourceError> {
        let name = primary.href.rsplit('/').next().unwrap_or_default();
        match self.cache.find_file_or_remove_damaged(&primary.sha256, name) {
            Some(path) => Ok(path),
            None => self.download(
                self.metadata_place(),
                &primary.href,
                &primary.sha256,
                primary.size,
                MAX_PRIMARY,
            ),
        }
    }

    fn fetch(
        &self,
        place: &RepositoryUrlOrFolder,
        href: &str,
        sha256: &str,
        size: Option<u64>,
    ) -> Result<PathBuf, PackageSourceError> {
        self.download(place, href, sha256, size, MAX_PACKAGE)
    }

    /// Streams a file into the cache; one with another checksum than announced is not kept.
    fn download(
        &self,
        place: &RepositoryUrlOrFolder,
        href: &str,
        sha256: &str,
        size: Option<u64>,
        most: u64,
    ) -> Result<PathBuf, PackageSourceError> {
        let name = href.rsplit('/').next().unwrap_or_default();
        let bar = self.output.new_progress_bar(name, size);
        self.cache.store_file_if_checksum_matches(sha256, name, PackageSourceError::Failed, |file| {
            let found = place
                .copy_file_and_digest(href, size.unwrap_or(most).min(most), file, Some(&bar))
                .map_err(|error| self.error(href, error))?;
            if found == sha256 {
                return Ok(());
            }
            Err(PackageSourceError::Refused(format!(
                "{href} from {} has other bytes than announced: sha256 {found} instead of {sha256}",
                self.place
            )))
        })
    }

    fn error(&self, href: &str, error: RepositoryFileReadError) -> PackageSourceError {
        match error {
            RepositoryFileReadError::Missing => {
                PackageSourceError::Failed(format!("{} has no {href}", self.place))
            }
            RepositoryFileReadError::Unreachable(why) => {
                PackageSourceError::Unreachable { place: self.place.to_string(), why }
            }
            RepositoryFileReadError::Other(why) => {
                PackageSourceError::Failed(format!("{href} of {}: {why}", self.place))
            }
        }
    }
}

/// The first address that the mirrorlist of the repository at `base` names. It is read as `base` is: over TLS, or not.
fn first_mirror(base: &str, list: &str) -> Result<String, String> {
    let mut lines = list.lines().map(str::trim);
    let url = lines.find(|line| !line.is_empty() && !line.starts_with('#')).ok_or("it names no address")?;
    if base.starts_with("https://") && !url.starts_with("https://") {
        return Err(format!(
            "it names {}, which is not https; behind a proxy, the control plane needs `geppetto serve --advertise`",
            strip_control_characters_and_shorten(url, 200)
        ));
    }
    api_client::check_and_trim_base_url(url).map_err(|error| error.message)
}

/// Opens a list of packages, whatever it is compressed with.
fn open(path: &Path, href: &str) -> Result<Box<dyn Read>, String> {
    let file = File::open(path).map_err(|error| io_error_reason_text(&error))?;
    match href.rsplit('.').next() {
        Some("gz") => Ok(Box::new(flate2::read::MultiGzDecoder::new(file))),
        Some("zst") => match zstd::Decoder::new(file) {
            Ok(decoder) => Ok(Box::new(decoder)),
            Err(error) => Err(io_error_reason_text(&error)),
        },
        Some("xml") => Ok(Box::new(file)),
        _ => Err(format!("{href} is compressed in a way that is not known here; gz, zst and plain xml are")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_address_of_a_mirrorlist_is_taken() {
        let list = "# comment\n\n http://a.example.org/repository/dev/generations/00000007/\nhttp://b/\n";
        let base = "http://a.example.org/repository/dev";
        assert_eq!(first_mirror(base, list).unwrap(), format!("{base}/generations/00000007"));
    }

    #[test]
    fn mirrorlist_without_address_or_that_leaves_https_is_refused() {
        assert_eq!(first_mirror("http://a", "# nothing\n").unwrap_err(), "it names no address");
        assert!(first_mirror("https://a", "http://a/x/").unwrap_err().contains("--advertise"));
        assert!(first_mirror("http://a", "file:///etc/").unwrap_err().contains("is not an address"));
    }
}
