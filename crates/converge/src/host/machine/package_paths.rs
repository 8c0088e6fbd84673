//! What lies where packages are about to bring something, and which package it is of.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    os::fd::AsFd,
};

use nix::{
    fcntl::{OFlag, openat},
    sys::stat::{FileStat, Mode, SFlag, fstat},
};

use super::{
    account_database::AccountDatabase, resource_folders::users_trusted_with_paths, rpm_command::RpmCommand,
};
use crate::{
    host::HostError,
    host_root::HostRoot,
    payload::{
        EntryAtPath, EntryKind, FolderLookup, ObservedPackagePath, ObservedPackagePaths, PackagePathsRequest,
        PackagedPathOwner, debian_packages_of_paths,
    },
    punch_state_folder::copy_and_digest,
};

/// Observes the paths of `request`.
pub(super) fn observe_package_paths(
    root: &HostRoot,
    rpm: &RpmCommand,
    accounts: &AccountDatabase,
    request: &PackagePathsRequest<'_>,
) -> Result<ObservedPackagePaths, HostError> {
    let wrong = |path: &str, error: io::Error| HostError::from_io_error("cannot look at", path, &error);
    let mut folders = FolderLookup::new(root).map_err(|error| wrong("/", error))?;
    let trust = users_trusted_with_paths(root, accounts).map_err(|error| wrong("/", error))?;
    let mut observed = ObservedPackagePaths::new();
    for path in request.paths {
        let look = |folders: &mut FolderLookup<'_>| {
            Ok(ObservedPackagePath {
                canonical: folders.path_with_canonical_parent(path)?,
                entry: entry_at_path(root, accounts, path, request.digested.contains(path))?,
                owners: BTreeSet::new(),
                unsafe_because: folders.why_path_is_unsafe(path, &trust)?,
            })
        };
        observed.insert(path.clone(), look(&mut folders).map_err(|error| wrong(path, error))?);
    }
    let canonical: BTreeSet<String> = observed.values().map(|path| path.canonical.clone()).collect();
    let mut packages: BTreeMap<String, BTreeSet<PackagedPathOwner>> = BTreeMap::new();
    let debian = debian_packages_of_paths(root, &canonical, &mut folders)
        .map_err(|error| wrong("/var/lib/dpkg", error))?;
    for (path, names) in debian {
        packages.entry(path).or_default().extend(names.into_iter().map(PackagedPathOwner::Dpkg));
    }
    let names: Vec<String> = request.packages.iter().cloned().collect();
    let mut own = BTreeSet::new();
    for (name, path) in rpm.list_files_of_installed_packages(root, Some(&names))? {
        let path = folders.path_with_canonical_parent(&path).map_err(|error| wrong(&path, error))?;
        if canonical.contains(&path) {
            own.insert(path.clone());
            packages.entry(path).or_default().insert(PackagedPathOwner::Rpm(name));
        }
    }
    // Only where something is there that is not of these packages: all lists of a host are long.
    let others = observed.values().any(|path| path.entry.is_some() && !own.contains(&path.canonical));
    if others {
        let parts: BTreeSet<&str> = canonical.iter().map(|path| last_part(path)).collect();
        for (name, path) in rpm.list_files_of_installed_packages(root, None)? {
            if !parts.contains(last_part(&path)) {
                continue;
            }
            let path = folders.path_with_canonical_parent(&path).map_err(|error| wrong(&path, error))?;
            if canonical.contains(&path) {
                packages.entry(path).or_default().insert(PackagedPathOwner::Rpm(name));
            }
        }
    }
    for path in observed.values_mut() {
        path.owners = packages.get(&path.canonical).cloned().unwrap_or_default();
    }
    // Two packages may share a file: what it holds then decides.
    for (path, seen) in &mut observed {
        let shared = seen.owners.iter().any(|owner| matches!(owner, PackagedPathOwner::Rpm(_)));
        if shared
            && let Some(entry) = &mut seen.entry
            && entry.sha256.is_none()
            && entry.kind == EntryKind::File
        {
            entry.sha256 = digest_file(root, path).map_err(|error| wrong(path, error))?;
        }
    }
    Ok(observed)
}

fn entry_at_path(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    digested: bool,
) -> io::Result<Option<EntryAtPath>> {
    let stat = match root.open_parent_folder(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        opened => opened?.stat_without_following_link()?,
    };
    let Some(mut stat) = stat else { return Ok(None) };
    let kind = entry_kind(&stat);
    let mut leads_to_folder = false;
    if kind == EntryKind::Symlink {
        // A link that leads nowhere is a link.
        if let Ok(folder) = root.open_folder(path) {
            (leads_to_folder, stat) = (true, fstat(&folder)?);
        }
    }
    Ok(Some(EntryAtPath {
        kind,
        leads_to_folder,
        mode: stat.st_mode & 0o7777,
        owner: accounts.wanted_or_known_user_name(stat.st_uid, None),
        group: accounts.wanted_or_known_group_name(stat.st_gid, None),
        sha256: if digested && kind == EntryKind::File { digest_file(root, path)? } else { None },
    }))
}

fn entry_kind(stat: &FileStat) -> EntryKind {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => EntryKind::File,
        SFlag::S_IFDIR => EntryKind::Directory,
        SFlag::S_IFLNK => EntryKind::Symlink,
        _ => EntryKind::Special,
    }
}

/// The SHA-256 of the file at a path; nothing when a file is not there any more.
fn digest_file(root: &HostRoot, path: &str) -> io::Result<Option<String>> {
    let handle = root.open_parent_folder(path)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(handle.folder.as_fd(), handle.name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    copy_and_digest(&mut file, None).map(Some)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
