//! The root of a host, `/` or the folder given with `--root`, and the only resolver of paths below it: a
//! symbolic link under `--root DIR` can never lead out of DIR, just as if DIR were `/`.

mod file_access_user;
mod folder_protection;
mod folder_walk;
mod own_files;
mod replace_file;
mod resolve_path;
mod temporary_files;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2},
    sys::stat::{FileStat, Mode, fchmod, fstatat, mkdirat},
};

pub(crate) use self::{
    file_access_user::FileAccessUser,
    folder_protection::{FolderAccounts, PathTrust},
    folder_walk::{
        FolderOwnership, FolderWalkError, UnsafeFolder, UserFolder, WalkedFolder, WalkedFolderCache,
        open_folder_without_following_link,
    },
    temporary_files::remove_temporary_files,
};

/// The root of a host. It is opened when it is first needed, and need not be there before.
#[derive(Debug, Clone)]
pub struct HostRoot {
    path: PathBuf,
    opened: OnceLock<Arc<OpenRoot>>,
}

/// A host's root folder, kept open.
#[derive(Debug)]
struct OpenRoot {
    folder: OwnedFd,
    way: PathResolution,
}

/// How paths are resolved inside the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathResolution {
    /// By the kernel's `openat2`.
    Kernel,
    /// The root is `/`: a plain `openat` suffices.
    Plain,
    /// Part by part, where the kernel cannot (before Linux 5.6, and where a sandbox forbids `openat2`).
    Walk,
}

/// A folder that is open, and the last part of a path in it.
pub(crate) struct OpenParentFolderAndName<'a> {
    pub(crate) folder: Arc<OwnedFd>,
    pub(crate) name: &'a str,
}

impl HostRoot {
    /// The root at `path`. Touches nothing.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: OnceLock::new() }
    }

    /// The root at `path`, which must be there.
    pub(crate) fn open_existing_root(path: &Path) -> io::Result<Self> {
        let root = Self::new(path);
        root.opened()?;
        Ok(root)
    }

    /// The root folder on this machine.
    pub fn root_path(&self) -> &Path {
        &self.path
    }

    /// A path of the host as people on this machine know it, for messages.
    pub fn display_path(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    /// A sentence about a path of the host, with where that is on this machine if it is elsewhere: below a root, people look
    /// for it there.
    pub fn with_path_on_this_machine(&self, sentence: &str, path: Option<&str>) -> String {
        match path {
            Some(path) if self.path != Path::new("/") => {
                format!("{sentence} ({path} is {})", self.display_path(path).display())
            }
            _ => sentence.to_owned(),
        }
    }

    fn opened(&self) -> io::Result<&OpenRoot> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = OpenRoot::open(&self.path)?;
        Ok(self.opened.get_or_init(|| Arc::new(opened)))
    }

    /// Opens the folder a path is in; the path's last part is not followed.
    pub(crate) fn open_parent_folder<'a>(&self, path: &'a str) -> io::Result<OpenParentFolderAndName<'a>> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(OpenParentFolderAndName { folder: Arc::new(self.open_folder(above)?), name })
    }

    /// The same, making the folders above where there are none.
    pub(crate) fn open_or_create_parent_folder<'a>(
        &self,
        path: &'a str,
    ) -> io::Result<OpenParentFolderAndName<'a>> {
        match self.open_parent_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            found => return found,
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut so_far = String::new();
        let mut folder = self.open_folder("")?;
        for part in above.split('/').filter(|part| !part.is_empty()) {
            so_far = format!("{so_far}/{part}");
            folder = match self.open_folder(&so_far) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let made = mkdirat(&folder, part, Mode::from_bits_truncate(0o755));
                    match (made, self.open_folder(&so_far)) {
                        (Ok(()), opened) => {
                            let opened = opened?;
                            // Whatever the umask: services must be able to reach what lies below.
                            fchmod(&opened, Mode::from_bits_truncate(0o755))?;
                            opened
                        }
                        // A link that leads nowhere: it is not ours to make what it names.
                        (Err(Errno::EEXIST), Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                            return Err(Errno::ELOOP.into());
                        }
                        // Somebody else made it meanwhile.
                        (Err(Errno::EEXIST), opened) => opened?,
                        (Err(error), _) => return Err(error.into()),
                    }
                }
                found => found?,
            };
        }
        Ok(OpenParentFolderAndName { folder: Arc::new(folder), name })
    }

    /// Opens a folder.
    pub(crate) fn open_folder(&self, path: &str) -> io::Result<OwnedFd> {
        self.resolve(path, OFlag::O_DIRECTORY | OFlag::O_RDONLY)
    }

    /// Opens a file for reading, links followed inside the root.
    pub(crate) fn open_file(&self, path: &str) -> io::Result<File> {
        Ok(self.resolve(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?.into())
    }

    /// Whether anything lies at a path, links followed inside the root. Not being able to look is an
    /// error, and never "nothing".
    pub(crate) fn exists(&self, path: &str) -> io::Result<bool> {
        match self.resolve(path, OFlag::O_PATH) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The first of `paths` at which something lies.
    pub(crate) fn first_existing_path(
        &self,
        paths: impl IntoIterator<Item = String>,
    ) -> io::Result<Option<String>> {
        for path in paths {
            if self.exists(&path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn resolve(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        self.opened()?.resolve(path, flags)
    }
}

impl OpenRoot {
    fn open(path: &Path) -> io::Result<Self> {
        let old = if path == Path::new("/") { PathResolution::Plain } else { PathResolution::Walk };
        let mut root = Self::open_in(path, PathResolution::Kernel)?;
        // Asked once: a kernel that cannot must not make everything look absent.
        match resolve_with_openat2(&root.folder, ".", OFlag::O_PATH) {
            Err(Errno::ENOSYS | Errno::EPERM) => root.way = old,
            answer => drop(answer?),
        }
        Ok(root)
    }

    fn open_in(path: &Path, way: PathResolution) -> io::Result<Self> {
        let folder: OwnedFd = File::options().read(true).open(path).and_then(folder)?.into();
        Ok(Self { folder, way })
    }

    fn resolve(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        let path = path.trim_start_matches('/');
        let path = if path.is_empty() { "." } else { path };
        match self.way {
            PathResolution::Kernel => Ok(resolve_with_openat2(&self.folder, path, flags)?),
            PathResolution::Plain => Ok(openat(&self.folder, path, flags | OFlag::O_CLOEXEC, Mode::empty())?),
            PathResolution::Walk => resolve_path::open_path_inside_root(&self.folder, path, flags),
        }
    }
}

fn resolve_with_openat2(root: &OwnedFd, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    loop {
        match openat2(root, path, how) {
            // The kernel asks to try again when a folder was renamed meanwhile.
            Err(Errno::EAGAIN | Errno::EINTR) => (),
            result => return result,
        }
    }
}

impl OpenParentFolderAndName<'_> {
    /// What lies there, a symbolic link not followed; `None` when nothing does.
    pub(crate) fn stat_without_following_link(&self) -> io::Result<Option<FileStat>> {
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

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Read,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    /// Both ways to resolve a path inside a root that is not `/`.
    fn both(root: &Path) -> [HostRoot; 2] {
        [PathResolution::Kernel, PathResolution::Walk].map(|way| {
            let opened = OpenRoot::open_in(root, way).unwrap();
            HostRoot { path: root.to_owned(), opened: Arc::new(opened).into() }
        })
    }

    fn read(root: &HostRoot, path: &str) -> io::Result<String> {
        let mut text = String::new();
        root.open_file(path)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn link_to_outside_resolves_inside_the_root() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "theirs").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("etc/sub")).unwrap();
        fs::write(at("etc/sub/file"), "ours").unwrap();
        symlink(outside.path().join("secret"), at("etc/away")).unwrap();
        symlink(outside.path(), at("etc/gone")).unwrap();
        symlink("../../../../../../etc/sub", at("etc/up")).unwrap();
        symlink("/etc/up/file", at("etc/sub/chain")).unwrap();
        symlink("round", at("etc/round")).unwrap();
        for root in both(folder.path()) {
            let kind = |path: &str| read(&root, path).unwrap_err().kind();
            assert_eq!(read(&root, "/etc/sub/file").unwrap(), "ours", "{root:?}");
            assert_eq!(read(&root, "/etc/up/../sub/chain").unwrap(), "ours", "{root:?}");
            assert_eq!(read(&root, "/../../etc/sub/./file").unwrap(), "ours", "{root:?}");
            assert_eq!(kind("/etc/away"), io::ErrorKind::NotFound, "{root:?}");
            assert_eq!(kind("/etc/gone/secret"), io::ErrorKind::NotFound, "{root:?}");
            assert_eq!(kind("/etc/sub/file/x"), io::ErrorKind::NotADirectory, "{root:?}");
            let error = read(&root, "/etc/round").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::ELOOP as i32), "{root:?}");
        }
    }

    #[test]
    fn exists_on_an_unresolvable_link_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        symlink("round", folder.path().join("round")).unwrap();
        for root in both(folder.path()) {
            assert!(root.exists("/file").unwrap());
            assert!(!root.exists("/none").unwrap());
            assert!(!root.exists("/file/below").unwrap());
            assert!(root.exists("/round").is_err(), "{root:?}");
        }
    }

    #[test]
    fn created_parent_directory_has_mode_0755() {
        let folder = tempfile::tempdir().unwrap();
        for (root, name) in both(folder.path()).into_iter().zip(["one", "two"]) {
            root.open_or_create_parent_folder(&format!("/{name}/conf/file")).unwrap();
            let mode = fs::metadata(folder.path().join(name).join("conf")).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o755);
        }
    }
}
