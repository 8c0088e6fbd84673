//! Compares the files of installed packages with what rpm's database says of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use model::observe::{PathDrift, PayloadDrift};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, readlinkat},
    sys::stat::{FileStat, Mode, SFlag, fstatat},
    unistd::geteuid,
};

use super::{account_database::AccountDatabase, rpm_command::RpmCommand};
use crate::{
    host::HostError,
    host_root::HostRoot,
    payload::{
        FileLook, InstalledFile, PayloadDriftRequest, VerifiedPackage, VerifiedPayloads, compared, flag,
    },
    punch_state_folder::copy_and_digest,
};

/// What is not as the packages of `request` brought it. `known` is brought up to date.
pub(super) fn observe_payload_drift(
    root: &HostRoot,
    rpm: &RpmCommand,
    accounts: &AccountDatabase,
    request: &PayloadDriftRequest<'_>,
    known: &mut VerifiedPayloads,
) -> BTreeMap<String, Result<PayloadDrift, String>> {
    let all = |error: HostError| {
        let because = error.to_string();
        request.packages.iter().map(|name| (name.clone(), Err(because.clone()))).collect()
    };
    if let Err(error) = read_changed_lists(root, rpm, request, known) {
        return all(error);
    }
    let mut look =
        PathLook { root, accounts, folder: None, owners: BTreeMap::new(), groups: BTreeMap::new() };
    let mut found = BTreeMap::new();
    for name in request.packages {
        let Some(package) = known.packages.get_mut(name) else { continue };
        let deep = request.deep.contains(name) || package.is_due(request.now_us);
        let drift = package_drift(&mut look, package, deep, request.described);
        if deep && drift.is_ok() {
            package.digested_us = request.now_us;
        }
        found.insert(
            name.clone(),
            drift.map_err(|(path, error)| {
                HostError::from_io_error("cannot compare", path, &error).to_string()
            }),
        );
    }
    found
}

/// Reads the lists of files again where rpm's database has changed since, or a package is new.
fn read_changed_lists(
    root: &HostRoot,
    rpm: &RpmCommand,
    request: &PayloadDriftRequest<'_>,
    known: &mut VerifiedPayloads,
) -> Result<(), HostError> {
    let database = rpm.database_look(root)?;
    if known.database == database && request.packages.iter().all(|name| known.packages.contains_key(name)) {
        return Ok(());
    }
    let names: Vec<String> = request.packages.iter().cloned().collect();
    let mut packages: BTreeMap<String, VerifiedPackage> =
        names.iter().map(|name| (name.clone(), VerifiedPackage::default())).collect();
    for (name, file) in rpm.list_installed_files(root, &names)? {
        packages.entry(name).or_default().files.push(file);
    }
    for (name, package) in &mut packages {
        if let Some(earlier) = known.packages.get(name) {
            package.keep_known(earlier);
        }
    }
    *known = VerifiedPayloads { database, packages };
    Ok(())
}

fn package_drift(
    look: &mut PathLook<'_>,
    package: &mut VerifiedPackage,
    deep: bool,
    described: &BTreeSet<String>,
) -> Result<PayloadDrift, (String, io::Error)> {
    let mut drift = PayloadDrift::new();
    for file in &mut package.files {
        if described.contains(&file.path) {
            continue;
        }
        let differs = look.path_drift(file, deep).map_err(|error| (file.path.clone(), error))?;
        if !differs.is_empty() {
            drift.insert(file.path.clone(), differs);
        }
    }
    Ok(drift)
}

/// Looks at the paths of packages, which lie beside each other: each folder is opened once.
struct PathLook<'a> {
    root: &'a HostRoot,
    accounts: &'a AccountDatabase,
    folder: Option<(String, Option<OwnedFd>)>,
    owners: BTreeMap<String, Option<u32>>,
    groups: BTreeMap<String, Option<u32>>,
}

impl PathLook<'_> {
    fn path_drift(&mut self, file: &mut InstalledFile, deep: bool) -> io::Result<BTreeSet<PathDrift>> {
        let missing = || match file.flags & (flag::MISSING_OK | flag::GHOST) {
            0 => BTreeSet::from([PathDrift::Missing]),
            _ => BTreeSet::new(),
        };
        let (above, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let name = if name.is_empty() { "." } else { name };
        self.open_folder(above)?;
        let Some((_, Some(folder))) = &self.folder else { return Ok(missing()) };
        let stat = match fstatat(folder.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(missing()),
            Err(error) => return Err(error.into()),
        };
        // Configuration files are the administrator's to edit.
        if file.is_config() || file.flags & flag::GHOST != 0 {
            return Ok(BTreeSet::new());
        }
        let kind = |mode: u32| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
        if kind(stat.st_mode) != kind(file.mode) {
            let leads_to_folder = kind(file.mode) == SFlag::S_IFDIR
                && kind(stat.st_mode) == SFlag::S_IFLNK
                && self.root.open_folder(&file.path).is_ok();
            // rpm, too, leaves a link that an administrator put in the place of a folder.
            return Ok(if leads_to_folder { BTreeSet::new() } else { [PathDrift::Type].into() });
        }
        let mut drift = BTreeSet::new();
        if kind(stat.st_mode) == SFlag::S_IFLNK
            && file.compares(compared::TARGET)
            && readlinkat(folder.as_fd(), name)?.to_string_lossy() != file.target
        {
            drift.insert(PathDrift::Target);
        }
        if kind(stat.st_mode) == SFlag::S_IFREG && self.is_content_changed(file, &stat, deep)? {
            drift.insert(PathDrift::Content);
        }
        self.compare_ownership(file, &stat, &mut drift);
        Ok(drift)
    }

    fn open_folder(&mut self, path: &str) -> io::Result<()> {
        if self.folder.as_ref().is_some_and(|(open, _)| open == path) {
            return Ok(());
        }
        let folder = match self.root.open_folder(path) {
            Ok(folder) => Some(folder),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                None
            }
            Err(error) => return Err(error),
        };
        self.folder = Some((path.to_owned(), folder));
        Ok(())
    }

    /// Whether a file holds something else than its package brought. It is read only if it looks other than when it
    /// was last found right.
    fn is_content_changed(&self, file: &mut InstalledFile, stat: &FileStat, deep: bool) -> io::Result<bool> {
        let now = look_of(stat);
        if !deep && file.seen == Some(now) {
            return Ok(false);
        }
        file.seen = None;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if file.compares(compared::SIZE) && size != file.size {
            return Ok(true);
        }
        if !file.compares(compared::DIGEST) || file.sha256.is_empty() {
            return Ok(false);
        }
        let Some((_, Some(folder))) = &self.folder else { return Ok(true) };
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let mut open = File::from(openat(folder.as_fd(), name, flags, Mode::empty())?);
        let right = copy_and_digest(&mut open, None)? == file.sha256;
        if right {
            file.seen = Some(now);
        }
        Ok(!right)
    }

    fn compare_ownership(&mut self, file: &InstalledFile, stat: &FileStat, drift: &mut BTreeSet<PathDrift>) {
        let owner = *self
            .owners
            .entry(file.owner.clone())
            .or_insert_with_key(|name| self.accounts.lookup_or_parse_uid(name).ok());
        let group = *self
            .groups
            .entry(file.group.clone())
            .or_insert_with_key(|name| self.accounts.lookup_or_parse_gid(name).ok());
        // rpm gives what is of an unknown account to root, without set-user-ID bits; and only root can give at all.
        let known = owner.is_some() && group.is_some() && geteuid().is_root();
        let bits = if known { 0o7777 } else { 0o1777 };
        if file.compares(compared::MODE) && file.target.is_empty() && (stat.st_mode ^ file.mode) & bits != 0 {
            drift.insert(PathDrift::Mode { now: stat.st_mode & 0o7777, packaged: file.mode & 0o7777 });
        }
        if !known {
            return;
        }
        if file.compares(compared::OWNER) && owner != Some(stat.st_uid) {
            let now = self.accounts.user_name_or_number(stat.st_uid);
            drift.insert(PathDrift::Owner { now, packaged: file.owner.clone() });
        }
        if file.compares(compared::GROUP) && group != Some(stat.st_gid) {
            let now = self.accounts.wanted_or_known_group_name(stat.st_gid, None);
            drift.insert(PathDrift::Group { now, packaged: file.group.clone() });
        }
    }
}

fn look_of(stat: &FileStat) -> FileLook {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    FileLook {
        size: stat.st_size,
        inode: stat.st_ino,
        modified_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        changed_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}
