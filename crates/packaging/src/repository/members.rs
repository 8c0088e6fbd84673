//! Members: some hundred packages each, whose compressed metadata is only copied by later publications.
//!
//! A gzip file may consist of several members, one after the other, and unpacks to their
//! concatenation. A channel's metadata file is a small first member (`<?xml ...><metadata packages="N">`),
//! the kept members below, and a small last one (`</metadata>`). For the same reason the last member can
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

use super::{Repository, RepositoryError, Result, record::MetadataFragments};

/// Packages in one member. Fewer make the files larger, more make each publication dearer.
pub(super) const MAX_MEMBER_PACKAGES: usize = 128;
/// A member is full, too, with so many uncompressed bytes: packages of many files are few in one, and
/// what is copied, or compressed once more, stays small.
const FULL_BYTES: u64 = 1 << 20;

/// The three files of metadata that describe a channel's packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetadataFile {
    Primary,
    Filelists,
    Other,
}

impl MetadataFile {
    pub(super) const ALL: [MetadataFile; 3] =
        [MetadataFile::Primary, MetadataFile::Filelists, MetadataFile::Other];

    /// What `repomd.xml` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            MetadataFile::Primary => "primary",
            MetadataFile::Filelists => "filelists",
            MetadataFile::Other => "other",
        }
    }

    pub(super) fn header(self, packages: usize) -> String {
        let element = match self {
            MetadataFile::Primary => {
                "metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\""
            }
            MetadataFile::Filelists => "filelists xmlns=\"http://linux.duke.edu/metadata/filelists\"",
            MetadataFile::Other => "otherdata xmlns=\"http://linux.duke.edu/metadata/other\"",
        };
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element} packages=\"{packages}\">\n")
    }

    pub(super) fn footer(self) -> &'static str {
        match self {
            MetadataFile::Primary => "</metadata>\n",
            MetadataFile::Filelists => "</filelists>\n",
            MetadataFile::Other => "</otherdata>\n",
        }
    }

    pub(super) fn fragment(self, fragments: &MetadataFragments) -> &str {
        match self {
            MetadataFile::Primary => &fragments.primary,
            MetadataFile::Filelists => &fragments.filelists,
            MetadataFile::Other => &fragments.other,
        }
    }
}

/// A package in a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct MemberPackage {
    pub(super) file: String,
    pub(super) sha256: String,
}

/// A member. On disk: this in one line, then the compressed bytes of each of [`MetadataFile::ALL`]. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GzipMember {
    pub(super) id: u64,
    pub(super) packages: Vec<MemberPackage>,
    /// Uncompressed bytes of each of [`MetadataFile::ALL`].
    pub(super) open_sizes: [u64; 3],
    /// Compressed bytes of each.
    pub(super) sizes: [u64; 3],
}

impl GzipMember {
    /// Whether it takes no more packages.
    pub(super) fn is_full(&self) -> bool {
        is_member_full(self.packages.len(), &self.open_sizes)
    }
}

/// Whether a member of so many packages and uncompressed bytes takes no more.
pub(super) fn is_member_full(packages: usize, open_sizes: &[u64; 3]) -> bool {
    packages >= MAX_MEMBER_PACKAGES || open_sizes.iter().sum::<u64>() >= FULL_BYTES
}

pub(super) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(text);
    encoder.finish().unwrap_or_default()
}

impl Repository {
    pub(super) fn read_member(&self, channel: &Name, id: u64) -> Result<GzipMember> {
        let path = self.layout().member(channel, id);
        let read = || {
            let mut line = Vec::new();
            BufReader::new(fs::File::open(&path)?).read_until(b'\n', &mut line)?;
            Ok(line)
        };
        let line = read().map_err(|why| RepositoryError::io("read", &path, why))?;
        serde_json::from_slice(&line).map_err(|why| RepositoryError::damaged(&path, why))
    }

    /// The compressed bytes of one file of a member.
    pub(super) fn member_bytes(
        &self,
        channel: &Name,
        member: &GzipMember,
        file: MetadataFile,
    ) -> Result<Vec<u8>> {
        let path = self.layout().member(channel, member.id);
        read_piece(&path, member, file).map_err(|why| RepositoryError::io("read", &path, why))
    }
}

fn read_piece(path: &Path, member: &GzipMember, file: MetadataFile) -> io::Result<Vec<u8>> {
    let mut from = fs::File::open(path)?;
    // The pieces are at the file's end.
    let behind: u64 = member.sizes[file as usize..].iter().sum();
    let start = from.metadata()?.len().checked_sub(behind).ok_or(io::ErrorKind::UnexpectedEof)?;
    from.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    from.take(member.sizes[file as usize]).read_to_end(&mut bytes)?;
    Ok(bytes)
}
