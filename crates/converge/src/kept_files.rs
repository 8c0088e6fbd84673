//! What packages replaced by declaration, or share with others: kept before they are installed, and put back when
//! they leave. What is about to be installed is written down before, so that a killed run is completed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
};

use model::{observe::Observation, version::Version};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::{Mode, SFlag, fchmod, mkdirat},
    unistd::{Gid, Uid, fchown},
};
use serde::{Deserialize, Serialize};

use crate::{
    PunchStateFolder, PunchStateFolderError,
    host_root::OpenParentFolderAndName,
    payload::{
        FolderLookup, InstallationsOfChange, PackageVersionAndPaths, PackagedPathOwner, PathToKeep,
        debian_packages_of_paths,
    },
    punch_state_folder::copy_and_digest,
};

/// Something that was on the host before a package came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptEntry {
    /// Where it was.
    pub(crate) path: String,
    /// The package that took its place.
    pub(crate) package: String,
    /// The Debian package it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) debian_package: Option<String>,
    /// What it was.
    pub(crate) content: ContentReplacedByPackage,
    /// Its permission bits.
    pub(crate) mode: u32,
    /// Its owner.
    pub(crate) uid: u32,
    /// Its group.
    pub(crate) gid: u32,
    /// The SHA-256 of the file that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced_by: Option<String>,
}

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ContentReplacedByPackage {
    /// A file, kept under its SHA-256.
    File(String),
    /// A link and where it led.
    Symlink(String),
    /// A folder, which the package shares.
    Directory,
}

impl PunchStateFolder {
    /// Keeps what the packages `names` of `installations` replace, and writes down what they bring. It is on disk when this returns.
    pub(crate) fn keep_replaced_files_before_installation(
        &self,
        installations: &InstallationsOfChange,
        names: &BTreeSet<&String>,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let mut begun = self.load_begun_installations()?;
        let mut kept = self.load_kept_files()?;
        let mut remarks = Vec::new();
        for wanted in installations.keep.iter().filter(|wanted| names.contains(&wanted.package)) {
            // What a killed run kept is what was there first.
            if kept.entries.iter().any(|entry| entry.path == wanted.path) {
                continue;
            }
            if let Some(mut entry) = self.keep_entry(wanted)? {
                let brought = installations.packages.get(&wanted.package);
                entry.replaced_by =
                    brought.and_then(|brought| brought.paths.get(&wanted.path).cloned().flatten());
                if !wanted.shared_folder {
                    remarks.push(format!("{} is saved", wanted.path));
                }
                kept.entries.push(entry);
            }
        }
        if !installations.keep.is_empty() {
            self.save_kept_files(&kept)?;
        }
        let planned = installations.packages.iter().filter(|(name, _)| names.contains(name));
        begun.extend(planned.map(|(name, installation)| (name.clone(), installation.clone())));
        self.save_begun_installations(&begun)?;
        Ok(remarks)
    }

    /// Notes that these packages are installed, and puts back what they no longer replace.
    pub(crate) fn put_back_files_after_installation(
        &self,
        installations: &BTreeMap<String, PackageVersionAndPaths>,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        if installations.is_empty() {
            return Ok(Vec::new());
        }
        let replaced = |entry: &KeptEntry| {
            installations.get(&entry.package).is_some_and(|brought| !brought.paths.contains_key(&entry.path))
        };
        let remarks = self.put_back(replaced)?;
        let mut kept = self.load_kept_files()?;
        let mut changed = false;
        for entry in &mut kept.entries {
            let brought =
                installations.get(&entry.package).and_then(|brought| brought.paths.get(&entry.path));
            if let Some(sha256) = brought
                && entry.replaced_by != *sha256
            {
                entry.replaced_by.clone_from(sha256);
                changed = true;
            }
        }
        if changed {
            self.save_kept_files(&kept)?;
        }
        let mut begun = self.load_begun_installations()?;
        begun.retain(|name, _| !installations.contains_key(name));
        self.save_begun_installations(&begun)?;
        Ok(remarks)
    }

    /// Notes that scripts of packages, which are installed otherwise, failed.
    pub(crate) fn note_failed_scriptlets(
        &self,
        failed: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), PunchStateFolderError> {
        let mut begun = self.load_begun_installations()?;
        for (name, scripts) in failed {
            if let Some(begun) = begun.get_mut(name) {
                begun.failed_scriptlets.clone_from(scripts);
            }
        }
        self.save_begun_installations(&begun)
    }

    /// Before packages leave: keeps aside what others wrote meanwhile over a file that replaced another.
    pub(crate) fn keep_edited_files_before_removal(
        &self,
        packages: &[String],
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let mut remarks = Vec::new();
        let kept = self.load_kept_files()?;
        for entry in kept.entries.iter().filter(|entry| packages.contains(&entry.package)) {
            let known = [entry.replaced_by.as_ref(), entry.content.sha256()];
            remarks.extend(self.keep_file_aside_unless_known(&entry.path, &known)?);
        }
        Ok(remarks)
    }

    /// Puts back what packages that left had replaced.
    pub(crate) fn put_back_files_after_removal(
        &self,
        packages: &[String],
    ) -> Result<Vec<String>, PunchStateFolderError> {
        self.put_back(|entry| packages.contains(&entry.package))
    }

    /// Completes what a killed run left: packages that are gone, or were installed just before it was killed.
    /// `installed` are the versions that were observed, and `planned` the packages that this run installs.
    pub(crate) fn finish_interrupted_package_changes(
        &self,
        installed: &BTreeMap<String, Observation<Version>>,
        planned: &BTreeSet<&String>,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let begun = self.load_begun_installations()?;
        let is_installed = |name: &String, version: &Version| {
            installed.get(name) == Some(&Observation::Present(version.clone()))
        };
        let done: BTreeMap<String, PackageVersionAndPaths> = begun
            .iter()
            .filter(|(name, begun)| !planned.contains(name) && is_installed(name, &begun.version))
            .map(|(name, begun)| (name.clone(), begun.clone()))
            .collect();
        let mut remarks = self.put_back_files_after_installation(&done)?;
        let gone =
            |name: &String| !planned.contains(name) && installed.get(name) == Some(&Observation::Absent);
        remarks.extend(self.put_back(|entry| gone(&entry.package))?);
        // Of an earlier version that stayed, or is wanted again, all files are right: it is as if nothing was begun.
        let verified = self.load_verified_payloads()?.packages;
        let stayed = |name: &String| {
            !planned.contains(name)
                && !done.contains_key(name)
                && matches!(installed.get(name), Some(Observation::Present(_)))
                && verified.contains_key(name)
        };
        for name in begun.keys().filter(|name| stayed(name)) {
            let has = |path: &String| verified[name].files.iter().any(|file| file.path == *path);
            remarks.extend(self.put_back(|entry| entry.package == *name && !has(&entry.path))?);
        }
        let is_over = |name: &String| gone(name) || stayed(name);
        if begun.keys().any(is_over) {
            let mut begun = self.load_begun_installations()?;
            begun.retain(|name, _| !is_over(name));
            self.save_begun_installations(&begun)?;
        }
        Ok(remarks)
    }

    /// What lies at a path now, its content kept; nothing when nothing lies there.
    fn keep_entry(&self, wanted: &PathToKeep) -> Result<Option<KeptEntry>, PunchStateFolderError> {
        let wrong = |source| self.file_error("keep", &wanted.path, source);
        let Some(handle) = self.open_parent_of_host_path(&wanted.path)? else { return Ok(None) };
        let Some(stat) = handle.stat_without_following_link().map_err(wrong)? else { return Ok(None) };
        let content = match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => {
                let mut file = open_here(&handle, OFlag::O_RDONLY).map_err(wrong)?;
                ContentReplacedByPackage::File(self.store_content(&mut file)?)
            }
            SFlag::S_IFLNK if !wanted.shared_folder => {
                let target =
                    readlinkat(handle.folder.as_fd(), handle.name).map_err(|error| wrong(error.into()))?;
                ContentReplacedByPackage::Symlink(target.to_string_lossy().into_owned())
            }
            SFlag::S_IFDIR => ContentReplacedByPackage::Directory,
            // Devices are made again by who made them; a link to a folder is left by rpm.
            _ => return Ok(None),
        };
        Ok(Some(KeptEntry {
            path: wanted.path.clone(),
            package: wanted.package.clone(),
            debian_package: match &wanted.owner {
                Some(PackagedPathOwner::Dpkg(name)) => Some(name.clone()),
                _ => None,
            },
            content,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            replaced_by: None,
        }))
    }

    /// Puts back the kept entries that `which` says, and forgets them; returns a sentence for each.
    fn put_back(&self, which: impl Fn(&KeptEntry) -> bool) -> Result<Vec<String>, PunchStateFolderError> {
        let mut kept = self.load_kept_files()?;
        let (mut back, mut stay): (Vec<KeptEntry>, Vec<KeptEntry>) =
            kept.entries.drain(..).partition(|entry| which(entry));
        if back.is_empty() {
            return Ok(Vec::new());
        }
        // Folders before what is in them.
        back.sort_by(|one, other| one.path.cmp(&other.path));
        let debian = self.debian_packages_still_owning(&back)?;
        let mut remarks = Vec::new();
        for entry in &back {
            let left = entry.debian_package.is_some() && !debian.contains(&entry.path);
            match (left, &entry.debian_package) {
                (true, Some(package)) => remarks.push(format!(
                    "{} is not put back: its Debian package {package} has been removed",
                    entry.path
                )),
                _ => match self.put_entry_back(entry) {
                    Ok(remark) => remarks.extend(remark),
                    // It must not stop this run and every later one: it is tried again with the next installation.
                    Err(error) => {
                        remarks.push(format!("{} is not put back yet: {error}", entry.path));
                        stay.push(entry.clone());
                    }
                },
            }
        }
        // What was kept aside meanwhile is in the file.
        kept = self.load_kept_files()?;
        kept.entries = stay;
        self.save_kept_files(&kept)?;
        Ok(remarks)
    }

    /// The paths of `entries` that are still of a Debian package.
    fn debian_packages_still_owning(
        &self,
        entries: &[KeptEntry],
    ) -> Result<BTreeSet<String>, PunchStateFolderError> {
        let of_debian = entries.iter().filter(|entry| entry.debian_package.is_some());
        let paths: Vec<&String> = of_debian.map(|entry| &entry.path).collect();
        if paths.is_empty() {
            return Ok(BTreeSet::new());
        }
        let look = || -> io::Result<BTreeSet<String>> {
            let root = self.host_root();
            let mut folders = FolderLookup::new(root)?;
            let mut canonical = BTreeMap::new();
            for path in paths {
                canonical.insert(folders.path_with_canonical_parent(path)?, path.clone());
            }
            let owned = debian_packages_of_paths(root, &canonical.keys().cloned().collect(), &mut folders)?;
            Ok(canonical
                .into_iter()
                .filter(|(real, _)| owned.contains_key(real))
                .map(|(_, path)| path)
                .collect())
        };
        look().map_err(|source| self.file_error("read", "/var/lib/dpkg", source))
    }

    fn put_entry_back(&self, entry: &KeptEntry) -> Result<Option<String>, PunchStateFolderError> {
        let path = &entry.path;
        let wrong = |source| self.file_error("put back", path, source);
        let handle = self.host_root().open_or_create_parent_folder(path).map_err(wrong)?;
        let there = handle.stat_without_following_link().map_err(wrong)?;
        if let Some(there) = there {
            if entry.content == ContentReplacedByPackage::Directory {
                let is_directory = there.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits();
                let same = (there.st_mode & 0o7777, there.st_uid, there.st_gid);
                if is_directory && same != (entry.mode, entry.uid, entry.gid) {
                    give_directory_its_owner_and_mode(&handle, entry).map_err(wrong)?;
                }
                return Ok(None);
            }
            let now = self.digest_of_host_file(path)?;
            if now.is_some() && now.as_ref() == entry.content.sha256() {
                return Ok(None);
            }
            // The file of a package whose installation was killed may be replaced; anything else may not.
            if now.is_none() || now != entry.replaced_by {
                let Some(sha256) = entry.content.sha256() else {
                    return Ok(match &entry.content {
                        ContentReplacedByPackage::Symlink(target) => Some(format!(
                            "{path} is left as it is; what was there first was a symbolic link to {target}"
                        )),
                        _ => None,
                    });
                };
                let shown = self.remember_content_kept_aside(path, sha256)?;
                return Ok(Some(format!(
                    "{path} is left as it is; what was there first is saved in {shown}"
                )));
            }
        }
        match &entry.content {
            ContentReplacedByPackage::File(sha256) => {
                let Some(mut content) = self.open_stored_content_if_intact(sha256)? else {
                    return Ok(Some(format!("{path} cannot be put back: what was saved of it is damaged")));
                };
                let owners = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
                handle
                    .write_and_replace_entry(
                        owners,
                        entry.mode,
                        |file| {
                            io::copy(&mut content, file)?;
                            file.flush()
                        },
                        |error| error,
                    )
                    .map_err(wrong)?;
            }
            ContentReplacedByPackage::Symlink(target) => {
                handle.replace_entry_by_symlink(target).map_err(wrong)?
            }
            ContentReplacedByPackage::Directory => make_directory(&handle, entry).map_err(wrong)?,
        }
        Ok(Some(format!("{path} is put back")))
    }

    /// The SHA-256 of the file at a path of the host; nothing when no file is there.
    pub(crate) fn digest_of_host_file(&self, path: &str) -> Result<Option<String>, PunchStateFolderError> {
        let Some(mut file) = self.open_host_file(path)? else { return Ok(None) };
        copy_and_digest(&mut file, None).map(Some).map_err(|source| self.file_error("read", path, source))
    }

    /// Opens the file at a path of the host; a link is not followed, and is no file.
    pub(crate) fn open_host_file(&self, path: &str) -> Result<Option<File>, PunchStateFolderError> {
        let wrong = |source| self.file_error("read", path, source);
        let Some(handle) = self.open_parent_of_host_path(path)? else { return Ok(None) };
        match open_here(&handle, OFlag::O_RDONLY) {
            Ok(file) => Ok(Some(file).filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))),
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    || error.raw_os_error() == Some(Errno::ELOOP as i32) =>
            {
                Ok(None)
            }
            Err(error) => Err(wrong(error)),
        }
    }

    fn open_parent_of_host_path<'a>(
        &self,
        path: &'a str,
    ) -> Result<Option<OpenParentFolderAndName<'a>>, PunchStateFolderError> {
        match self.host_root().open_parent_folder(path) {
            Ok(handle) => Ok(Some(handle)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(source) => Err(self.file_error("read", path, source)),
        }
    }
}

impl ContentReplacedByPackage {
    /// The SHA-256 of a kept file.
    pub(crate) fn sha256(&self) -> Option<&String> {
        match self {
            ContentReplacedByPackage::File(sha256) => Some(sha256),
            _ => None,
        }
    }
}

fn open_here(handle: &OpenParentFolderAndName<'_>, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(openat(handle.folder.as_fd(), handle.name, flags, Mode::empty())?.into())
}

fn make_directory(handle: &OpenParentFolderAndName<'_>, entry: &KeptEntry) -> io::Result<()> {
    mkdirat(handle.folder.as_fd(), handle.name, Mode::from_bits_truncate(0o700))?;
    give_directory_its_owner_and_mode(handle, entry)
}

fn give_directory_its_owner_and_mode(
    handle: &OpenParentFolderAndName<'_>,
    entry: &KeptEntry,
) -> io::Result<()> {
    let owners = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
    let folder = open_here(handle, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    fchown(&folder, owners.0, owners.1)?;
    fchmod(&folder, Mode::from_bits_truncate(entry.mode))?;
    handle.sync_folder()
}
