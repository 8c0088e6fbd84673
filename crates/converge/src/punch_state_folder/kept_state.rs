//! What punch kept of a host before it replaced it (`kept.json`), what installations it began (`installing.json`), and
//! what the files of manifests held when it last wrote them (`written.json`), and what the files of packages looked like
//! when they were last found right (`payloads.json`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read as _, Seek as _},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{BeforeImageContent, PunchStateFolder, PunchStateFolderError, copy_and_digest, path};
use crate::{
    host_root::HostRoot,
    kept_files::KeptEntry,
    payload::{PackageVersionAndPaths, VerifiedPayloads},
};

const KEPT: &str = "kept.json";
const INSTALLING: &str = "installing.json";
const WRITTEN: &str = "written.json";
const OWNERS_NOT_GIVEN: &str = "owners-not-given.json";
const VERIFIED: &str = "payloads.json";

/// How large a file is that is kept aside, at most.
pub(crate) const MOST_KEPT_ASIDE_BYTES: u64 = 64 * 1024 * 1024;

/// How many earlier contents of one file are kept aside.
const MOST_KEPT_ASIDE: usize = 10;

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptFiles {
    /// What is put back when a package leaves.
    #[serde(default)]
    pub(crate) entries: Vec<KeptEntry>,
    /// What people may want to look at: files that somebody edited, and that punch replaced or removed.
    #[serde(default)]
    pub(crate) aside: Vec<FileKeptAside>,
}

/// A file that is kept for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileKeptAside {
    /// Where it was.
    pub(crate) path: String,
    /// What it held.
    pub(crate) sha256: String,
}

impl PunchStateFolder {
    /// The host's root, in which the state folder is.
    pub(crate) fn host_root(&self) -> &HostRoot {
        &self.root
    }

    pub(crate) fn load_kept_files(&self) -> Result<KeptFiles, PunchStateFolderError> {
        self.read_json(KEPT)
    }

    pub(crate) fn save_kept_files(&self, kept: &KeptFiles) -> Result<(), PunchStateFolderError> {
        self.write_json(KEPT, kept)
    }

    /// The packages for which something is kept or whose installation was begun: their versions tell what is due.
    pub(crate) fn packages_with_kept_state(&self) -> Result<BTreeSet<String>, PunchStateFolderError> {
        let kept = self.load_kept_files()?.entries.into_iter().map(|entry| entry.package);
        Ok(kept.chain(self.load_begun_installations()?.into_keys()).collect())
    }

    /// What installations that did not end were about to bring, by package.
    pub(crate) fn load_begun_installations(
        &self,
    ) -> Result<BTreeMap<String, PackageVersionAndPaths>, PunchStateFolderError> {
        self.read_json(INSTALLING)
    }

    pub(crate) fn save_begun_installations(
        &self,
        begun: &BTreeMap<String, PackageVersionAndPaths>,
    ) -> Result<(), PunchStateFolderError> {
        if begun.is_empty() { self.remove(INSTALLING) } else { self.write_json(INSTALLING, begun) }
    }

    /// The SHA-256 of what punch last wrote to the files of manifests, by path.
    pub(crate) fn load_written_digests(&self) -> Result<BTreeMap<String, String>, PunchStateFolderError> {
        self.read_json(WRITTEN)
    }

    pub(crate) fn save_written_digests(
        &self,
        written: &BTreeMap<String, String>,
    ) -> Result<(), PunchStateFolderError> {
        self.write_json(WRITTEN, written)
    }

    /// Writes down the owners that files would have if root had run punch; nothing when there are none.
    pub(crate) fn save_owners_not_given(
        &self,
        owners: &BTreeMap<String, String>,
    ) -> Result<(), PunchStateFolderError> {
        match owners.is_empty() {
            true => self.remove(OWNERS_NOT_GIVEN),
            false => self.write_json(OWNERS_NOT_GIVEN, owners),
        }
    }

    /// What is known of the files of installed packages. It can be found out again: what cannot be read is not known.
    pub(crate) fn load_verified_payloads(&self) -> Result<VerifiedPayloads, PunchStateFolderError> {
        Ok(self.read(VERIFIED)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    pub(crate) fn save_verified_payloads(
        &self,
        verified: &VerifiedPayloads,
    ) -> Result<(), PunchStateFolderError> {
        self.write_json(VERIFIED, verified)
    }

    /// Keeps the file at a path of the host aside, unless nothing or one of the `known` contents is there. Returns a
    /// sentence that says where it is kept.
    pub(crate) fn keep_file_aside_unless_known(
        &self,
        path: &str,
        known: &[Option<&String>],
    ) -> Result<Option<String>, PunchStateFolderError> {
        match self.open_host_file(path)? {
            Some(file) => self.keep_open_file_aside_unless(path, file, known),
            None => Ok(None),
        }
    }

    /// The same for a file that is open; it may be changed meanwhile.
    pub(crate) fn keep_open_file_aside_unless(
        &self,
        path: &str,
        mut file: File,
        known: &[Option<&String>],
    ) -> Result<Option<String>, PunchStateFolderError> {
        let wrong = |source| self.file_error("read", path, source);
        let now = copy_and_digest(&mut file, None).map_err(wrong)?;
        if known.contains(&Some(&now)) {
            return Ok(None);
        }
        file.rewind().map_err(wrong)?;
        let sha256 = self.store_content(&mut file.take(MOST_KEPT_ASIDE_BYTES))?;
        let shown = self.remember_content_kept_aside(path, &sha256)?;
        Ok(Some(format!("what {path} held is saved in {shown}")))
    }

    /// Keeps stored content for people; returns where it is.
    pub(crate) fn remember_content_kept_aside(
        &self,
        path: &str,
        sha256: &str,
    ) -> Result<String, PunchStateFolderError> {
        let mut kept = self.load_kept_files()?;
        let one = FileKeptAside { path: path.to_owned(), sha256: sha256.to_owned() };
        kept.aside.retain(|known| *known != one);
        kept.aside.push(one);
        let count = kept.aside.iter().filter(|known| known.path == path).count();
        let mut too_many = count.saturating_sub(MOST_KEPT_ASIDE);
        kept.aside.retain(|known| {
            let goes = known.path == path && too_many > 0;
            too_many -= usize::from(goes);
            !goes
        });
        self.save_kept_files(&kept)?;
        Ok(self.display_path_of_stored_content(sha256))
    }

    /// Removes kept content that nothing refers to any more. Call it only while holding the lock.
    pub(crate) fn remove_unreferenced_content(&self) -> Result<(), PunchStateFolderError> {
        let deployments = self.load_stored_deployments()?.into_values().map(|stored| stored.sha256);
        let kept = self.load_kept_files()?;
        let entries = kept.entries.iter().filter_map(|entry| entry.content.sha256().cloned());
        let aside = kept.aside.iter().map(|file| file.sha256.clone());
        let images = self.load_before_images()?.into_iter().filter_map(|image| match image.content {
            BeforeImageContent::File(sha256) => Some(sha256),
            _ => None,
        });
        self.remove_stored_content_except(&deployments.chain(entries).chain(aside).chain(images).collect())
    }

    /// A state file; the default when there is none.
    pub(super) fn read_json<T: DeserializeOwned + Default>(
        &self,
        name: &str,
    ) -> Result<T, PunchStateFolderError> {
        let Some(text) = self.read(name)? else { return Ok(T::default()) };
        serde_json::from_str(&text).map_err(|error| PunchStateFolderError::Content {
            path: self.root.display_path(&path(name)),
            because: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_contents_of_a_file_kept_aside_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(folder.path());
        for number in 0..12 {
            state.remember_content_kept_aside("/etc/a", &format!("{number}")).unwrap();
        }
        state.remember_content_kept_aside("/etc/b", "0").unwrap();
        let kept = state.load_kept_files().unwrap().aside;
        assert_eq!(kept.iter().filter(|file| file.path == "/etc/a").count(), MOST_KEPT_ASIDE);
        assert_eq!(kept[0].sha256, "2");
        assert_eq!(kept.len(), MOST_KEPT_ASIDE + 1);
    }
}
