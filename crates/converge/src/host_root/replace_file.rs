//! Replaces a file whole: written aside, on disk, then renamed. A reader, and a machine that loses power, see
//! the old file or the new one.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, AsRawFd},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat},
    sys::stat::{Mode, fchmod},
    unistd::{AccessFlags, Gid, Uid, UnlinkatFlags, access, fchown, linkat, symlinkat, unlinkat},
};

use super::{OpenParentFolderAndName, temporary_files::unused_temporary_name};

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
        let mut aside = self.create_temporary_file().map_err(&failed)?;
        let finish = |aside: &TemporaryFile| {
            if owner.is_some() || group.is_some() {
                fchown(&aside.file, owner, group)?;
            }
            // After the owner: changing the owner takes set-uid bits away.
            fchmod(&aside.file, Mode::from_bits_truncate(mode))?;
            aside.file.sync_all()?;
            match &aside.name {
                Some(name) => self.rename_here(name),
                None => self.give_name_to_unnamed_file(&aside.file),
            }
        };
        let written = write(&mut aside.file).and_then(|()| finish(&aside).map_err(&failed));
        if let (Err(_), Some(name)) = (&written, &aside.name) {
            // The temporary file is removed; the first error is returned.
            self.remove_beside(name);
        }
        written.and_then(|()| self.sync_folder().map_err(failed))
    }

    /// Replaces what is here by a link to `target`.
    pub(crate) fn replace_entry_by_symlink(&self, target: &str) -> io::Result<()> {
        match symlinkat(target, self.folder.as_fd(), self.name) {
            Err(Errno::EEXIST) => {
                let name = unused_temporary_name()?;
                symlinkat(target, self.folder.as_fd(), name.as_str())?;
                self.rename_here(&name).inspect_err(|_| self.remove_beside(&name))?;
            }
            made => made?,
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

    fn remove_beside(&self, name: &str) {
        let _ = unlinkat(self.folder.as_fd(), name, UnlinkatFlags::NoRemoveDir);
    }

    /// Creates a new file in this folder: without a name, so that nothing is left of it when this process is
    /// killed, or with one where the file system cannot do that.
    fn create_temporary_file(&self) -> io::Result<TemporaryFile> {
        let mode = Mode::from_bits_truncate(0o600);
        let unnamed = OFlag::O_WRONLY | OFlag::O_TMPFILE | OFlag::O_CLOEXEC;
        if let Ok(file) = openat(self.folder.as_fd(), ".", unnamed, mode)
            && access(path_of_open_file(&file).as_str(), AccessFlags::F_OK).is_ok()
        {
            return Ok(TemporaryFile { file: file.into(), name: None });
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        for _ in 0..64 {
            let name = unused_temporary_name()?;
            match openat(self.folder.as_fd(), name.as_str(), flags, mode) {
                Err(Errno::EEXIST) => (),
                opened => return Ok(TemporaryFile { file: opened?.into(), name: Some(name) }),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn give_name_to_unnamed_file(&self, file: &File) -> io::Result<()> {
        let opened = path_of_open_file(file);
        let link = |name: &str| {
            linkat(AT_FDCWD, opened.as_str(), self.folder.as_fd(), name, AtFlags::AT_SYMLINK_FOLLOW)
        };
        match link(self.name) {
            // Only a rename replaces what is there.
            Err(Errno::EEXIST) => {
                let name = unused_temporary_name()?;
                link(&name)?;
                self.rename_here(&name).inspect_err(|_| self.remove_beside(&name))
            }
            linked => Ok(linked?),
        }
    }
}

/// A file that is not yet where it shall be.
struct TemporaryFile {
    file: File,
    /// Its name, if it has one.
    name: Option<String>,
}

fn path_of_open_file(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
