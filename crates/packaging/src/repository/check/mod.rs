//! Checking: every byte that readers of the repository get is compared with what it should be, and what is
//! not is named. Superseded generations are not checked.
//!
//! Publishing goes on meanwhile. What was looked at without the lock and does not seem right is looked at
//! again with it, before anything is reported.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{Repository, RepositoryError, Result, durable_writes, package_index::PoolPackageIndexEntry};
use crate::openpgp::TrustedPublicKeys;

mod channels;

const RESTORE: &str =
    "copy it back from a backup, or remove it, build that version anew with a higher release and publish it";
const REINDEX: &str = "`punch repository rebuild` of a channel that shows the package makes it anew from the package, and so does uploading the same package again";

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryFinding {
    /// The file, relative to the repository's folder.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for RepositoryFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.file.display(), self.what, self.advice)
    }
}

struct Findings<'a> {
    root: &'a Path,
    all: Vec<RepositoryFinding>,
    /// Index entries that need repair, by file, computed from the packages.
    right: BTreeMap<String, PoolPackageIndexEntry>,
}

impl Findings<'_> {
    fn add(&mut self, file: &Path, what: impl Into<String>, advice: &str) {
        let file = file.strip_prefix(self.root).unwrap_or(file).to_owned();
        self.all.push(RepositoryFinding { file, what: what.into(), advice: advice.to_owned() });
    }
}

impl Repository {
    /// Reads everything; the result is empty if all is well.
    pub fn check_repository(&self) -> Result<Vec<RepositoryFinding>> {
        self.check_repository_with_progress(|_, _| true)
    }

    /// The same; `progress` is given how many packages are read, and of how many, and stops the check by `false`.
    pub fn check_repository_with_progress(
        &self,
        progress: impl FnMut(u64, u64) -> bool,
    ) -> Result<Vec<RepositoryFinding>> {
        let mut findings = Findings { root: &self.root, all: Vec::new(), right: BTreeMap::new() };
        let keys = self.read_trusted_and_withdrawn_keys()?;
        self.check_pool(&keys, &mut findings, progress)?;
        self.check_index(&mut findings)?;
        self.check_all_channels(&keys, &mut findings)?;
        findings.all.sort();
        Ok(findings.all)
    }

    /// Compares each package with its entry in the index, which is made from it once more.
    fn check_pool(
        &self,
        keys: &TrustedPublicKeys,
        findings: &mut Findings<'_>,
        mut progress: impl FnMut(u64, u64) -> bool,
    ) -> Result<()> {
        let layout = self.layout();
        let listed = self.package_digests_of_all_channels();
        let mut files = Vec::new();
        for name in durable_writes::list_folder_or_empty(&layout.pool_folder_path())? {
            files.push((durable_writes::list_folder_or_empty(&layout.pool_folder_path().join(&name))?, name));
        }
        let total: u64 = files.iter().map(|(files, _)| files.len() as u64).sum();
        let mut done = 0;
        for (files, name) in files {
            for file in files {
                if !progress(done, total) {
                    return Ok(());
                }
                done += 1;
                let (pooled, indexed) =
                    (layout.pool_package_path(&name, &file), layout.index_entry_path(&name, &file));
                let right = self.compute_index_entry_from_pool(&file).and_then(|(right, rpm_file)| {
                    rpm_file.verify_header_signature(keys)?;
                    Ok(right)
                });
                let entry = self.read_index_entry(&file);
                if !pooled.exists() {
                    // A retention took both away meanwhile.
                    continue;
                }
                match (right, entry) {
                    (Ok(right), Ok(entry)) if right == entry => (),
                    // Where a channel knows the package as it is, it is the entry that is wrong.
                    (Ok(right), Ok(entry))
                        if right.record.sha256 != entry.record.sha256
                            && listed.get(&file) != Some(&right.record.sha256) =>
                    {
                        let (is, was) = (right.record.sha256, entry.record.sha256);
                        let what = format!("its SHA-256 is {is}, it was received with {was}");
                        findings.add(&pooled, what, RESTORE);
                    }
                    (Ok(right), entry) => {
                        let what = match entry {
                            Ok(_) => "it does not match the package".to_owned(),
                            Err(error) => reason(&error),
                        };
                        findings.add(&indexed, what, REINDEX);
                        findings.right.insert(file, right);
                    }
                    (Err(error), _) => findings.add(&pooled, reason(&error), RESTORE),
                }
            }
        }
        Ok(())
    }

    /// The digest of each package that some channel shows, by file.
    pub(super) fn package_digests_of_all_channels(&self) -> BTreeMap<String, String> {
        // Errors of reading a channel are reported by the channel check.
        let channels = self.list_channels().unwrap_or_default();
        let channels: Vec<_> =
            channels.iter().filter_map(|name| self.load_current_or_empty_generation(name).ok()).collect();
        let listed = channels.iter().flat_map(|channel| channel.iter_packages());
        listed.map(|listed| (listed.file.clone(), listed.sha256.clone())).collect()
    }

    fn check_index(&self, findings: &mut Findings<'_>) -> Result<()> {
        let suspects = self.list_index_entries_without_package()?;
        if suspects.is_empty() {
            return Ok(());
        }
        // A package that comes in, or goes, has its entry alone for a moment.
        let _lock = self.lock()?;
        let listed = self.package_digests_of_all_channels();
        for suspect in suspects {
            let alone = self.is_index_entry_without_package(&suspect);
            // What no channel shows is what an upload or a retention has left that was killed.
            if alone && suspect.package_file().is_some_and(|file| listed.contains_key(file)) {
                findings.add(&suspect.path, "it describes a package that is not in the pool", RESTORE);
            }
        }
        Ok(())
    }
}

/// What is wrong, where the file is named already.
fn reason(error: &RepositoryError) -> String {
    match error {
        RepositoryError::Io { why, .. } => why.to_string(),
        RepositoryError::Damaged { why, .. } => why.clone(),
        error => error.to_string(),
    }
}
