//! Walks to a folder part by part, and stops where somebody could lead the way elsewhere.
//!
//! Every folder is opened first and judged by what was opened, and no link is followed by the kernel: what is
//! decided about an open folder stays true whatever is done to its path afterwards. Links are followed only
//! when root made them, in folders that only root can change.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, mkdirat},
};

use super::{
    HostRoot,
    folder_protection::{FolderChangers, PathTrust, who_can_change_folder},
    resolve_path::{MAX_SYMLINKS_IN_PATH, path_parts},
};

/// How many folders are kept open at most.
const MOST_CACHED_FOLDERS: usize = 200;

/// A folder that a walk came to.
#[derive(Debug, Clone)]
pub(crate) enum WalkedFolder {
    /// Only root, or who runs punch, can change it and the way to it.
    Protected(ProtectedFolder),
    /// It is, or lies in, a folder that one user can change.
    OfUser(UserFolder),
}

/// A folder that only root, or who runs punch, can change, with those above it.
#[derive(Debug, Clone)]
pub(crate) struct ProtectedFolder {
    /// The folders above it, from the root on.
    above: Vec<PassedFolder>,
    itself: PassedFolder,
}

#[derive(Debug, Clone)]
struct PassedFolder {
    open: Arc<OwnedFd>,
    name: Arc<str>,
}

/// The first folder on a way that a user can change.
#[derive(Debug, Clone)]
pub(crate) struct UserFolder {
    /// It, open.
    pub(crate) open: Arc<OwnedFd>,
    /// Its real path.
    pub(crate) path: String,
    /// Whose it is.
    pub(crate) uid: u32,
    /// The way from it to the folder that was asked for.
    pub(crate) below: Vec<String>,
}

/// Why a walk came to no folder.
#[derive(Debug)]
pub(crate) enum FolderWalkError {
    /// The file system says no.
    File(io::Error),
    /// Somebody could lead the way elsewhere.
    Unsafe(UnsafeFolder),
}

/// What somebody other than root could use to lead punch elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct UnsafeFolder {
    /// The real path of a folder that more than one user can change, or of a user's link.
    pub(crate) path: String,
    /// Who can do what, and what to do about it.
    pub(crate) because: String,
    /// Whose it is, of a folder.
    pub(crate) ownership: Option<FolderOwnership>,
}

/// The owner, group and permission bits of a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FolderOwnership {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
}

impl From<FileStat> for FolderOwnership {
    fn from(stat: FileStat) -> Self {
        Self { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }
}

impl From<io::Error> for FolderWalkError {
    fn from(error: io::Error) -> Self {
        FolderWalkError::File(error)
    }
}
impl From<Errno> for FolderWalkError {
    fn from(error: Errno) -> Self {
        FolderWalkError::File(error.into())
    }
}

/// The folders that walks came to, kept open: what was looked at is what is written to.
#[derive(Debug, Default)]
pub(crate) struct WalkedFolderCache {
    folders: RefCell<BTreeMap<String, WalkedFolder>>,
    /// Why nothing in a folder can be replaced, if so, by the folder's path.
    immutable: RefCell<BTreeMap<String, Option<&'static str>>>,
}

impl WalkedFolderCache {
    /// Forgets all folders: what lies at their paths may be something else now.
    pub(crate) fn clear(&self) {
        self.folders.borrow_mut().clear();
        self.immutable.borrow_mut().clear();
    }

    /// The folder at this very path, if a walk came to it.
    pub(crate) fn find_exact_folder(&self, path: &str) -> Option<WalkedFolder> {
        self.folders.borrow().get(path).cloned()
    }

    /// Why nothing in the folder at this path can be replaced, if so; asked once.
    pub(crate) fn reason_immutable_asked_once(
        &self,
        path: &str,
        ask: impl FnOnce() -> Option<&'static str>,
    ) -> Option<&'static str> {
        if let Some(known) = self.immutable.borrow().get(path) {
            return *known;
        }
        let because = ask();
        let mut immutable = self.immutable.borrow_mut();
        if immutable.len() >= MOST_CACHED_FOLDERS {
            immutable.clear();
        }
        immutable.insert(path.to_owned(), because);
        because
    }

    /// The nearest known folder at or above a path, with the length of its own path.
    fn nearest(&self, path: &str) -> Option<(usize, WalkedFolder)> {
        let folders = self.folders.borrow();
        let mut above = path;
        loop {
            if let Some(folder) = folders.get(above) {
                return Some((above.len(), folder.clone()));
            }
            above = above.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty())?;
        }
    }

    fn insert(&self, path: &str, folder: &WalkedFolder) {
        let mut folders = self.folders.borrow_mut();
        if folders.len() >= MOST_CACHED_FOLDERS {
            folders.clear();
        }
        folders.insert(path.to_owned(), folder.clone());
    }
}

impl WalkedFolder {
    /// The folder itself, unless a user made the way to it lead elsewhere.
    pub(crate) fn usable_folder(self) -> Result<Self, FolderWalkError> {
        match self {
            WalkedFolder::OfUser(folder) => folder_that_leads_down(folder),
            protected => Ok(protected),
        }
    }
}

impl ProtectedFolder {
    /// The folder itself, open.
    pub(crate) fn folder_descriptor(&self) -> Arc<OwnedFd> {
        self.itself.open.clone()
    }

    /// The real path of an entry.
    fn path_of_entry(&self, name: &str) -> String {
        let passed = self.above.iter().chain([&self.itself]).skip(1).map(|passed| &*passed.name);
        passed.chain([name]).fold(String::new(), |path, name| path + "/" + name)
    }

    fn enter(mut self, itself: PassedFolder) -> Self {
        self.above.push(self.itself);
        Self { above: self.above, itself }
    }

    /// The folder above; the root is above itself.
    fn leave(mut self) -> Self {
        match self.above.pop() {
            Some(itself) => Self { above: self.above, itself },
            None => self,
        }
    }

    fn root(self) -> Self {
        let root = self.above.into_iter().next().unwrap_or(self.itself);
        Self { above: Vec::new(), itself: root }
    }
}

impl HostRoot {
    /// Walks to the folder at `path`, an absolute path without `.` and `..`. Where `create` says so, folders
    /// that are missing are made, of mode 0755, as far as only root can change what they are made in.
    pub(crate) fn walk_to_folder(
        &self,
        path: &str,
        trust: &PathTrust<'_>,
        cache: &WalkedFolderCache,
        create: bool,
    ) -> Result<WalkedFolder, FolderWalkError> {
        let (mut length, mut here) = match cache.nearest(path) {
            Some(found) => found,
            None => (0, self.judged_root_folder(trust)?),
        };
        while let Some(part) = path[length..].split('/').find(|part| !part.is_empty()) {
            let folder = match here {
                WalkedFolder::OfUser(mut folder) => {
                    folder.below.extend(path_parts(&path[length..]));
                    return folder_that_leads_down(folder);
                }
                WalkedFolder::Protected(folder) => folder,
            };
            here = enter_folder(folder, part, trust, create)?;
            length = path.len() - path[length..].trim_start_matches('/').len() + part.len();
            cache.insert(&path[..length], &here);
        }
        here.usable_folder()
    }

    fn judged_root_folder(&self, trust: &PathTrust<'_>) -> Result<WalkedFolder, FolderWalkError> {
        let open = Arc::new(self.opened()?.folder.try_clone()?);
        judge_folder(None, open, "", trust)
    }

    /// The owner of the root folder.
    pub(crate) fn owner_of_root_folder(&self) -> io::Result<u32> {
        Ok(fstat(&self.opened()?.folder)?.st_uid)
    }
}

/// Goes on to one entry of a folder, links followed.
fn enter_folder(
    mut here: ProtectedFolder,
    name: &str,
    trust: &PathTrust<'_>,
    create: bool,
) -> Result<WalkedFolder, FolderWalkError> {
    let mut left = VecDeque::from([name.to_owned()]);
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            here = here.leave();
            continue;
        }
        let above = here.folder_descriptor();
        let open = match open_folder_without_following_link(&above, &name) {
            Err(Errno::ENOENT) if create && links == 0 => create_open_folder(&above, &name)?,
            // A link that leads nowhere: it is not ours to make what it names.
            Err(Errno::ENOENT) if create => return Err(Errno::ELOOP.into()),
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                let target = read_link_of_root(&above, &name, || here.path_of_entry(&name), trust)?;
                links += 1;
                if links > MAX_SYMLINKS_IN_PATH {
                    return Err(Errno::ELOOP.into());
                }
                if target.starts_with('/') {
                    here = here.root();
                }
                let mut ahead = path_parts(&target);
                ahead.append(&mut left);
                left = ahead;
                continue;
            }
            opened => opened?,
        };
        here = match judge_folder(Some(here), Arc::new(open), &name, trust)? {
            WalkedFolder::Protected(folder) => folder,
            WalkedFolder::OfUser(mut folder) => {
                folder.below.extend(left);
                return Ok(WalkedFolder::OfUser(folder));
            }
        };
    }
    Ok(WalkedFolder::Protected(here))
}

/// Nothing leads out of a user's folder: what is above it may have been moved.
fn folder_that_leads_down(folder: UserFolder) -> Result<WalkedFolder, FolderWalkError> {
    if folder.below.iter().all(|part| part != "..") {
        return Ok(WalkedFolder::OfUser(folder));
    }
    let because =
        format!("the way leads up again from {}, which a user can change; name it without `..`", folder.path);
    Err(FolderWalkError::Unsafe(UnsafeFolder { path: folder.path, because, ownership: None }))
}

fn judge_folder(
    above: Option<ProtectedFolder>,
    open: Arc<OwnedFd>,
    name: &str,
    trust: &PathTrust<'_>,
) -> Result<WalkedFolder, FolderWalkError> {
    let stat = fstat(&open)?;
    let path = || above.as_ref().map_or_else(|| "/".to_owned(), |above| above.path_of_entry(name));
    match who_can_change_folder(&open, &stat, trust) {
        FolderChangers::OnlyTrusted => {
            let itself = PassedFolder { open, name: name.into() };
            Ok(WalkedFolder::Protected(match above {
                Some(above) => above.enter(itself),
                None => ProtectedFolder { above: Vec::new(), itself },
            }))
        }
        FolderChangers::OneUser => {
            let path = path();
            Ok(WalkedFolder::OfUser(UserFolder { open, path, uid: stat.st_uid, below: Vec::new() }))
        }
        FolderChangers::Others { who, advice } => {
            let path = path();
            let because =
                format!("{who} can change {path}; {} if punch is to use it", advice.replace("PATH", &path));
            Err(FolderWalkError::Unsafe(UnsafeFolder { path, because, ownership: Some(stat.into()) }))
        }
    }
}

/// Opens a folder, and not what a link at its place leads to.
pub(crate) fn open_folder_without_following_link(above: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(above.as_fd(), name, flags | OFlag::O_RDONLY, Mode::empty()) {
        // It can be passed without being listed.
        Err(Errno::EACCES) => openat(above.as_fd(), name, flags | OFlag::O_PATH, Mode::empty()),
        opened => opened,
    }
}

fn create_open_folder(above: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(above, name, Mode::from_bits_truncate(0o755)) {
        Ok(()) => {
            let open = open_folder_without_following_link(above, name)?;
            // Whatever the umask: services must be able to reach what lies below.
            fchmod(&open, Mode::from_bits_truncate(0o755))?;
            Ok(open)
        }
        // Somebody else made it meanwhile.
        Err(Errno::EEXIST) => open_folder_without_following_link(above, name),
        Err(error) => Err(error),
    }
}

/// The target of a link that root made; an error when it is no link, or another user's.
fn read_link_of_root(
    above: &OwnedFd,
    name: &str,
    path: impl Fn() -> String,
    trust: &PathTrust<'_>,
) -> Result<String, FolderWalkError> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let open = openat(above.as_fd(), name, flags, Mode::empty())?;
    let stat = fstat(&open)?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFLNK {
        return Err(Errno::ENOTDIR.into());
    }
    if !trust.is_trusted(stat.st_uid) {
        let path = path();
        let owner = trust.accounts.name_or_number_of_user(stat.st_uid);
        let because =
            format!("{path} is a symbolic link that belongs to {owner}; remove it, or make it as root");
        return Err(FolderWalkError::Unsafe(UnsafeFolder { path, because, ownership: None }));
    }
    let target = readlinkat(&open, "")?;
    target.into_string().map_err(|_| io::Error::from(io::ErrorKind::InvalidData).into())
}
