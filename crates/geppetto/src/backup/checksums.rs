//! `SHA256SUMS`: a checksum of every file of a backup, in the form that `sha256sum -c` of GNU coreutils checks.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{
    BackupError,
    backup_description::{BackupDescription, is_path_inside},
};

/// Its name in the backup.
pub(super) const CHECKSUM_FILE: &str = "SHA256SUMS";

/// The SHA-256 of each file in hexadecimal, by its path in the backup.
pub(super) type ChecksumsByPath = BTreeMap<String, String>;

/// Computes the checksums of all files of a folder and adds its folders and links to the description. A file with several
/// names is read once.
pub(super) fn compute_checksums_and_list_links(
    folder: &Path,
    description: &mut BackupDescription,
) -> Result<ChecksumsByPath, BackupError> {
    let mut sums = ChecksumsByPath::new();
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
                description.folders.insert(path.clone());
                waiting.push(path);
            } else if found.is_symlink() {
                let leads_to = fs::read_link(&full).map_err(BackupError::from_io_error("read", &full))?;
                description.links.insert(path, leads_to.to_string_lossy().into_owned());
            } else if path != CHECKSUM_FILE {
                let sum = match known.get(&(found.dev(), found.ino())) {
                    Some(sum) => String::clone(sum),
                    None => compute_file_checksum(&full)?,
                };
                known.insert((found.dev(), found.ino()), sum.clone());
                sums.insert(path, sum);
            }
        }
    }
    Ok(sums)
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
            Some((sum, path)) if sum.len() == 64 && is_path_inside(path) => {
                Ok((path.to_owned(), sum.to_owned()))
            }
            _ => Err(BackupError::damaged(folder, format!("{CHECKSUM_FILE} has the line `{line}`"))),
        })
        .collect()
}

/// Refuses a backup in which a file is missing, more than there should be, or other than it was written.
pub(super) fn verify_checksums(folder: &Path, sums: &ChecksumsByPath) -> Result<(), BackupError> {
    let mut found = BackupDescription::new(0, 0, 0);
    let present = compute_checksums_and_list_links(folder, &mut found)?;
    for (path, sum) in sums {
        match present.get(path) {
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
    match present.keys().find(|path| !sums.contains_key(*path)) {
        Some(path) => Err(BackupError::damaged(folder, format!("{path} is no part of it"))),
        None => Ok(()),
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn compute_file_checksum(path: &Path) -> Result<String, BackupError> {
    let mut file = File::open(path).map_err(BackupError::from_io_error("read", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(BackupError::from_io_error("read", path))? {
            0 => return Ok(hex::encode(hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}
