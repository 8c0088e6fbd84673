//! Members: some hundred packages each, whose metadata is compressed once and then only copied.
//!
//! A gzip file may consist of several members, one after the other, and unpacks to their
//! concatenation. A channel's metadata file is a small first member (`<?xml ...><metadata packages="N">`),
//! the kept members below, and a small last one (`</metadata>`).

use std::{fs, io::Write, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use model::name::Name;
use serde::{Deserialize, Serialize};

use super::{Repository, RepositoryError, Result, disk, record::Fragments};

/// Packages in one member. Fewer make the files larger, more make each publication dearer.
pub(super) const MEMBER: usize = 128;

/// The three files of metadata that describe a channel's packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Primary,
    Filelists,
    Other,
}

impl File {
    pub(super) const ALL: [File; 3] = [File::Primary, File::Filelists, File::Other];

    /// What `repomd.xml` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            File::Primary => "primary",
            File::Filelists => "filelists",
            File::Other => "other",
        }
    }

    pub(super) fn header(self, packages: usize) -> String {
        let element = match self {
            File::Primary => {
                "metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\""
            }
            File::Filelists => "filelists xmlns=\"http://linux.duke.edu/metadata/filelists\"",
            File::Other => "otherdata xmlns=\"http://linux.duke.edu/metadata/other\"",
        };
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element} packages=\"{packages}\">\n")
    }

    pub(super) fn footer(self) -> &'static str {
        match self {
            File::Primary => "</metadata>\n",
            File::Filelists => "</filelists>\n",
            File::Other => "</otherdata>\n",
        }
    }

    pub(super) fn of(self, fragments: &Fragments) -> &str {
        match self {
            File::Primary => &fragments.primary,
            File::Filelists => &fragments.filelists,
            File::Other => &fragments.other,
        }
    }
}

/// A package in a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) file: String,
    pub(super) sha256: String,
}

/// A member as it is on disk; it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) packages: Vec<Listed>,
    /// Uncompressed bytes of each of [`File::ALL`].
    pub(super) open_sizes: [u64; 3],
}

pub(super) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(text);
    encoder.finish().unwrap_or_default()
}

impl Repository {
    /// Makes the member `id` of `channel` out of `packages`.
    pub(super) fn write_member(&self, channel: &Name, id: u64, packages: Vec<Listed>) -> Result<Member> {
        let folder = self.layout().member(channel, id);
        disk::fresh_folder(&folder)?;
        let mut texts = [const { String::new() }; 3];
        for listed in &packages {
            let fragments = self.fragments(&listed.file)?;
            for (text, file) in texts.iter_mut().zip(File::ALL) {
                text.push_str(file.of(&fragments));
            }
        }
        for (text, file) in texts.iter().zip(File::ALL) {
            disk::write_unseen(&folder.join(format!("{}.gz", file.name())), &gzip(text.as_bytes()))?;
        }
        let member = Member { id, packages, open_sizes: texts.map(|text| text.len() as u64) };
        let path = folder.join("list.json");
        disk::write_unseen(&path, &disk::json(&path, &member)?)?;
        disk::sync_folder(&folder)?;
        Ok(member)
    }

    pub(super) fn read_member(&self, channel: &Name, id: u64) -> Result<Member> {
        disk::read_json(&self.layout().member(channel, id).join("list.json"))
    }

    pub(super) fn member_file(&self, channel: &Name, id: u64, file: File) -> PathBuf {
        self.layout().member(channel, id).join(format!("{}.gz", file.name()))
    }

    /// The compressed bytes of one file of a member.
    pub(super) fn member_bytes(&self, channel: &Name, id: u64, file: File) -> Result<Vec<u8>> {
        let path = self.member_file(channel, id, file);
        fs::read(&path).map_err(|why| RepositoryError::io("read", &path, why))
    }
}
