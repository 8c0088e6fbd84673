//! Files: observed by their digest, replaced whole.

use std::{
    fs::File,
    io::{self, Read},
};

use model::{observe::FileDigestAndText, resource::FileResourceBody};
use nix::{
    sys::stat::{FileStat, SFlag},
    unistd::{Gid, Uid},
};
use sha2::{Digest, Sha256};

use super::account_database::{AccountDatabase, lookup_owner_and_group_ids};
use crate::{host::HostError, host_root::HostRoot};

/// Makes a file what it must be. An owner, group or mode that is not wanted otherwise is kept.
pub(super) fn create_or_change_file(
    root: &HostRoot,
    accounts: &AccountDatabase,
    path: &str,
    file: &FileResourceBody,
) -> Result<(), HostError> {
    let wrong = |error: io::Error| HostError::from_io_error("cannot write", path, &error);
    let spot = root.open_or_create_parent_folder(path).map_err(wrong)?;
    let (owner, group) = lookup_owner_and_group_ids(accounts, &file.ownership)?;
    let kept = spot.stat_without_following_link().map_err(wrong)?.filter(is_file);
    let mode = file.ownership.mode.or(kept.map(|stat| stat.st_mode & 0o7777)).unwrap_or(0o644);
    let owners = (
        owner.or(kept.map(|stat| Uid::from_raw(stat.st_uid))),
        group.or(kept.map(|stat| Gid::from_raw(stat.st_gid))),
    );
    spot.replace_entry_by_file(&file.content, owners, mode).map_err(wrong)
}

/// Digests a file of any size; only a small one is kept for diffs.
pub(super) fn read_file_digest_and_text(mut file: File) -> io::Result<FileDigestAndText> {
    let mut start = Vec::new();
    (&mut file).take(FileDigestAndText::MAX_DIFFABLE_BYTES as u64 + 1).read_to_end(&mut start)?;
    if start.len() <= FileDigestAndText::MAX_DIFFABLE_BYTES {
        return Ok(FileDigestAndText::from_bytes(&start));
    }
    let mut hash = Sha256::new();
    hash.update(&start);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(FileDigestAndText { sha256: hex::encode(hash.finalize()), text: None }),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn is_file(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}
