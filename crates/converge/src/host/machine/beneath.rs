//! Paths as the host knows them, resolved beneath its root: a symbolic link under `--root DIR` can never
//! lead out of DIR, just as if DIR were `/`.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{FileStat, Mode, fstatat, mkdirat},
};

/// A host's root folder, kept open.
#[derive(Debug)]
pub(super) struct Root {
    folder: OwnedFd,
}

/// A folder that is open, and the last part of a path in it.
pub(super) struct Spot<'a> {
    pub(super) folder: OwnedFd,
    pub(super) name: &'a str,
}

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { folder: File::options().read(true).open(path).and_then(folder)?.into() })
    }

    /// Opens the folder a path is in; the path's last part is not followed.
    pub(super) fn spot<'a>(&self, path: &'a str) -> io::Result<Spot<'a>> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(Spot { folder: self.folder(above)?, name })
    }

    /// The same, making the folders above where there are none.
    pub(super) fn spot_made<'a>(&self, path: &'a str) -> io::Result<Spot<'a>> {
        match self.spot(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            found => return found,
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut so_far = String::new();
        let mut folder = self.folder("")?;
        for part in above.split('/').filter(|part| !part.is_empty()) {
            so_far = format!("{so_far}/{part}");
            folder = match self.folder(&so_far) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    mkdirat(&folder, part, Mode::from_bits_truncate(0o755))?;
                    self.folder(&so_far)?
                }
                found => found?,
            };
        }
        Ok(Spot { folder, name })
    }

    /// Opens a folder.
    pub(super) fn folder(&self, path: &str) -> io::Result<OwnedFd> {
        let path = path.trim_start_matches('/');
        self.resolve(if path.is_empty() { "." } else { path }, OFlag::O_DIRECTORY | OFlag::O_RDONLY)
    }

    /// Opens a file for reading, links followed beneath the root.
    pub(super) fn read(&self, path: &str) -> io::Result<File> {
        Ok(self.resolve(path.trim_start_matches('/'), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?.into())
    }

    /// What lies at a path, links followed beneath the root.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.resolve(path.trim_start_matches('/'), OFlag::O_PATH).is_ok()
    }

    fn resolve(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        loop {
            match openat2(&self.folder, path, how) {
                // The kernel asks to try again when a folder was renamed meanwhile.
                Err(Errno::EAGAIN | Errno::EINTR) => (),
                Err(Errno::ENOSYS) => {
                    return Err(io::Error::other(
                        "this kernel has no openat2 (Linux 5.6 or newer is needed)",
                    ));
                }
                result => return Ok(result?),
            }
        }
    }
}

impl Spot<'_> {
    /// What lies there, a symbolic link not followed; `None` when nothing does.
    pub(super) fn stat(&self) -> io::Result<Option<FileStat>> {
        match fstatat(self.folder.as_fd(), self.name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn folder(file: File) -> io::Result<File> {
    if file.metadata()?.is_dir() { Ok(file) } else { Err(io::ErrorKind::NotADirectory.into()) }
}
