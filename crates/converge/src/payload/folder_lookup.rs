//! The folders above paths: where they really are, and who can change them. Each is looked at once.

use std::{collections::BTreeMap, io, path::Path};

use nix::sys::stat::fstat;

use super::UnsafePackageFolder;
use crate::host_root::{FolderChangers, HostRoot, PathTrust, who_can_change_folder};

/// Looks at the folders above paths.
pub(crate) struct FolderLookup<'a> {
    root: &'a HostRoot,
    /// The root's own path on this machine, resolved.
    top: String,
    canonical: BTreeMap<String, String>,
    changed_by: BTreeMap<String, Option<String>>,
}

impl<'a> FolderLookup<'a> {
    pub(crate) fn new(root: &'a HostRoot) -> io::Result<Self> {
        let top = root.canonical_path_on_this_machine("/")?;
        let top = top.to_string_lossy().trim_end_matches('/').to_owned();
        Ok(Self { root, top, canonical: BTreeMap::new(), changed_by: BTreeMap::new() })
    }

    /// The path with the links above it resolved; as it is where a folder above it is not there.
    pub(crate) fn canonical_path(&mut self, path: &str) -> io::Result<String> {
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

    /// The first folder above `path` that somebody but root can change, as the path is written and as it really is:
    /// who can change a folder can put a link in it.
    pub(crate) fn first_unsafe_folder(
        &mut self,
        path: &str,
        trust: &PathTrust<'_>,
    ) -> io::Result<Option<UnsafePackageFolder>> {
        let canonical = self.canonical_path(path)?;
        for path in [path, &canonical] {
            let ends = path.char_indices().filter(|(_, sign)| *sign == '/').map(|(at, _)| at);
            for end in ends {
                let folder = &path[..end];
                if let Some(who) = self.who_can_change(folder, trust)? {
                    let path = if folder.is_empty() { "/" } else { folder }.to_owned();
                    return Ok(Some(UnsafePackageFolder { path, who }));
                }
            }
        }
        Ok(None)
    }

    fn who_can_change(&mut self, folder: &str, trust: &PathTrust<'_>) -> io::Result<Option<String>> {
        if let Some(known) = self.changed_by.get(folder) {
            return Ok(known.clone());
        }
        let who = match self.root.open_folder(folder) {
            Err(error) if is_absent(&error) => None,
            opened => {
                let opened = opened?;
                let stat = fstat(&opened)?;
                match who_can_change_folder(&opened, &stat, trust) {
                    FolderChangers::OnlyTrusted => None,
                    FolderChangers::OneUser => Some(trust.accounts.user_name(stat.st_uid)),
                    FolderChangers::Others { who, advice } => {
                        Some(format!("{who} ({} takes that away)", advice.replace("PATH", folder)))
                    }
                }
            }
        };
        self.changed_by.insert(folder.to_owned(), who.clone());
        Ok(who)
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
