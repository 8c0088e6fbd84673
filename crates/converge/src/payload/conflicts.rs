//! Compares what packages are about to bring with what is on the host, and whose that is. Decides, and looks at
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    component::{Component, PATHS_FORBIDDEN_TO_PACKAGES, REASON_OF_FORBIDDEN_PATH},
    name::Name,
    observe::{ManagedState, sha256_hex},
    path_pattern::any_pattern_covers_path,
    version::Version,
};

use super::{
    EntryAtPath, EntryKind, ObservedPackagePath, ObservedPackagePaths, PackageFileEntry, PackageFileKind,
    PackagedPathOwner,
};
use crate::PUNCH_STATE_FOLDER;

/// A package that is about to be installed.
#[derive(Debug)]
pub(crate) struct IncomingPackage<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its component's description.
    pub(crate) component: &'a Component,
    /// Its version.
    pub(crate) version: &'a Version,
    /// What it brings.
    pub(crate) files: &'a [PackageFileEntry],
}

/// What the plan does besides, and what earlier runs did.
#[derive(Debug)]
pub(crate) struct PathDecisionContext<'a> {
    /// What lies at each path.
    pub(crate) paths: &'a ObservedPackagePaths,
    /// What punch made.
    pub(crate) managed: &'a ManagedState,
    /// Paths whose resources the plan removes before it installs packages.
    pub(crate) cleared: &'a BTreeSet<String>,
    /// Packages that the plan removes before.
    pub(crate) leaving: &'a BTreeSet<String>,
    /// What a killed installation had begun to bring, by package: path and SHA-256.
    pub(crate) begun: &'a BTreeMap<String, BTreeMap<String, Option<String>>>,
}

/// What is decided about the paths of packages.
#[derive(Debug, Default)]
pub(crate) struct PathDecisions {
    /// Why a package cannot be installed: its name, its component, and a sentence for each path.
    pub(crate) conflicts: Vec<(String, Name, String)>,
    /// What is kept before a package takes its place.
    pub(crate) kept: Vec<PathToKeep>,
}

/// Something that a package is about to replace, or may take along when it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathToKeep {
    pub(crate) path: String,
    pub(crate) package: String,
    /// Whose it is; none where it is no package's.
    pub(crate) owner: Option<PackagedPathOwner>,
    /// Whether it is a folder that is only shared: a package that leaves takes an empty one along.
    pub(crate) shared_folder: bool,
}

/// Decides about every path of `incoming`.
pub(crate) fn decide_about_package_paths(
    incoming: &[IncomingPackage<'_>],
    host: &PathDecisionContext<'_>,
) -> PathDecisions {
    let mut decisions = PathDecisions::default();
    let mut brought: BTreeMap<&str, (&str, &PackageFileEntry)> = BTreeMap::new();
    let names: BTreeSet<&str> = incoming.iter().map(|package| package.name).collect();
    let absent = ObservedPackagePath::default();
    for package in incoming {
        for file in package.files {
            let observed = host.paths.get(&file.path).unwrap_or(&absent);
            let canonical =
                if observed.canonical.is_empty() { file.path.as_str() } else { observed.canonical.as_str() };
            let twice = brought.insert(canonical, (package.name, file));
            let decided = match twice {
                Some((other, same)) if !may_be_shared(file, same) => {
                    Err(format!("package {other} brings another {} of that path", same.kind.noun()))
                }
                _ => decide_about_path(package, file, observed, &names, host),
            };
            match decided {
                Ok(Some(kept)) => decisions.kept.push(kept),
                Ok(None) => (),
                Err(because) => decisions.conflicts.push((
                    package.name.to_owned(),
                    package.component.name.clone(),
                    format!("{} {} of version {}: {because}", file.kind.noun(), file.path, package.version),
                )),
            }
        }
    }
    decisions
}

/// Whether two packages may both bring this: directories, and files that are the same.
fn may_be_shared(one: &PackageFileEntry, other: &PackageFileEntry) -> bool {
    one.kind == other.kind
        && one.kind != PackageFileKind::File(None)
        && (one.kind == PackageFileKind::Directory || one.mode == other.mode)
}

/// What is to be kept before `file` comes, or why it may not come.
fn decide_about_path(
    package: &IncomingPackage<'_>,
    file: &PackageFileEntry,
    observed: &ObservedPackagePath,
    incoming: &BTreeSet<&str>,
    host: &PathDecisionContext<'_>,
) -> Result<Option<PathToKeep>, String> {
    let directory = file.kind == PackageFileKind::Directory;
    for path in [file.path.as_str(), observed.canonical.as_str()] {
        if !directory && PATHS_FORBIDDEN_TO_PACKAGES.contains(&path) {
            return Err(REASON_OF_FORBIDDEN_PATH.to_owned());
        }
        let state = path.strip_prefix(PUNCH_STATE_FOLDER);
        if state.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err("punch keeps its own state there; give it another path".to_owned());
        }
    }
    if matches!(file.kind, PackageFileKind::File(_))
        && file.mode & 0o6000 != 0
        && !any_pattern_covers_path(&package.component.setuid, &file.path)
    {
        return Err(format!(
            "its mode is {:04o}, which sets the set-user-ID or set-group-ID bit: it runs with the rights of its owner or group; if that is meant, add `setuid: true` to its entry of `files` in component.yaml",
            file.mode
        ));
    }
    if let Some(because) = &observed.unsafe_because {
        return Err(format!("rpm writes there as root, and {because}; or give the file another path"));
    }
    let own = PackagedPathOwner::Rpm(package.name.to_owned());
    if observed.owners.contains(&own) || was_begun(package.name, file, observed, host) {
        return Ok(None);
    }
    // What leaves before, or changes in the same transaction, is rpm's to sort out.
    let others = observed.owners.iter().find(|owner| match owner {
        PackagedPathOwner::Rpm(name) => !host.leaving.contains(name) && !incoming.contains(name.as_str()),
        PackagedPathOwner::Dpkg(_) => true,
    });
    if others.is_none() && !observed.owners.is_empty() {
        return Ok(None);
    }
    match &observed.entry {
        None if directory => Ok(None),
        Some(entry) if directory => decide_about_directory(package, file, observed, entry, others, host),
        Some(entry) if entry.kind == EntryKind::Directory => {
            Err("a directory is there; move it away, or give the file another path".to_owned())
        }
        entry => decide_about_file(package, file, &observed.canonical, entry.as_ref(), others, host),
    }
}

/// Whether an installation that was killed brought this file: it is the package's, though no database says so.
fn was_begun(
    package: &str,
    file: &PackageFileEntry,
    observed: &ObservedPackagePath,
    host: &PathDecisionContext<'_>,
) -> bool {
    let Some(sha256) = host.begun.get(package).and_then(|begun| begun.get(&file.path)) else { return false };
    match &observed.entry {
        None => true,
        // rpm flushes no file to the disk: when the power failed, one that it had named already may be empty. Such a file
        // holds nothing of anybody.
        Some(entry) => {
            let is_empty = entry.sha256.as_deref() == Some(sha256_hex(b"").as_str());
            entry.kind != EntryKind::File || entry.sha256 == *sha256 || is_empty
        }
    }
}

fn decide_about_directory(
    package: &IncomingPackage<'_>,
    file: &PackageFileEntry,
    observed: &ObservedPackagePath,
    entry: &EntryAtPath,
    owner: Option<&PackagedPathOwner>,
    host: &PathDecisionContext<'_>,
) -> Result<Option<PathToKeep>, String> {
    if !entry.is_folder_or_folder_link() {
        return Err(format!("a {} is there; move it away, or give the directory another path", entry.noun()));
    }
    // What a manifest describes is made as it says after the packages.
    let made = host.managed.resources.iter().any(|made| {
        made.id.occupied_path().is_some_and(|path| path == file.path || path == observed.canonical)
    });
    let same = entry.mode == file.mode && entry.owner == file.owner && entry.group == file.group;
    if !same && !made && !any_pattern_covers_path(&package.component.replaces, &file.path) {
        return Err(format!(
            "it is there with mode {:04o} of {}:{}{}, and the package would make it {:04o} of {}:{}; leave it out of `files`, write it there as it is, or name it in `replaces`",
            entry.mode,
            entry.owner,
            entry.group,
            owner.map(|owner| format!(", belongs to {owner}")).unwrap_or_default(),
            file.mode,
            file.owner,
            file.group
        ));
    }
    // rpm asks no other database before it removes an empty folder.
    let kept = !made && !matches!(owner, Some(PackagedPathOwner::Rpm(_)));
    Ok(kept.then(|| PathToKeep {
        path: file.path.clone(),
        package: package.name.to_owned(),
        owner: owner.cloned(),
        shared_folder: true,
    }))
}

fn decide_about_file(
    package: &IncomingPackage<'_>,
    file: &PackageFileEntry,
    canonical: &str,
    entry: Option<&EntryAtPath>,
    owner: Option<&PackagedPathOwner>,
    host: &PathDecisionContext<'_>,
) -> Result<Option<PathToKeep>, String> {
    let name = &package.component.name;
    let made = host
        .managed
        .resources
        .iter()
        .find(|made| made.id.occupied_path().is_some_and(|path| path == file.path || path == canonical));
    if let Some(made) = made
        && owner.is_none()
    {
        if made.component == *name || host.cleared.contains(&file.path) {
            return Ok(None);
        }
        return Err(format!(
            "it is {} of component {}; only one of them may describe it: remove it from one",
            made.id, made.component
        ));
    }
    if let Some(PackagedPathOwner::Rpm(other)) = owner {
        let same = entry.is_some_and(|entry| {
            file.kind == PackageFileKind::File(entry.sha256.clone())
                && entry.sha256.is_some()
                && entry.mode == file.mode
        });
        if same {
            return Ok(None);
        }
        return Err(format!(
            "it belongs to the RPM package {other}, and rpm lets no package replace a file of another; give it another path"
        ));
    }
    if entry.is_none() && owner.is_none() {
        return Ok(None);
    }
    if any_pattern_covers_path(&package.component.replaces, &file.path) {
        return Ok(entry.map(|_| PathToKeep {
            path: file.path.clone(),
            package: package.name.to_owned(),
            owner: owner.cloned(),
            shared_folder: false,
        }));
    }
    let whose = match owner {
        Some(owner) => format!("it belongs to {owner}"),
        None => "what is there belongs to no package and no component".to_owned(),
    };
    Err(format!(
        "{whose}; if {name} is meant to replace it, write `replaces: [{}]` in its component.yaml: then it is saved, and put back when {name} is removed",
        file.path
    ))
}
