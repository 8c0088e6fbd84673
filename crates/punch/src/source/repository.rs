//! A YUM repository: signed `repomd.xml`, the list of packages it names, the packages the list names.
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
use packaging::openpgp::{PublicKeys, SignatureError};

use super::{
    PackageCache, SourceError,
    metadata::{self, ListedPackage, PrimaryLocation},
    missing,
    place::{ReadError, SourceLocation},
    suits,
};
use crate::output::TerminalOutput;

const REPOMD: &str = "repodata/repomd.xml";
const SIGNATURE: &str = "repodata/repomd.xml.asc";
/// So often the two are read until they fit each other.
const TRIES: usize = 4;
/// The largest `repomd.xml`, and the largest list of packages, that are read.
const MAX_REPOMD: u64 = 4 * 1024 * 1024;
const MAX_PRIMARY: u64 = 1024 * 1024 * 1024;
/// The largest package, when nobody said how large it is.
const MAX_PACKAGE: u64 = 64 * 1024 * 1024 * 1024;

/// A YUM repository.
pub(super) struct YumRepository {
    place: SourceLocation,
    cache: PackageCache,
    keys: Option<PublicKeys>,
    output: TerminalOutput,
    index: Option<BTreeMap<String, Vec<ListedPackage>>>,
    used: BTreeSet<String>,
}

impl YumRepository {
    pub(super) fn new(
        place: SourceLocation,
        cache: PackageCache,
        keys: Option<PublicKeys>,
        output: TerminalOutput,
    ) -> Self {
        Self { place, cache, keys, output, index: None, used: BTreeSet::new() }
    }

    /// Checksums of metadata used in this run.
    pub(super) fn used(&self) -> BTreeSet<String> {
        self.used.clone()
    }

    /// The newest package that is what `pin` says, in the cache or fetched into it.
    pub(super) fn find(&mut self, pin: &PackagePin) -> Result<PathBuf, SourceError> {
        if let (Some(sha256), Some(file)) = (&pin.sha256, &pin.file)
            && metadata::inside(file).is_ok()
            && !file.contains('/')
        {
            if let Some(path) = self.cache.find(sha256, file) {
                return Ok(path);
            }
            match self.fetch(&format!("packages/{file}"), sha256, pin.size) {
                // Other repositories keep their packages elsewhere: their metadata says where.
                Err(SourceError::Missing(_)) => (),
                found => return found,
            }
        }
        let listed = self.listed(pin)?;
        let name = listed.href.rsplit('/').next().unwrap_or_default();
        match self.cache.find(&listed.sha256, name) {
            Some(path) => Ok(path),
            None => self.fetch(&listed.href, &listed.sha256, listed.size),
        }
    }

    fn listed(&mut self, pin: &PackagePin) -> Result<ListedPackage, SourceError> {
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
        index: &BTreeMap<String, Vec<ListedPackage>>,
        pin: &PackagePin,
    ) -> Result<ListedPackage, SourceError> {
        let of_name = || index.get(&pin.name).into_iter().flatten();
        let fitting = |listed: &&ListedPackage| suits(&listed.arch) && listed.version.is(&pin.version);
        let newest = of_name().filter(fitting).max_by(|one, other| one.version.cmp(&other.version));
        let Some(newest) = newest else {
            let names: BTreeSet<&str> = index.keys().map(String::as_str).collect();
            let mut versions: Vec<_> = of_name().map(|listed| listed.version.clone()).collect();
            return Err(missing(pin, &self.place.to_string(), &mut versions, &names));
        };
        match &pin.sha256 {
            None => Ok(newest.clone()),
            Some(wanted) => of_name().find(|listed| listed.sha256 == *wanted).cloned().ok_or_else(|| {
                SourceError::Refused(format!(
                    "{} has {} {} with other bytes than the node file asks for (sha256 {wanted})",
                    self.place, pin.name, newest.version
                ))
            }),
        }
    }

    fn read_index(&mut self) -> Result<BTreeMap<String, Vec<ListedPackage>>, SourceError> {
        let repomd = self.read_repomd()?;
        let broken =
            |why: String| SourceError::Refused(format!("the metadata of {} is broken: {why}", self.place));
        let primary = metadata::primary(&repomd).map_err(broken)?;
        let path = self.fetch_primary(&primary)?;
        self.used.insert(primary.sha256.clone());
        let mut index: BTreeMap<String, Vec<ListedPackage>> = BTreeMap::new();
        let reader = open(&path, &primary.href).map_err(&broken)?;
        metadata::packages(BufReader::new(reader), |listed| {
            index.entry(listed.name.clone()).or_default().push(listed);
        })
        .map_err(&broken)?;
        Ok(index)
    }

    /// Reads `repomd.xml` and its signature. They are two files, and a publication may come between:
    /// only where they do not fit again and again was one of them changed.
    fn read_repomd(&self) -> Result<String, SourceError> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let repomd = self.place.text(REPOMD, MAX_REPOMD).map_err(|error| match error {
                ReadError::Missing => SourceError::Missing(format!(
                    "{} is not a YUM repository: it has no {REPOMD}",
                    self.place
                )),
                error => self.error(REPOMD, error),
            })?;
            match self.check_signature(&repomd)? {
                Ok(()) => return Ok(repomd),
                Err(why) if tries == 0 => {
                    return Err(SourceError::Refused(format!(
                        "the metadata of {} is refused: {why}",
                        self.place
                    )));
                }
                Err(_) => (),
            }
        }
    }

    /// Reads the signature of `repomd` and says whether it fits.
    fn check_signature(&self, repomd: &str) -> Result<Result<(), SignatureError>, SourceError> {
        let Some(keys) = &self.keys else { return Ok(Ok(())) };
        let signature = self.place.text(SIGNATURE, MAX_REPOMD).map_err(|error| match error {
            ReadError::Missing => SourceError::Refused(format!(
                "the metadata of {} is not signed, and this host trusts only signed ones",
                self.place
            )),
            error => self.error(SIGNATURE, error),
        })?;
        Ok(keys.verify_detached(repomd.as_bytes(), &signature).map(drop))
    }

    fn fetch_primary(&self, primary: &PrimaryLocation) -> Result<PathBuf, SourceError> {
        let name = primary.href.rsplit('/').next().unwrap_or_default();
        match self.cache.find(&primary.sha256, name) {
            Some(path) => Ok(path),
            None => self.download(&primary.href, &primary.sha256, primary.size, MAX_PRIMARY),
        }
    }

    fn fetch(&self, href: &str, sha256: &str, size: Option<u64>) -> Result<PathBuf, SourceError> {
        self.download(href, sha256, size, MAX_PACKAGE)
    }

    /// Streams a file into the cache; one with another checksum than announced is not kept.
    fn download(
        &self,
        href: &str,
        sha256: &str,
        size: Option<u64>,
        most: u64,
    ) -> Result<PathBuf, SourceError> {
        let name = href.rsplit('/').next().unwrap_or_default();
        let bar = self.output.bar(name, size);
        self.cache.store(sha256, name, SourceError::Failed, |file| {
            let found = self
                .place
                .copy(href, size.unwrap_or(most).min(most), file, Some(&bar))
                .map_err(|error| self.error(href, error))?;
            if found == sha256 {
                return Ok(());
            }
            Err(SourceError::Refused(format!(
                "{href} from {} has other bytes than announced: sha256 {found} instead of {sha256}",
                self.place
            )))
        })
    }

    fn error(&self, href: &str, error: ReadError) -> SourceError {
        match error {
            ReadError::Missing => SourceError::Missing(format!("{} has no {href}", self.place)),
            ReadError::Unreachable(why) => SourceError::Unreachable { place: self.place.to_string(), why },
            ReadError::Other(why) => SourceError::Failed(format!("{href} of {}: {why}", self.place)),
        }
    }
}

/// Opens a list of packages, whatever it is compressed with.
fn open(path: &Path, href: &str) -> Result<Box<dyn Read>, String> {
    let file = File::open(path).map_err(|error| crate::failure::reason(&error))?;
    match href.rsplit('.').next() {
        Some("gz") => Ok(Box::new(flate2::read::MultiGzDecoder::new(file))),
        Some("zst") => match zstd::Decoder::new(file) {
            Ok(decoder) => Ok(Box::new(decoder)),
            Err(error) => Err(crate::failure::reason(&error)),
        },
        Some("xml") => Ok(Box::new(file)),
        _ => Err(format!("{href} is compressed in a way that is not known here; gz, zst and plain xml are")),
    }
}
