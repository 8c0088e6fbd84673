//! What lies on a host where packages are about to bring something, and whose it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Asks about paths that packages are about to bring.
#[derive(Debug)]
pub struct PackagePathsRequest<'a> {
    /// Installed packages whose files are to be known: those that change or leave.
    pub packages: &'a BTreeSet<String>,
    /// The paths.
    pub paths: &'a BTreeSet<String>,
    /// Those of them whose content is to be digested where a file is there.
    pub digested: &'a BTreeSet<String>,
}

/// What a host has at each path that was asked for.
pub type ObservedPackagePaths = BTreeMap<String, ObservedPackagePath>;

/// What a host has at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedPackagePath {
    /// The path with the links above it resolved: `/bin/sh` is `/usr/bin/sh` on most hosts.
    pub canonical: String,
    /// What lies there; `None` when nothing does.
    pub entry: Option<EntryAtPath>,
    /// Which packages it is of, and nothing where it is of none.
    pub owners: BTreeSet<PackagedPathOwner>,
    /// The first folder above it that somebody but root can change.
    pub unsafe_because: Option<String>,
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryAtPath {
    /// Of which kind it is; a link is not followed.
    pub kind: EntryKind,
    /// Whether it is a link that leads to a folder.
    pub leads_to_folder: bool,
    /// Its permission bits: those of the folder where it leads to one.
    pub mode: u32,
    /// The name of its owner.
    pub owner: String,
    /// The name of its group.
    pub group: String,
    /// The SHA-256 of a file, where that was asked for.
    pub sha256: Option<String>,
}

/// The kinds of entries of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Special,
}

impl EntryAtPath {
    /// Whether things can be put in it.
    pub(crate) fn is_folder_or_folder_link(&self) -> bool {
        self.kind == EntryKind::Directory || self.leads_to_folder
    }

    /// As messages call it.
    pub(crate) fn noun(&self) -> &'static str {
        match self.kind {
            EntryKind::File => "file",
            EntryKind::Directory => "directory",
            EntryKind::Symlink => "link",
            EntryKind::Special => "special file",
        }
    }
}

/// The package that a path is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackagedPathOwner {
    /// A package in rpm's database.
    Rpm(String),
    /// A package in dpkg's database.
    Dpkg(String),
}

impl fmt::Display for PackagedPathOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackagedPathOwner::Rpm(name) => write!(f, "the RPM package {name}"),
            PackagedPathOwner::Dpkg(name) => write!(f, "the Debian package {name}"),
        }
    }
}
