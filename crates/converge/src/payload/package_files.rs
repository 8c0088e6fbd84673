//! The files that a package brings, as its header lists them.

use std::path::Path;

use rpm::{DigestAlgorithm, FileFlags, FileType, PackageMetadata};

/// One path that a package brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageFileEntry {
    /// Where: absolute, without a slash at its end.
    pub(crate) path: String,
    /// What.
    pub(crate) kind: PackageFileKind,
    /// Permission bits.
    pub(crate) mode: u32,
    /// The user that owns it.
    pub(crate) owner: String,
    /// The group that owns it.
    pub(crate) group: String,
}

/// What a package brings at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PackageFileKind {
    /// A file, with its SHA-256 where the package has that.
    File(Option<String>),
    /// A directory.
    Directory,
    /// A link and where it leads.
    Symlink(String),
    /// A device or pipe.
    Special,
}

impl PackageFileKind {
    /// As messages call it.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            PackageFileKind::File(_) => "file",
            PackageFileKind::Directory => "directory",
            PackageFileKind::Symlink(_) => "link",
            PackageFileKind::Special => "special file",
        }
    }
}

/// Lists what the package file at `rpm` brings, but for what it only owns (`%ghost`).
pub(crate) fn read_package_files(rpm: &Path) -> Result<Vec<PackageFileEntry>, String> {
    let broken = |error: rpm::Error| format!("{} is not a readable package: {error}", rpm.display());
    let metadata = PackageMetadata::open(rpm).map_err(broken)?;
    let entries = metadata.get_file_entries().map_err(broken)?;
    let brought = entries.iter().filter(|entry| !entry.flags().contains(FileFlags::GHOST));
    Ok(brought
        .map(|entry| {
            let path = entry.path().to_string_lossy().into_owned();
            PackageFileEntry {
                path: match path.trim_end_matches('/') {
                    "" => "/".to_owned(),
                    path => path.to_owned(),
                },
                kind: match entry.file_type() {
                    FileType::Regular => PackageFileKind::File(
                        entry
                            .digest()
                            .filter(|digest| digest.algorithm() == DigestAlgorithm::Sha2_256)
                            .map(|digest| digest.as_hex().to_ascii_lowercase()),
                    ),
                    FileType::Dir => PackageFileKind::Directory,
                    FileType::SymbolicLink => {
                        PackageFileKind::Symlink(entry.linkto().unwrap_or_default().to_owned())
                    }
                    _ => PackageFileKind::Special,
                },
                mode: u32::from(entry.permissions()),
                owner: entry.user().to_owned(),
                group: entry.group().to_owned(),
            }
        })
        .collect())
}
