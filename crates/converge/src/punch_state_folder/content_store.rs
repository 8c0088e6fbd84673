//! Content that punch keeps on a host, each under its SHA-256: `objects/SHA256`. What comes out is what went in,
//! or nothing: it is verified whenever it is read.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek, Write},
};

use sha2::{Digest, Sha256};

use super::{PunchStateFolder, PunchStateFolderError, path};

/// The folder of the kept content.
const OBJECTS: &str = "objects";
/// What is written before its digest is known. There is one writer: the run that holds the lock.
const INCOMING: &str = "objects/incoming";

impl PunchStateFolder {
    /// Keeps all that `content` gives, and returns its SHA-256. It is on disk when this returns.
    pub(crate) fn store_content(&self, content: &mut dyn Read) -> Result<String, PunchStateFolderError> {
        let incoming = path(INCOMING);
        let wrong = |source| self.file_error("write", &incoming, source);
        for folder in [super::PUNCH_STATE_FOLDER, &path(OBJECTS)] {
            self.make_folder(folder)?;
        }
        let mut sha256 = String::new();
        let written = self.root.replace_file_by_writer(
            &incoming,
            0o600,
            |file| {
                sha256 = copy_and_digest(content, Some(file))?;
                Ok(())
            },
            |error| error,
        );
        written.map_err(wrong)?;
        self.root.rename_file_in_its_folder(&incoming, &sha256).map_err(wrong)?;
        Ok(sha256)
    }

    /// Opens kept content at its beginning; nothing when there is none with this SHA-256, or it is damaged.
    pub(crate) fn open_stored_content_if_intact(
        &self,
        sha256: &str,
    ) -> Result<Option<File>, PunchStateFolderError> {
        if !is_sha256(sha256) {
            return Ok(None);
        }
        let path = path(&format!("{OBJECTS}/{sha256}"));
        let wrong = |source| self.file_error("read", &path, source);
        let mut file = match self.root.open_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(wrong)?,
        };
        if copy_and_digest(&mut file, None).map_err(wrong)? != sha256 {
            return Ok(None);
        }
        file.rewind().map_err(wrong)?;
        Ok(Some(file))
    }

    /// Where kept content lies, for messages.
    pub(crate) fn display_path_of_stored_content(&self, sha256: &str) -> String {
        path(&format!("{OBJECTS}/{sha256}"))
    }

    /// Removes all kept content whose SHA-256 is not in `keep`.
    pub(crate) fn remove_stored_content_except(
        &self,
        keep: &BTreeSet<String>,
    ) -> Result<(), PunchStateFolderError> {
        let folder = path(OBJECTS);
        let names = self.root.list_folder_or_empty(&folder);
        for name in names.map_err(|source| self.file_error("read", &folder, source))? {
            if !keep.contains(&name) {
                self.remove(&format!("{OBJECTS}/{name}"))?;
            }
        }
        Ok(())
    }
}

/// Reads `from` to its end and returns its SHA-256; writes it to `to` meanwhile.
pub(crate) fn copy_and_digest(from: &mut dyn Read, mut to: Option<&mut File>) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(digest.finalize())),
            Ok(count) => {
                digest.update(&buffer[..count]);
                if let Some(to) = &mut to {
                    to.write_all(&buffer[..count])?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn read(state: &PunchStateFolder, sha256: &str) -> Option<String> {
        let mut text = String::new();
        state.open_stored_content_if_intact(sha256).unwrap()?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn stored_content_is_read_back_by_its_digest_and_only_root_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(folder.path());
        let sha256 = state.store_content(&mut "secret".as_bytes()).unwrap();
        assert_eq!(sha256, model::observe::sha256_hex(b"secret"));
        assert_eq!(state.store_content(&mut "secret".as_bytes()).unwrap(), sha256, "twice is once");
        assert_eq!(read(&state, &sha256).as_deref(), Some("secret"));
        let at = folder.path().join(state.display_path_of_stored_content(&sha256).trim_start_matches('/'));
        assert_eq!(fs::metadata(at).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn damaged_content_is_not_returned() {
        let folder = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(folder.path());
        let sha256 = state.store_content(&mut "whole".as_bytes()).unwrap();
        let at = folder.path().join(state.display_path_of_stored_content(&sha256).trim_start_matches('/'));
        fs::write(at, "rot").unwrap();
        assert_eq!(read(&state, &sha256), None);
        assert_eq!(read(&state, &"0".repeat(64)), None);
        assert_eq!(read(&state, "../managed.json"), None);
    }

    #[test]
    fn content_without_a_reference_is_removed_and_that_of_a_killed_run_too() {
        let folder = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(folder.path());
        state.remove_stored_content_except(&BTreeSet::new()).unwrap();
        let kept = state.store_content(&mut "a".as_bytes()).unwrap();
        let other = state.store_content(&mut "b".as_bytes()).unwrap();
        fs::write(folder.path().join("var/lib/geppetto/punch").join(INCOMING), "half").unwrap();
        state.remove_stored_content_except(&BTreeSet::from([kept.clone()])).unwrap();
        assert_eq!(read(&state, &kept).as_deref(), Some("a"));
        assert_eq!(read(&state, &other), None);
        let objects = fs::read_dir(folder.path().join("var/lib/geppetto/punch/objects")).unwrap();
        assert_eq!(objects.count(), 1);
    }
}
