//! What a killed installation brought and another version does not have: rpm knows nothing of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::AsFd,
};

use model::{
    observe::Observation,
    plan::{Plan, PlannedAction},
    report::{RepairKind, RepairOfInterruptedWork},
};
use nix::{
    errno::Errno,
    unistd::{UnlinkatFlags, unlinkat},
};

use super::ApplyRun;
use crate::{
    EntryKind, FetchedPackagesByChange, ObservedPackagePath, PackagePathsRequest, PunchStateFolder,
    PunchStateFolderError,
};

impl ApplyRun<'_, '_> {
    /// Removes what killed installations left, and notes it as repairs.
    pub(super) fn remove_leftovers_of_killed_installations(
        &mut self,
        plan: &Plan,
        fetched: &FetchedPackagesByChange,
    ) -> Result<(), PunchStateFolderError> {
        let begun = self.state.load_begun_installations()?;
        if begun.is_empty() {
            return Ok(());
        }
        let mut wanted: BTreeSet<&String> = BTreeSet::new();
        for (change, installations) in plan.changes.iter().zip(&fetched.installations) {
            if matches!(change.action, PlannedAction::InstallPackages(_)) {
                wanted.extend(installations.packages.values().flat_map(|package| package.paths.keys()));
            }
        }
        let described: BTreeSet<String> = self
            .look
            .wanted
            .components
            .iter()
            .flat_map(|component| &component.resources)
            .filter_map(|resource| resource.id.occupied_path())
            .collect();
        for (name, installation) in begun {
            let installed = self.look.observed.packages.get(&name);
            let mut removed = self.remove_unfinished_files(installation.paths.keys())?;
            // The version that was begun is there: its files are its own.
            if installed != Some(&Observation::Present(installation.version.clone())) {
                let paths: BTreeMap<String, Option<String>> = installation
                    .paths
                    .into_iter()
                    .filter(|(path, _)| !wanted.contains(path) && !described.contains(path))
                    .collect();
                removed.extend(self.remove_paths_of_nobody(&name, &paths)?);
            }
            if !removed.is_empty() {
                self.journal.add_repair(RepairOfInterruptedWork {
                    kind: RepairKind::RpmTransaction,
                    what: format!(
                        "rpm had been stopped while it installed {name} {}; what it left is removed: {}",
                        installation.version,
                        removed.join(", ")
                    ),
                });
            }
        }
        Ok(())
    }

    /// Removes of `paths` what is of no package, and is what was about to be brought.
    fn remove_paths_of_nobody(
        &self,
        package: &str,
        paths: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let all: BTreeSet<String> = paths.keys().cloned().collect();
        let packages = BTreeSet::from([package.to_owned()]);
        let request = PackagePathsRequest { packages: &packages, paths: &all, digested: &all };
        // What cannot be looked at is left.
        let observed = self.host.observe_package_paths(&request).unwrap_or_default();
        // Folders that were there before, and what is put back in the place of a file, are kept.
        let kept: BTreeSet<String> =
            self.state.load_kept_files()?.entries.into_iter().map(|entry| entry.path).collect();
        let mut removed = Vec::new();
        // What is in a folder comes after it.
        for (path, seen) in observed.iter().rev().filter(|(path, _)| !kept.contains(*path)) {
            if may_be_removed(seen, paths.get(path).and_then(Option::as_ref))
                && remove_entry(self.state, path)?
            {
                removed.push(path.clone());
            }
        }
        removed.reverse();
        Ok(removed)
    }

    /// Removes the files that rpm writes before it gives them their names: `NAME;5f3a9c01`.
    fn remove_unfinished_files<'p>(
        &self,
        paths: impl Iterator<Item = &'p String>,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (folder, name) in paths.filter_map(|path| path.rsplit_once('/')) {
            folders.entry(folder).or_default().insert(name);
        }
        let mut removed = Vec::new();
        for (folder, names) in folders {
            // A folder that is not there, or cannot be read, has nothing to be removed by this.
            for entry in self.state.host_root().list_folder_or_empty(folder).unwrap_or_default() {
                let Some((name, number)) = entry.rsplit_once(';') else { continue };
                let is_number = number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
                let path = format!("{folder}/{entry}");
                if is_number && names.contains(name) && remove_entry(self.state, &path)? {
                    removed.push(path);
                }
            }
        }
        Ok(removed)
    }
}

/// Whether what is at a path is of no package and what an installation was about to bring.
fn may_be_removed(seen: &ObservedPackagePath, sha256: Option<&String>) -> bool {
    let Some(entry) = &seen.entry else { return false };
    let is_ours = match entry.kind {
        EntryKind::File => sha256.is_some() && entry.sha256.as_ref() == sha256,
        EntryKind::Directory | EntryKind::Symlink => sha256.is_none(),
        EntryKind::Special => false,
    };
    is_ours && seen.owners.is_empty() && seen.unsafe_because.is_none()
}

/// Removes an entry, a folder only when it is empty; whether it is gone now.
fn remove_entry(state: &PunchStateFolder, path: &str) -> Result<bool, PunchStateFolderError> {
    let wrong = |source: io::Error| state.file_error("remove", path, source);
    let handle = match state.host_root().open_parent_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(wrong)?,
    };
    let remove = |flag| unlinkat(handle.folder.as_fd(), handle.name, flag);
    match remove(UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR | Errno::EPERM) => match remove(UnlinkatFlags::RemoveDir) {
            Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::EBUSY) => Ok(false),
            result => result.map(|()| true).map_err(|error| wrong(error.into())),
        },
        Err(Errno::ENOENT) => Ok(false),
        result => result.map(|()| true).map_err(|error| wrong(error.into())),
    }
}
