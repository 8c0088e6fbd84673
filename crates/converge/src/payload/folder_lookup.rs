//! The folders above paths: where they really are, and who can change them. Each is looked at once.

use std::{collections::BTreeMap, io, path::Path};

use crate::host_root::{FolderWalkError, HostRoot, PathTrust, WalkedFolder, WalkedFolderCache};

/// Looks at the folders above paths.
pub(crate) struct FolderLookup<'a> {
    root: &'a HostRoot,
    /// The root's own path on this machine, resolved.
    top: String,
    canonical: BTreeMap<String, String>,
    walked: WalkedFolderCache,
}

impl<'a> FolderLookup<'a> {
    pub(crate) fn new(root: &'a HostRoot) -> io::Result<Self> {
        let top = root.canonical_path_on_this_machine("/")?;
        let top = top.to_string_lossy().trim_end_matches('/').to_owned();
        Ok(Self { root, top, canonical: BTreeMap::new(), walked: WalkedFolderCache::default() })
    }

    /// The path with the links above it resolved; as it is where a folder above it is not there.
    pub(crate) fn path_with_canonical_parent(&mut self, path: &str) -> io::Result<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(format!("{}/{name}", self.canonical_folder(folder)?))
    }

    fn canonical_folder(&mut self, folder: &str) -> io::Result<String> {
        if folder.is_empty() {
            return Ok(String::new());
        }
        if let Some(known) = self.canonical.get(folder) {
            return Ok(known.clone());
        }
        let found = match self.root.canonical_path_on_this_machine(folder) {
            Ok(path) => below(&path, &self.top),
            Err(error) if is_absent(&error) => {
                // What is above it may be a link all the same.
                let (above, name) = folder.rsplit_once('/').unwrap_or(("", folder));
                format!("{}/{name}", self.canonical_folder(above)?)
            }
            Err(error) => return Err(error),
        };
        self.canonical.insert(folder.to_owned(), found.clone());
        Ok(found)
    }

    /// Why rpm, as root, must not write to `path`: somebody else can change a folder on the way to it, and put a link
    /// there. `None` when only root can.
    pub(crate) fn why_path_is_unsafe(
        &mut self,
        path: &str,
        trust: &PathTrust<'_>,
    ) -> io::Result<Option<String>> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match self.root.walk_to_folder(folder, trust, &self.walked, false) {
            Ok(WalkedFolder::Protected(_)) => Ok(None),
            Ok(WalkedFolder::OfUser(folder)) => {
                let (user, path) = (trust.accounts.name_or_number_of_user(folder.uid), folder.path);
                Ok(Some(format!("{user} can change {path}; `chown root {path}` if packages are to use it")))
            }
            Err(FolderWalkError::Unsafe(folder)) => Ok(Some(folder.because)),
            Err(FolderWalkError::File(error)) if is_absent(&error) => Ok(None),
            Err(FolderWalkError::File(error)) => Err(error),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A path on this machine as the host knows it.
fn below(path: &Path, top: &str) -> String {
    let path = path.to_string_lossy();
    path.strip_prefix(top).unwrap_or(&path).trim_end_matches('/').to_owned()
}
