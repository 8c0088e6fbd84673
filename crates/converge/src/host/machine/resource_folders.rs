//! Opens the folders that resources lie in, as far as that is safe.
//!
//! Root works only where nobody else can lead it astray. In a folder that a user owns only what belongs to
//! that user is made, as that user: the kernel allows no more than he may do himself. No link is followed there.

use std::{collections::BTreeMap, io, os::fd::OwnedFd, path::Path, sync::Arc};

use model::resource::{Ownership, Resource, ResourceBody};
use nix::{
    errno::Errno,
    sys::stat::{Mode, fchmod, fstat, mkdirat},
    unistd::geteuid,
};

use super::account_database::AccountDatabase;
use crate::{
    host::{HostError, file_system_error_reason_with_advice},
    host_root::{
        FileAccessUser, FolderOwnership, FolderWalkError, HostRoot, OpenParentFolderAndName, PathTrust,
        UnsafeFolder, UserFolder, WalkedFolder, WalkedFolderCache, open_folder_without_following_link,
    },
};

/// Who works on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActingUser {
    /// Root, or who runs punch.
    Root,
    /// The user the resource belongs to.
    Owner(u32),
    /// The user the resource belongs to, who is not there yet.
    UnknownOwner,
    /// Whoever owns the folder: it makes or removes nothing there that he could not.
    OwnerOfFolder,
}

/// The folders of a host that resources lie in.
pub(super) struct ResourceFolders<'a> {
    pub(super) root: &'a HostRoot,
    pub(super) accounts: &'a AccountDatabase,
    pub(super) cache: &'a WalkedFolderCache,
}

/// The entry of an open folder at which a resource lies.
pub(super) struct OpenResourceEntry<'a> {
    pub(super) spot: OpenParentFolderAndName<'a>,
    /// The user whose folder it is in, and who works there.
    pub(super) user: Option<FileAccessUser>,
}

impl ActingUser {
    /// Who works on a resource that is described like this, or no longer described.
    pub(super) fn of_resource(described: Option<&Resource>, accounts: &AccountDatabase) -> Self {
        let Some(resource) = described.filter(|resource| resource.present) else {
            return ActingUser::OwnerOfFolder;
        };
        match (&resource.body, resource.body.ownership()) {
            (_, Some(ownership)) => Self::of_owner(ownership, accounts),
            (ResourceBody::Symlink(_), None) => ActingUser::OwnerOfFolder,
            _ => ActingUser::Root,
        }
    }

    /// A user works on his own.
    pub(super) fn of_uid(uid: u32) -> Self {
        if uid == 0 { ActingUser::Root } else { ActingUser::Owner(uid) }
    }

    fn of_owner(ownership: &Ownership, accounts: &AccountDatabase) -> Self {
        match ownership.owner.as_deref().map(|name| accounts.lookup_or_parse_uid(name)) {
            None => ActingUser::Root,
            Some(Ok(uid)) => Self::of_uid(uid),
            Some(Err(_)) => ActingUser::UnknownOwner,
        }
    }
}

impl OpenResourceEntry<'_> {
    /// Does work on the entry, in a user's folder as that user.
    pub(super) fn work<T: Send>(
        &self,
        work: impl FnOnce(&OpenParentFolderAndName<'_>) -> io::Result<T> + Send,
    ) -> io::Result<T> {
        match &self.user {
            Some(user) => user.run(|| work(&self.spot)),
            None => work(&self.spot),
        }
    }

    /// Why work on the entry failed, and what to do.
    pub(super) fn reason(&self, error: &io::Error) -> String {
        match &self.user {
            Some(user) => reason_user_failed(user, error),
            None => file_system_error_reason_with_advice(error),
        }
    }

    /// The error of work on the entry. What fails in a user's folder can be that user's doing.
    pub(super) fn entry_error(&self, what: &'static str, path: &str, error: &io::Error) -> HostError {
        match &self.user {
            None => HostError::from_io_error(what, path, error),
            Some(_) => HostError::UnsafePath {
                path: path.to_owned(),
                because: format!("{what} it: {}", self.reason(error)),
            },
        }
    }
}

/// Why work as `user` failed.
fn reason_user_failed(user: &FileAccessUser, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "it lies in a folder of user {name} and is worked on as {name}, who may not do that; look at the owners and modes there",
            name = user.name
        ),
        _ => file_system_error_reason_with_advice(error),
    }
}

impl ResourceFolders<'_> {
    /// Opens the folder that `path` is in to look at what is there; `None` when there is no such folder.
    pub(super) fn open_parent_to_observe<'p>(
        &self,
        path: &'p str,
        acting: ActingUser,
    ) -> Result<Option<OpenResourceEntry<'p>>, FolderWalkError> {
        match self.open(path, acting, None, false) {
            Err(FolderWalkError::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Opens the folder that `path` is in to make or change what is there, and makes it where there is none.
    pub(super) fn open_or_create_parent<'p>(
        &self,
        path: &'p str,
        acting: ActingUser,
    ) -> Result<OpenResourceEntry<'p>, HostError> {
        self.open_to_write_with_group(path, acting, None)
    }

    /// The same for what shall belong to `group`, which the user of a folder need not be in: root gives it.
    pub(super) fn open_to_write_with_group<'p>(
        &self,
        path: &'p str,
        acting: ActingUser,
        group: Option<u32>,
    ) -> Result<OpenResourceEntry<'p>, HostError> {
        self.open(path, acting, group, true)
            .map_err(|error| host_error_from_walk_error("cannot write", path, error))
    }

    /// An error unless only root can change the folder at `path` and the way to it. It need not be there.
    pub(super) fn require_protected_folder(&self, path: &str) -> Result<(), HostError> {
        match self.walk_to_folder(path, false) {
            Ok(WalkedFolder::Protected(_)) => Ok(()),
            Ok(WalkedFolder::OfUser(folder)) => {
                let error = self.refuse(&folder, ActingUser::Root);
                Err(host_error_from_walk_error("cannot use", path, error))
            }
            Err(FolderWalkError::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(host_error_from_walk_error("cannot use", path, error)),
        }
    }

    /// Walks to a folder, and makes it and those above it where there are none.
    pub(super) fn walk_to_folder(&self, path: &str, create: bool) -> Result<WalkedFolder, FolderWalkError> {
        match self.cache.find_exact_folder(path) {
            Some(known) => known.usable_folder(),
            None => self.root.walk_to_folder(path, &self.trust()?, self.cache, create),
        }
    }

    fn open<'p>(
        &self,
        path: &'p str,
        acting: ActingUser,
        group: Option<u32>,
        create: bool,
    ) -> Result<OpenResourceEntry<'p>, FolderWalkError> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.walk_to_folder(above, create)? {
            WalkedFolder::Protected(folder) => {
                let spot = OpenParentFolderAndName { folder: folder.folder_descriptor(), name };
                Ok(OpenResourceEntry { spot, user: None })
            }
            WalkedFolder::OfUser(user) => {
                match acting {
                    ActingUser::OwnerOfFolder => (),
                    ActingUser::Owner(uid) if uid == user.uid => (),
                    _ => return Err(self.refuse(&user, acting)),
                }
                let acts = self.accounts.file_access_user(user.uid, group);
                let folder = open_below_user_folder(&user, &acts, create)?;
                Ok(OpenResourceEntry { spot: OpenParentFolderAndName { folder, name }, user: Some(acts) })
            }
        }
    }

    fn trust(&self) -> io::Result<PathTrust<'_>> {
        users_trusted_with_paths(self.root, self.accounts)
    }

    /// Why nobody but its owner may have something in a folder.
    fn refuse(&self, folder: &UserFolder, acting: ActingUser) -> FolderWalkError {
        let user = self.accounts.user_name_or_number(folder.uid);
        let path = &folder.path;
        let whose = match acting {
            ActingUser::Owner(uid) => format!("what belongs to {}", self.accounts.user_name_or_number(uid)),
            _ => "what belongs to root".to_owned(),
        };
        let because = format!(
            "{user} can change {path}, and {whose} cannot be kept safe there; give it `owner: {user}`, or put it elsewhere"
        );
        let ownership = fstat(&folder.open).ok().map(FolderOwnership::from);
        FolderWalkError::Unsafe(UnsafeFolder { path: path.clone(), because, ownership })
    }
}

/// An error unless only root can change a folder of punch's own and the way to it. It need not be there.
pub(crate) fn require_protected_folder_below_root(root: &HostRoot, path: &str) -> Result<(), HostError> {
    let accounts = AccountDatabase::read_passwd_and_group(root, root.root_path() == Path::new("/"));
    let cache = WalkedFolderCache::default();
    ResourceFolders { root, accounts: &accounts, cache: &cache }.require_protected_folder(path)
}

/// Whom a walk on a host trusts: root, who runs punch, and who made a folder that stands for a host.
pub(super) fn users_trusted_with_paths<'a>(
    root: &HostRoot,
    accounts: &'a AccountDatabase,
) -> io::Result<PathTrust<'a>> {
    let mut uids = vec![0, geteuid().as_raw()];
    if accounts.is_of_alternate_root() {
        uids.push(root.owner_of_root_folder()?);
    }
    Ok(PathTrust { uids, accounts })
}

/// Opens what lies below a user's folder, as that user; nothing there is followed, and all of it is the user's
/// or root's.
fn open_below_user_folder(
    folder: &UserFolder,
    user: &FileAccessUser,
    create: bool,
) -> Result<Arc<OwnedFd>, FolderWalkError> {
    let mut here = folder.open.clone();
    let mut path = folder.path.clone();
    let refused = |path: String, because: String, ownership| {
        FolderWalkError::Unsafe(UnsafeFolder { path, because, ownership })
    };
    for part in &folder.below {
        let above = std::mem::take(&mut path);
        path = format!("{above}/{part}");
        let opened = user.run(|| open_or_create_folder_of_user(&here, part, create));
        let open = match opened {
            Ok(open) => open,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => return Err(error.into()),
            Err(error)
                if matches!(
                    error.raw_os_error().map(Errno::from_raw),
                    Some(Errno::ENOTDIR | Errno::ELOOP)
                ) =>
            {
                let because =
                    format!("{path} is no folder, or a symbolic link, and a user can change that; remove it");
                return Err(refused(path, because, None));
            }
            Err(error) => {
                let because = format!("cannot open {path}: {}", reason_user_failed(user, &error));
                return Err(refused(above, because, Some(fstat(&here)?.into())));
            }
        };
        let stat = fstat(&open)?;
        if stat.st_uid != user.uid && stat.st_uid != 0 {
            let because =
                format!("{path} belongs to user {}, and lies in a folder of user {}", stat.st_uid, user.uid);
            return Err(refused(path, because, Some(stat.into())));
        }
        here = Arc::new(open);
    }
    Ok(here)
}

fn open_or_create_folder_of_user(above: &OwnedFd, name: &str, create: bool) -> io::Result<OwnedFd> {
    match open_folder_without_following_link(above, name) {
        Err(Errno::ENOENT) if create => {
            mkdirat(above, name, Mode::from_bits_truncate(0o700))?;
            let open = open_folder_without_following_link(above, name)?;
            // Whatever the umask.
            fchmod(&open, Mode::from_bits_truncate(0o755))?;
            Ok(open)
        }
        opened => Ok(opened?),
    }
}

/// The error of a change.
pub(super) fn host_error_from_walk_error(
    what: &'static str,
    path: &str,
    error: FolderWalkError,
) -> HostError {
    match error {
        FolderWalkError::File(error) => HostError::from_io_error(what, path, &error),
        FolderWalkError::Unsafe(unsafe_folder) => {
            HostError::UnsafePath { path: path.to_owned(), because: unsafe_folder.because }
        }
    }
}

/// Whether one of the described directories takes away what makes a folder unsafe: it is applied before what
/// lies in it.
pub(super) fn is_about_to_be_made_safe(
    folder: &UnsafeFolder,
    directories: &BTreeMap<&str, &Ownership>,
    accounts: &AccountDatabase,
) -> bool {
    let (Some(wanted), Some(seen)) = (directories.get(folder.path.as_str()), folder.ownership) else {
        return false;
    };
    let differs = |wanted: Option<Result<u32, HostError>>, seen: u32| match wanted {
        Some(Ok(wanted)) => wanted != seen,
        // An account that comes with this run.
        Some(Err(_)) => true,
        None => false,
    };
    let owner = wanted.owner.as_deref().map(|name| accounts.lookup_or_parse_uid(name));
    let group = wanted.group.as_deref().map(|name| accounts.lookup_or_parse_gid(name));
    differs(owner, seen.uid) || differs(group, seen.gid) || wanted.mode.is_some_and(|mode| mode != seen.mode)
}
