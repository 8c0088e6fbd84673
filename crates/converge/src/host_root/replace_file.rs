//! Replaces a file whole: written aside, on disk, then renamed. A reader, and a machine that loses power, see
//! the old file or the new one.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, renameat},
    sys::stat::{Mode, fchmod},
    unistd::{Gid, Uid, UnlinkatFlags, fchown, symlinkat, unlinkat},
};

use super::OpenParentFolderAndName;

impl OpenParentFolderAndName<'_> {
    /// Replaces the file here by one with this content, these owners (who runs this, where there is none)
    /// and this mode. A link here is replaced, and not followed.
    pub(crate) fn replace_entry_by_file(
        &self,
        bytes: &[u8],
        owners: (Option<Uid>, Option<Gid>),
        mode: u32,
    ) -> io::Result<()> {
        self.write_and_replace_entry(owners, mode, |file| file.write_all(bytes), |error| error)
    }

    /// The same with what `write` writes; nothing is replaced when it fails. `failed` makes an error of one
    /// of the file system.
    pub(crate) fn write_and_replace_entry<E>(
        &self,
        (owner, group): (Option<Uid>, Option<Gid>),
        mode: u32,
        write: impl FnOnce(&mut File) -> Result<(), E>,
        failed: impl Fn(io::Error) -> E,
    ) -> Result<(), E> {
        let (aside, name) = self.create_temporary_file().map_err(&failed)?;
        let mut aside = File::from(aside);
        let finish = |aside: &File| {
            if owner.is_some() || group.is_some() {
                fchown(aside, owner, group)?;
            }
            // After the owner: changing the owner takes set-uid bits away.
            fchmod(aside, Mode::from_bits_truncate(mode))?;
            aside.sync_all()?;
            self.rename_here(&name)
        };
        let written = write(&mut aside).and_then(|()| finish(&aside).map_err(&failed));
        if written.is_err() {
            // The temporary file is removed; the first error is returned.
            let _ = unlinkat(self.folder.as_fd(), name.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        written.and_then(|()| self.sync_folder().map_err(failed))
    }

    /// Replaces what is here by a link to `target`.
    pub(crate) fn replace_entry_by_symlink(&self, target: &str) -> io::Result<()> {
        let name = unused_name()?;
        symlinkat(target, self.folder.as_fd(), name.as_str())?;
        if let Err(error) = self.rename_here(&name) {
            let _ = unlinkat(self.folder.as_fd(), name.as_str(), UnlinkatFlags::NoRemoveDir);
            return Err(error);
        }
        self.sync_folder()
    }

    /// Puts on disk what was made, renamed or removed here.
    pub(crate) fn sync_folder(&self) -> io::Result<()> {
        Ok(nix::unistd::fsync(self.folder.as_fd())?)
    }

    fn rename_here(&self, name: &str) -> io::Result<()> {
        Ok(renameat(self.folder.as_fd(), name, self.folder.as_fd(), self.name)?)
    }

    /// Creates a new file beside this one (O_EXCL).
    fn create_temporary_file(&self) -> io::Result<(OwnedFd, String)> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        for _ in 0..64 {
            let name = unused_name()?;
            match openat(self.folder.as_fd(), name.as_str(), flags, Mode::from_bits_truncate(0o600)) {
                Err(Errno::EEXIST) => (),
                opened => return Ok((opened?, name)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

fn unused_name() -> io::Result<String> {
    let mut random = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(format!(".punch-{}", hex::encode(random)))
}
