//! `SHA256SUMS`: a checksum of every file of a backup, in the form that `sha256sum -c` of GNU coreutils checks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{
    BackupError,
    backup_description::{BackupDescription, is_relative_path_without_parents},
};

/// Its name in the backup.
pub(super) const CHECKSUM_FILE: &str = "SHA256SUMS";

/// The SHA-256 of each file in hexadecimal, by its path in the backup.
pub(super) type ChecksumsByPath = BTreeMap<String, String>;

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct FolderChecksumListing {
    /// Of each file but `SHA256SUMS` itself.
    pub(super) sums: ChecksumsByPath,
    /// All folders, by their path.
    pub(super) folders: BTreeSet<String>,
    /// All symbolic links, by their path, and where they lead.
    pub(super) links: BTreeMap<String, String>,
    /// How many bytes the files have.
    pub(super) bytes: u64,
}

/// Lists everything in a folder and reads every file, one with several names once.
pub(super) fn list_and_checksum_folder(folder: &Path) -> Result<FolderChecksumListing, BackupError> {
    let mut content = FolderChecksumListing::default();
    let mut known = HashMap::new();
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        let here = folder.join(&below);
        for entry in fs::read_dir(&here).map_err(BackupError::from_io_error("list", &here))? {
            let entry = entry.map_err(BackupError::from_io_error("list", &here))?;
            let name = entry.file_name().into_string().map_err(|name| {
                BackupError::damaged(folder, format!("the name {} is no UTF-8", name.display()))
            })?;
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let full = entry.path();
            let found = entry.metadata().map_err(BackupError::from_io_error("look at", &full))?;
            if found.is_dir() {
                content.folders.insert(path.clone());
                waiting.push(path);
            } else if found.is_symlink() {
                let leads_to = fs::read_link(&full).map_err(BackupError::from_io_error("read", &full))?;
                content.links.insert(path, leads_to.to_string_lossy().into_owned());
            } else if path != CHECKSUM_FILE {
                let sum = match known.get(&(found.dev(), found.ino())) {
                    Some(sum) => String::clone(sum),
                    None => compute_file_checksum(&full)?,
                };
                known.insert((found.dev(), found.ino()), sum.clone());
                content.bytes += found.len();
                content.sums.insert(path, sum);
            }
        }
    }
    Ok(content)
}

/// The text of `SHA256SUMS`.
pub(super) fn checksums_to_text(sums: &ChecksumsByPath) -> String {
    sums.iter().map(|(path, sum)| format!("{sum}  {path}\n")).collect()
}

/// Reads `SHA256SUMS` of a backup.
pub(super) fn read_checksums(folder: &Path) -> Result<ChecksumsByPath, BackupError> {
    let path = folder.join(CHECKSUM_FILE);
    let text = fs::read_to_string(&path).map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => BackupError::Unsuitable(format!(
            "{} is not a backup, or one that was not finished: it has no {CHECKSUM_FILE}",
            folder.display()
        )),
        _ => BackupError::from_io_error("read", &path)(why),
    })?;
    text.lines()
        .map(|line| match line.split_once("  ") {
            Some((sum, path)) if sum.len() == 64 && is_relative_path_without_parents(path) => {
                Ok((path.to_owned(), sum.to_owned()))
            }
            _ => Err(BackupError::damaged(folder, format!("{CHECKSUM_FILE} has the line `{line}`"))),
        })
        .collect()
}

/// Refuses a backup in which something is missing, more than there should be, or other than it was written.
pub(super) fn verify_backup_content(
    folder: &Path,
    sums: &ChecksumsByPath,
) -> Result<BackupDescription, BackupError> {
    let present = list_and_checksum_folder(folder)?;
    for (path, sum) in sums {
        match present.sums.get(path) {
            None => return Err(BackupError::damaged(folder, format!("{path} is missing"))),
            Some(now) if now != sum => {
                return Err(BackupError::damaged(
                    folder,
                    format!("{path} has changed since the backup was made"),
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(path) = present.sums.keys().find(|path| !sums.contains_key(*path)) {
        return Err(BackupError::Unsuitable(format!(
            "the backup {} has a file that is no part of it: {path}; move it out of that folder, then run this again",
            folder.display()
        )));
    }
    let description = BackupDescription::read_from_backup(folder)?;
    if present.folders != description.folders || present.links != description.links {
        return Err(BackupError::damaged(
            folder,
            "its folders or symbolic links are other than when it was made".to_owned(),
        ));
    }
    Ok(description)
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn compute_file_checksum(path: &Path) -> Result<String, BackupError> {
    let mut hash = Sha256::new();
    File::open(path)
        .and_then(|mut file| io::copy(&mut file, &mut hash))
        .map_err(BackupError::from_io_error("read", path))?;
    Ok(hex::encode(hash.finalize()))
}
