//! The `PackageFetcher` port: where packages come from (a repository or a folder).

use std::path::PathBuf;

use model::version::Version;

/// The package that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagePin {
    /// Package name.
    pub name: String,
    /// Its version. Without a release, any release matches.
    pub version: Version,
    /// The file name, if the node file has it.
    pub file: Option<String>,
    /// The SHA-256 of the file, if the node file has it.
    pub sha256: Option<String>,
    /// The size of the file, if the node file has it.
    pub size: Option<u64>,
}

/// Finds, downloads and verifies packages.
pub trait PackageFetcher {
    /// A local file that is the package, its signature and digest checked.
    fn fetch_and_verify_package(&mut self, pin: &PackagePin) -> Result<PathBuf, PackageFetchError>;
}

/// What kind of cause keeps a node file from being applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotApplyCause {
    /// What the node file asks for is wrong, or does not exist in the repository that the user named.
    WrongInput,
    /// Something could not be looked at, or is not allowed.
    Blocked,
    /// The repository could not be reached at all.
    Unreachable,
}

/// Why there is no such package file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PackageFetchError {
    /// What failed, where, why, and what to do next.
    pub message: String,
    /// What kind of cause it has.
    pub cause: CannotApplyCause,
}
