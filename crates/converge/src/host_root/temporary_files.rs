//! The temporary files that a killed run can leave beside what it replaced.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AtFlags, OFlag},
    sys::stat::{Mode, SFlag, fstatat},
    unistd::{UnlinkatFlags, unlinkat},
};

use super::{HostRoot, open_folder_without_following_link};

const PREFIX: &str = ".punch-";
const RANDOM_BYTES: usize = 8;

/// A name for a temporary file that nothing has yet.
pub(super) fn unused_temporary_name() -> io::Result<String> {
    let mut random = [0; RANDOM_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(format!("{PREFIX}{}", hex::encode(random)))
}

fn is_temporary_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == 2 * RANDOM_BYTES
            && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes the temporary files and links in an open folder. Call it only while no run can make one.
pub(crate) fn remove_temporary_files(folder: &OwnedFd) -> io::Result<()> {
    visit_entries(folder, |name, kind| {
        if is_temporary_name(name) && matches!(kind, SFlag::S_IFREG | SFlag::S_IFLNK) {
            unlinkat(folder.as_fd(), name, UnlinkatFlags::NoRemoveDir)?;
        }
        Ok(())
    })
}

impl HostRoot {
    /// Removes the temporary files in a folder of punch's own and in all folders below it.
    pub(crate) fn remove_temporary_files_below(&self, path: &str) -> io::Result<()> {
        match self.open_folder(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(())
            }
            opened => remove_temporary_files_in_tree(&opened?),
        }
    }
}

fn remove_temporary_files_in_tree(folder: &OwnedFd) -> io::Result<()> {
    remove_temporary_files(folder)?;
    visit_entries(folder, |name, kind| match kind {
        SFlag::S_IFDIR => remove_temporary_files_in_tree(&open_folder_without_following_link(folder, name)?),
        _ => Ok(()),
    })
}

/// Calls `visit` with the name and type of each entry. One that is gone meanwhile is passed over.
fn visit_entries(folder: &OwnedFd, mut visit: impl FnMut(&str, SFlag) -> io::Result<()>) -> io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::openat(folder.as_fd(), ".", flags, Mode::empty())?.iter() {
        names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
    }
    for name in names.iter().filter(|name| !matches!(name.as_str(), "." | "..")) {
        let visited = match fstatat(folder.as_fd(), name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => visit(name, SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT),
            Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        };
        match visited {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            visited => visited?,
        }
    }
    Ok(())
}
