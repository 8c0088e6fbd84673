//! Files: observed by their digest, replaced whole.

use std::{
    fs::File,
    io::{self, Read},
};

use model::{observe::FileDigestAndText, resource::FileResourceBody};
use sha2::{Digest, Sha256};

use super::{
    account_database::lookup_owner_and_group_ids,
    path_entry::replace_entry_by_file_keeping_ownership,
    resource_folders::{ActingUser, ResourceFolders},
};
use crate::host::HostError;

/// Makes a file what it must be. An owner, group or mode that is not wanted otherwise is kept.
pub(super) fn create_or_change_file(
    folders: &ResourceFolders<'_>,
    acting: ActingUser,
    path: &str,
    file: &FileResourceBody,
) -> Result<(), HostError> {
    let owners = lookup_owner_and_group_ids(folders.accounts, &file.ownership)?;
    let place = folders.open_to_write(path, acting)?;
    replace_entry_by_file_keeping_ownership(&place.spot, &file.content, owners, file.ownership.mode)
        .map_err(|error| place.entry_error("cannot write", path, &error))
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
