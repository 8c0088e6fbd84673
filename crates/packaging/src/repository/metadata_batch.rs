//! Metadata batches: some hundred packages each, whose compressed metadata is only copied by later publications.
//!
//! A gzip file may consist of several members (RFC 1952), one after the other, and unpacks to their
//! concatenation. A channel's metadata file is a small first member (`<?xml ...><metadata packages="N">`),
//! the members of the batches, and a small last one (`</metadata>`). For the same reason the last batch can
//! be extended: what it has is copied, the new packages' pieces are compressed and put behind it, and
//! nothing of the packages it has already is read. One that became full so is compressed once more, as a
//! whole: hundred small pieces are several times as large.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use model::name::Name;
use serde::{Deserialize, Serialize};

use super::{Repository, RepositoryError, Result, package_record::PackageMetadataXmlFragments};

/// Packages in one batch. Fewer make the files larger, more make each publication dearer.
pub(super) const MAX_PACKAGES_PER_BATCH: usize = 128;
/// A batch is full, too, with so many uncompressed bytes: packages of many files are few in one, and
/// what is copied, or compressed once more, stays small.
const FULL_BYTES: u64 = 1 << 20;

/// The three files of metadata that describe a channel's packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetadataFileKind {
    Primary,
    Filelists,
    Other,
}

impl MetadataFileKind {
    pub(super) const ALL_METADATA_FILE_KINDS: [MetadataFileKind; 3] =
        [MetadataFileKind::Primary, MetadataFileKind::Filelists, MetadataFileKind::Other];

    /// What `repomd.xml` calls it.
    pub(super) fn name_in_repomd_xml(self) -> &'static str {
        match self {
            MetadataFileKind::Primary => "primary",
            MetadataFileKind::Filelists => "filelists",
            MetadataFileKind::Other => "other",
        }
    }

    pub(super) fn xml_header(self, packages: usize) -> String {
        let element = match self {
            MetadataFileKind::Primary => {
                "metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\""
            }
            MetadataFileKind::Filelists => "filelists xmlns=\"http://linux.duke.edu/metadata/filelists\"",
            MetadataFileKind::Other => "otherdata xmlns=\"http://linux.duke.edu/metadata/other\"",
        };
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element} packages=\"{packages}\">\n")
    }

    pub(super) fn xml_footer(self) -> &'static str {
        match self {
            MetadataFileKind::Primary => "</metadata>\n",
            MetadataFileKind::Filelists => "</filelists>\n",
            MetadataFileKind::Other => "</otherdata>\n",
        }
    }

    pub(super) fn fragment_for_metadata_file(self, fragments: &PackageMetadataXmlFragments) -> &str {
        match self {
            MetadataFileKind::Primary => &fragments.primary,
            MetadataFileKind::Filelists => &fragments.filelists,
            MetadataFileKind::Other => &fragments.other,
        }
    }
}

/// A package in a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ChannelPackageFileAndDigest {
    pub(super) file: String,
    pub(super) sha256: String,
}

/// The compressed metadata of some packages. On disk: this in one line, then the compressed bytes of each of [`MetadataFileKind::ALL_METADATA_FILE_KINDS`]. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MetadataBatch {
    pub(super) id: u64,
    pub(super) packages: Vec<ChannelPackageFileAndDigest>,
    /// Uncompressed bytes of each of [`MetadataFileKind::ALL_METADATA_FILE_KINDS`].
    pub(super) open_sizes: [u64; 3],
    /// Compressed bytes of each.
    pub(super) sizes: [u64; 3],
}

impl MetadataBatch {
    /// Whether it takes no more packages.
    pub(super) fn is_full(&self) -> bool {
        is_batch_full(self.packages.len(), &self.open_sizes)
    }
}

/// Whether a batch of so many packages and uncompressed bytes takes no more.
pub(super) fn is_batch_full(packages: usize, open_sizes: &[u64; 3]) -> bool {
    packages >= MAX_PACKAGES_PER_BATCH || open_sizes.iter().sum::<u64>() >= FULL_BYTES
}

pub(super) fn gzip_compress(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(text);
    encoder.finish().unwrap_or_default()
}

impl Repository {
    pub(super) fn read_metadata_batch_header(&self, channel: &Name, id: u64) -> Result<MetadataBatch> {
        let path = self.layout().metadata_batch_path(channel, id);
        let read = || {
            let mut line = Vec::new();
            BufReader::new(fs::File::open(&path)?).read_until(b'\n', &mut line)?;
            Ok(line)
        };
        let line = read().map_err(|why| RepositoryError::from_io_error("read", &path, why))?;
        serde_json::from_slice(&line).map_err(|why| RepositoryError::new_damaged_file_error(&path, why))
    }

    /// The compressed bytes of one file of a batch.
    pub(super) fn read_compressed_batch_metadata(
        &self,
        channel: &Name,
        batch: &MetadataBatch,
        file: MetadataFileKind,
    ) -> Result<Vec<u8>> {
        let path = self.layout().metadata_batch_path(channel, batch.id);
        read_compressed_metadata_file(&path, batch, file)
            .map_err(|why| RepositoryError::from_io_error("read", &path, why))
    }
}

fn read_compressed_metadata_file(
    path: &Path,
    batch: &MetadataBatch,
    file: MetadataFileKind,
) -> io::Result<Vec<u8>> {
    let mut from = fs::File::open(path)?;
    // The pieces are at the file's end.
    let behind: u64 = batch.sizes[file as usize..].iter().sum();
    let start = from.metadata()?.len().checked_sub(behind).ok_or(io::ErrorKind::UnexpectedEof)?;
    from.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    from.take(batch.sizes[file as usize]).read_to_end(&mut bytes)?;
    Ok(bytes)
}
