//! A folder of packages, as `punch package` makes it: headers are read, nothing else is needed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use converge::PackagePin;
use packaging::inspect::{self, PackageNameVersionArch};

use super::{PackageSourceError, missing_package_error, package_cache, suits_architecture};

/// A folder of packages.
pub(super) struct PackageFolder {
    path: PathBuf,
    /// Its packages, once they are read.
    packages: Option<Scan>,
}

struct Scan {
    packages: Vec<(PathBuf, PackageNameVersionArch)>,
    /// Files named `*.rpm` that are no packages, and why.
    broken: Vec<String>,
}

impl PackageFolder {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), packages: None }
    }

    /// The newest package that matches `pin`.
    pub(super) fn find_newest_pinned_package(
        &mut self,
        pin: &PackagePin,
    ) -> Result<PathBuf, PackageSourceError> {
        let scan = match self.packages.take() {
            Some(scan) => scan,
            None => scan(&self.path)?,
        };
        let found = choose(&self.path, &scan, pin);
        self.packages = Some(scan);
        found
    }
}

fn choose(folder: &Path, scan: &Scan, pin: &PackagePin) -> Result<PathBuf, PackageSourceError> {
    let of_name = || {
        scan.packages.iter().filter(|(_, header)| header.name == pin.name && suits_architecture(&header.arch))
    };
    let mut fitting: Vec<&(PathBuf, PackageNameVersionArch)> =
        of_name().filter(|(_, header)| header.version.satisfies_requested_version(&pin.version)).collect();
    fitting.sort_by(|one, other| one.1.version.cmp(&other.1.version));
    let Some((newest, _)) = fitting.last() else {
        let names: BTreeSet<&str> = scan.packages.iter().map(|(_, header)| header.name.as_str()).collect();
        let mut versions: Vec<_> = of_name().map(|(_, header)| header.version.clone()).collect();
        let error = missing_package_error(pin, &folder.display().to_string(), &mut versions, &names);
        return Err(match scan.broken.as_slice() {
            [] => error,
            broken => PackageSourceError::Failed(format!("{error}; not readable: {}", broken.join("; "))),
        });
    };
    let Some(wanted) = &pin.sha256 else { return Ok(newest.clone()) };
    for (path, _) in fitting.iter().rev() {
        let found = package_cache::sha256_of_file(path)
            .map_err(|error| PackageSourceError::Failed(unreadable(path, &error)))?;
        if found == *wanted {
            return Ok(path.clone());
        }
    }
    Err(PackageSourceError::Refused(format!(
        "{} has other bytes than the node file asks for (sha256 {wanted}): it was changed or built anew",
        newest.display()
    )))
}

fn scan(folder: &Path) -> Result<Scan, PackageSourceError> {
    let failed = |error: std::io::Error| PackageSourceError::Failed(unreadable(folder, &error));
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "rpm") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut scan = Scan { packages: Vec::new(), broken: Vec::new() };
    for path in paths {
        match inspect::read_package_name_version_arch(&path) {
            Ok(header) => scan.packages.push((path, header)),
            Err(error) => scan.broken.push(error.to_string()),
        }
    }
    Ok(scan)
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {}", path.display(), crate::command_error::io_error_reason_text(error))
}
