//! The files punch itself keeps on a host: read, replaced and listed inside the root.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::PermissionsExt,
    },
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{OFlag, openat, renameat},
    sys::stat::{Mode, mkdirat},
    unistd::{UnlinkatFlags, unlinkat},
};

use super::{HostRoot, OpenParentFolderAndName};

impl HostRoot {
    /// A file's content; `None` when there is none.
    pub fn read_file_if_exists(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(mut file) = none_if_absent(self.open_file(path))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// A file's text; `None` when there is none.
    pub fn read_text_file_if_exists(&self, path: &str) -> io::Result<Option<String>> {
        let Some(bytes) = self.read_file_if_exists(path)? else { return Ok(None) };
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
        String::from_utf8(bytes).map(Some).map_err(wrong)
    }

    /// Replaces a file whole; the folders above it are made where there are none.
    pub fn replace_file(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.handle_to_write(path)?.replace_entry_by_file(bytes, (None, None), mode)
    }

    /// The same with what `write` writes; nothing is replaced when it fails. `failed` makes an error of one
    /// of the file system.
    pub fn replace_file_by_writer<E>(
        &self,
        path: &str,
        mode: u32,
        write: impl FnOnce(&mut File) -> Result<(), E>,
        failed: impl Fn(io::Error) -> E,
    ) -> Result<(), E> {
        let handle = self.handle_to_write(path).map_err(&failed)?;
        handle.write_and_replace_entry((None, None), mode, write, failed)
    }

    /// Removes a file; it need not be there.
    pub fn remove_file_if_exists(&self, path: &str) -> io::Result<()> {
        let Some(handle) = none_if_absent(self.open_parent_folder(path))? else { return Ok(()) };
        match unlinkat(handle.folder.as_fd(), handle.name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => handle.sync_folder(),
            Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a file another name in its folder.
    pub fn rename_file_in_its_folder(&self, path: &str, name: &str) -> io::Result<()> {
        let handle = self.open_parent_folder(path)?;
        renameat(handle.folder.as_fd(), handle.name, handle.folder.as_fd(), name)?;
        handle.sync_folder()
    }

    /// The names in a folder, sorted; none when there is no folder.
    pub fn list_folder_or_empty(&self, path: &str) -> io::Result<Vec<String>> {
        let Some(folder) = none_if_absent(self.open_folder(path))? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in Dir::from_fd(folder)?.iter() {
            let entry = entry?;
            let name = entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | ".."));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Makes a folder that only its owner can look into. The folders above it are everybody's.
    pub fn create_private_folder(&self, path: &str) -> io::Result<()> {
        let handle = self.handle_to_write(path)?;
        match mkdirat(handle.folder.as_fd(), handle.name, Mode::from_bits_truncate(0o700)) {
            Ok(()) => handle.sync_folder(),
            // A link to a folder inside the root is one.
            Err(Errno::EEXIST) => self.open_folder(path).map(drop),
            Err(error) => Err(error.into()),
        }
    }

    /// When a file was last changed or touched, in microseconds since 1970; `None` when there is none.
    pub fn modification_time_us(&self, path: &str) -> io::Result<Option<i64>> {
        let Some(file) = none_if_absent(self.open_file(path))? else { return Ok(None) };
        let modified = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Some(i64::try_from(modified.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Sets when a file was last touched; makes an empty one where there is none.
    pub fn touch_or_create_file(&self, path: &str, at_us: i64) -> io::Result<()> {
        let at: SystemTime = UNIX_EPOCH + Duration::from_micros(u64::try_from(at_us).unwrap_or(0));
        self.open_own_file_for_writing(path, OFlag::O_CREAT | OFlag::O_APPEND)?.set_modified(at)
    }

    /// Where a file or folder of the host lies on this machine, without a link in it that could lead out.
    /// For programs and libraries that need a path; what is here needs none.
    pub fn canonical_path_on_this_machine(&self, path: &str) -> io::Result<PathBuf> {
        let open = self.resolve(path, OFlag::O_PATH)?;
        fs::read_link(format!("/proc/self/fd/{}", open.as_raw_fd()))
    }

    /// Opens a file of punch's own to be read and written; a link is not followed.
    pub(crate) fn open_own_file_for_writing(&self, path: &str, flags: OFlag) -> io::Result<File> {
        let handle = self.handle_to_write(path)?;
        let flags = flags | OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = openat(handle.folder.as_fd(), handle.name, flags, Mode::from_bits_truncate(0o600))?;
        Ok(file.into())
    }

    /// The handle of a path that is about to be made; the root itself is made where there is none.
    fn handle_to_write<'a>(&self, path: &'a str) -> io::Result<OpenParentFolderAndName<'a>> {
        match self.open_or_create_parent_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.root_path().exists() => (),
            opened => return opened,
        }
        fs::create_dir(self.root_path())?;
        // Whatever the umask, as for all folders above punch's own.
        fs::set_permissions(self.root_path(), fs::Permissions::from_mode(0o755))?;
        self.open_or_create_parent_folder(path)
    }
}

/// `None` for what is not there; not being able to look stays an error.
fn none_if_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(there) => Ok(Some(there)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn missing_root_has_no_files_and_is_created_by_the_first_write() {
        let above = tempfile::tempdir().unwrap();
        let root = HostRoot::new(&above.path().join("new"));
        assert_eq!(root.read_file_if_exists("/etc/x").unwrap(), None);
        assert_eq!(root.list_folder_or_empty("/etc").unwrap(), Vec::<String>::new());
        root.remove_file_if_exists("/etc/x").unwrap();
        assert!(!above.path().join("new").exists(), "reading creates nothing");
        root.replace_file("/etc/x", b"y", 0o600).unwrap();
        assert_eq!(root.read_text_file_if_exists("/etc/x").unwrap().as_deref(), Some("y"));
        assert_eq!(root.list_folder_or_empty("/etc").unwrap(), ["x"], "no temporary file is left");
        let mode = |path: &str| fs::metadata(above.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("new"), mode("new/etc"), mode("new/etc/x")), (0o755, 0o755, 0o600));
    }

    #[test]
    fn private_folder_is_closed_to_others_and_its_parents_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = HostRoot::new(folder.path());
        root.create_private_folder("/var/lib/punch").unwrap();
        root.create_private_folder("/var/lib/punch").unwrap();
        let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("var"), mode("var/lib"), mode("var/lib/punch")), (0o755, 0o755, 0o700));
    }

    #[test]
    fn real_path_follows_links_as_if_the_root_were_the_whole_machine() {
        let folder = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(at.join("data/var/lib")).unwrap();
        symlink("/data/var", at.join("var")).unwrap();
        symlink("../../../..", at.join("data/var/up")).unwrap();
        let root = HostRoot::new(&at);
        assert_eq!(root.canonical_path_on_this_machine("var/lib").unwrap(), at.join("data/var/lib"));
        assert_eq!(root.canonical_path_on_this_machine("var/up/data").unwrap(), at.join("data"));
        assert_eq!(
            root.canonical_path_on_this_machine("var/none").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn link_in_place_of_an_own_file_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("x"), "theirs").unwrap();
        symlink(outside.path().join("x"), folder.path().join("x")).unwrap();
        let root = HostRoot::new(folder.path());
        assert_eq!(root.read_file_if_exists("/x").unwrap(), None, "below the root there is no such file");
        assert!(root.touch_or_create_file("/x", 0).is_err());
        root.replace_file("/x", b"ours", 0o600).unwrap();
        assert_eq!(fs::read_to_string(outside.path().join("x")).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(folder.path().join("x")).unwrap(), "ours");
    }

    #[test]
    fn touched_file_has_the_given_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = HostRoot::new(folder.path());
        assert_eq!(root.modification_time_us("/a/b").unwrap(), None);
        root.touch_or_create_file("/a/b", 5_000_000).unwrap();
        assert_eq!(root.modification_time_us("/a/b").unwrap(), Some(5_000_000));
    }
}
