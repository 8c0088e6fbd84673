//! Removes what uploads, publications and channel creations left that were killed. No reader has ever seen any of it.
//!
//! All of it is made while the repository's lock is held, uploads in progress excepted, which have locks of their own. So
//! whoever holds the lock knows that nobody works on it; it stays for a while all the same.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use model::name::Name;

use super::{
    Repository, Result,
    channel_generation::ChannelGeneration,
    durable_writes::{self, is_same_file},
    package_record::ParsedRpmFileName,
};

/// Leftovers younger than this are kept: a slow upload or publication may still need them.
const KEEP_LEFTOVERS_SECONDS: i64 = 3600;

/// An entry of the index, as a file.
#[derive(Debug)]
pub(super) struct IndexEntryFileLocation {
    pub(super) path: PathBuf,
    /// The folder of the pool that has its package.
    package: String,
}

impl IndexEntryFileLocation {
    /// The package file that it describes, unless its name is none of ours.
    pub(super) fn package_file(&self) -> Option<&str> {
        self.path.file_name()?.to_str()?.strip_suffix(".jsonl")
    }
}

impl Repository {
    /// Removes what killed processes left: files of uploads, and generations that were never shown, at once, the rest an hour
    /// after it was made. `now` is in seconds since 1970. Returns the files and folders, relative to the repository's folder.
    pub fn remove_leftovers_of_killed_processes(&self, now: u32) -> Result<Vec<PathBuf>> {
        let mut removed = self.remove_incoming_files_of_killed_processes()?;
        let candidates = self.list_index_entries_without_package()?;
        let lock = self.lock()?;
        let listed = self.package_digests_of_all_channels();
        for candidate in candidates {
            let is_listed = candidate.package_file().is_some_and(|file| listed.contains_key(file));
            if !is_listed && self.is_index_entry_without_package(&candidate) && is_old(&candidate.path, now) {
                durable_writes::remove_file_if_present(&candidate.path)?;
                removed.push(candidate.path);
            }
        }
        for name in durable_writes::list_folder_or_empty(&self.layout().channels_folder_path())? {
            let Ok(name) = Name::new(&name) else { continue };
            let folder = self.layout().channel_folder_path(&name);
            if self.is_unfinished_channel_creation(&name)? {
                if is_old(&folder, now) {
                    // The folder that is looked for goes last.
                    let batches = self.layout().channel_batches_folder_path(&name);
                    durable_writes::remove_folder_if_present_unsynced(&batches)?;
                    durable_writes::remove_folder_if_present_unsynced(&folder)?;
                    removed.extend([batches, folder]);
                }
                continue;
            }
            // A channel that cannot be read is for the check to name.
            let Ok(channel) = self.load_current_or_empty_generation(&name) else { continue };
            if channel.generation > 0 {
                removed.extend(self.remove_channel_files_no_reader_needs(&channel, now)?);
                removed.extend(self.remove_package_links_of_killed_publications(&channel, Some(now))?);
            }
        }
        drop(lock);
        for path in &mut removed {
            if let Ok(relative) = path.strip_prefix(&self.root) {
                *path = relative.to_owned();
            }
        }
        Ok(removed)
    }

    /// Removes the links of packages that no metadata of `channel` names; with `now`, only those that were made an hour
    /// before. Needs the lock.
    pub(super) fn remove_package_links_of_killed_publications(
        &self,
        channel: &ChannelGeneration,
        now: Option<u32>,
    ) -> Result<Vec<PathBuf>> {
        let folder = self.layout().channel_packages_folder_path(&channel.name);
        let mut named: BTreeSet<&str> = channel.iter_packages().map(|listed| listed.file.as_str()).collect();
        named.extend(channel.gone.iter().map(|gone| gone.file.as_str()));
        let mut removed = Vec::new();
        for file in durable_writes::list_folder_or_empty(&folder)? {
            let link = folder.join(&file);
            let is_left = !named.contains(file.as_str()) && self.is_link_to_package_in_pool(&link);
            if is_left && now.is_none_or(|now| is_old(&link, now)) {
                durable_writes::remove_file_if_present(&link)?;
                removed.push(link);
            }
        }
        Ok(removed)
    }

    /// Whether a file of a channel is another name of the package in the pool.
    pub(super) fn is_link_to_package_in_pool(&self, link: &Path) -> bool {
        let file = link.file_name().and_then(|name| name.to_str());
        let parsed = file.and_then(|file| Some((file, ParsedRpmFileName::parse_rpm_file_name(file)?)));
        parsed.is_some_and(|(file, parsed)| {
            is_same_file(link, &self.layout().pool_package_path(parsed.name, file))
        })
    }

    /// Whether the creation of a channel was killed before its first, empty generation was shown. A channel that was
    /// published to has later generations.
    pub(super) fn is_unfinished_channel_creation(&self, name: &Name) -> Result<bool> {
        let layout = self.layout();
        let is_shown = layout.channel_current_generation_link_path(name).is_symlink();
        let has_others_than_the_first = |folder: PathBuf| -> Result<bool> {
            let names = durable_writes::list_folder_or_empty(&folder)?;
            Ok(names.iter().any(|name| name.strip_suffix(".json").unwrap_or(name) != "00000001"))
        };
        Ok(!is_shown
            && !has_others_than_the_first(layout.channel_generations_folder_path(name))?
            && !has_others_than_the_first(layout.channel_batches_folder_path(name))?
            && durable_writes::list_folder_or_empty(&layout.channel_packages_folder_path(name))?.is_empty())
    }

    /// The entries of the index whose package is not in the pool. Without the lock, a package that comes in or goes is
    /// among them for a moment.
    pub(super) fn list_index_entries_without_package(&self) -> Result<Vec<IndexEntryFileLocation>> {
        let index = self.layout().index_folder_path();
        let mut alone = Vec::new();
        for package in durable_writes::list_folder_or_empty(&index)? {
            for entry in durable_writes::list_folder_or_empty(&index.join(&package))? {
                let entry = IndexEntryFileLocation {
                    path: index.join(&package).join(entry),
                    package: package.clone(),
                };
                if self.is_index_entry_without_package(&entry) {
                    alone.push(entry);
                }
            }
        }
        Ok(alone)
    }

    /// Whether an entry of the index is there without its package.
    pub(super) fn is_index_entry_without_package(&self, entry: &IndexEntryFileLocation) -> bool {
        let has_package = |file| self.layout().pool_package_path(&entry.package, file).is_file();
        entry.path.exists() && !entry.package_file().is_some_and(has_package)
    }
}

/// Whether a file or folder was made, or got its last name, long enough before `now`.
fn is_old(path: &Path, now: u32) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|there| i64::from(now) - there.ctime().max(there.mtime()) >= KEEP_LEFTOVERS_SECONDS)
}
