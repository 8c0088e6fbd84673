//! The files of installed packages as rpm's database lists them, and how they looked when punch last compared their
//! content: a file that looks the same is not read again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How long a comparison of contents counts, in microseconds: a week. What changed a file without changing its size,
/// its times or its inode, a failing disk for instance, is found then.
const DIGEST_AGAIN_AFTER_US: i64 = 7 * 24 * 3600 * 1_000_000;

/// Asks what of installed packages is not as the packages brought it.
#[derive(Debug)]
pub struct PayloadDriftRequest<'a> {
    /// The packages.
    pub packages: &'a BTreeSet<String>,
    /// Paths that are described by resources: those decide what is there.
    pub described: &'a BTreeSet<String>,
    /// Packages of which all contents are compared, however their files look.
    pub deep: &'a BTreeSet<String>,
    /// The time, in microseconds since 1970.
    pub now_us: i64,
}

/// What punch knows of the files of installed packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifiedPayloads {
    /// How rpm's database looked when the lists were read from it.
    pub(crate) database: String,
    /// The packages, by name.
    pub(crate) packages: BTreeMap<String, VerifiedPackage>,
}

/// The files of one package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifiedPackage {
    /// When all contents were compared, in microseconds since 1970.
    pub(crate) digested_us: i64,
    /// Its files.
    pub(crate) files: Vec<InstalledFile>,
}

/// One path of an installed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstalledFile {
    pub(crate) path: String,
    /// Type and permission bits.
    pub(crate) mode: u32,
    pub(crate) size: u64,
    /// The SHA-256 of a file, where the package has that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) sha256: String,
    pub(crate) owner: String,
    pub(crate) group: String,
    /// Where a link leads.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) target: String,
    /// What rpm calls its flags: a configuration file, for instance.
    #[serde(default)]
    pub(crate) flags: u32,
    /// What of it is compared, as bits.
    pub(crate) compared: u32,
    /// How it looked when its content was found right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<FileLook>,
}

/// What changes with the content of a file: its size, its times or its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileLook {
    pub(crate) size: i64,
    pub(crate) inode: u64,
    pub(crate) modified_ns: i64,
    pub(crate) changed_ns: i64,
}

/// `RPMFILE_*` of rpm's `rpmfiles.h`.
pub(crate) mod flag {
    pub(crate) const CONFIG: u32 = 1;
    pub(crate) const MISSING_OK: u32 = 1 << 3;
    pub(crate) const GHOST: u32 = 1 << 6;
}

/// `RPMVERIFY_*` of rpm's `rpmvf.h`.
pub(crate) mod compared {
    pub(crate) const DIGEST: u32 = 1;
    pub(crate) const SIZE: u32 = 1 << 1;
    pub(crate) const TARGET: u32 = 1 << 2;
    pub(crate) const OWNER: u32 = 1 << 3;
    pub(crate) const GROUP: u32 = 1 << 4;
    pub(crate) const MODE: u32 = 1 << 6;
}

impl VerifiedPackage {
    /// Whether all contents are due to be compared.
    pub(crate) fn is_due(&self, now_us: i64) -> bool {
        !(0..DIGEST_AGAIN_AFTER_US).contains(&now_us.saturating_sub(self.digested_us))
    }

    /// Keeps what is known of files that `earlier` lists in the same way.
    pub(crate) fn keep_known(&mut self, earlier: &VerifiedPackage) {
        let known: BTreeMap<&str, &InstalledFile> =
            earlier.files.iter().map(|file| (file.path.as_str(), file)).collect();
        for file in &mut self.files {
            file.seen = known
                .get(file.path.as_str())
                .filter(|known| known.sha256 == file.sha256 && known.size == file.size)
                .and_then(|known| known.seen);
        }
        self.digested_us = earlier.digested_us;
    }
}

impl VerifiedPayloads {
    /// The paths of all packages.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.packages.values().flat_map(|package| &package.files).map(|file| file.path.as_str())
    }
}

impl InstalledFile {
    pub(crate) fn is_config(&self) -> bool {
        self.flags & flag::CONFIG != 0
    }

    pub(crate) fn compares(&self, what: u32) -> bool {
        self.compared & what != 0
    }
}
