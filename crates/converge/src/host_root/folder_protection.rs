//! Who can change a folder: make, rename and remove what lies in it.

use std::os::fd::{AsFd, OwnedFd};

use nix::sys::stat::FileStat;
use rustix::io::Errno;

/// The permission to write of the owning group (with an access control list: of everybody named there).
const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// Entries can only be renamed and removed by their owners.
const STICKY: u32 = 0o1000;

/// Users and groups of a host, as far as the judgement of folders needs them.
pub(crate) trait FolderAccounts {
    /// The users who are in a group, by name, without those with these numbers.
    fn members_of_group_except(&self, gid: u32, uids: &[u32]) -> Vec<String>;
    /// The name of a user, or its number.
    fn name_or_number_of_user(&self, uid: u32) -> String;
    /// The name of a group, or its number.
    fn name_or_number_of_group(&self, gid: u32) -> String;
}

/// Whom a walk trusts.
pub(crate) struct PathTrust<'a> {
    /// The numbers of users who may lead the way: root, and who runs punch.
    pub(crate) uids: Vec<u32>,
    pub(crate) accounts: &'a dyn FolderAccounts,
}

impl PathTrust<'_> {
    pub(super) fn is_trusted(&self, uid: u32) -> bool {
        self.uids.contains(&uid)
    }
}

/// Who can change a folder.
pub(super) enum FolderChangers {
    /// Those who are trusted.
    OnlyTrusted,
    /// Its owner, and nobody else but those who are trusted.
    OneUser,
    /// Further users.
    Others {
        who: String,
        /// What to do about it, with `PATH` for the folder.
        advice: &'static str,
    },
}

/// Who can change the open folder with this `stat`.
pub(super) fn who_can_change_folder(
    folder: &OwnedFd,
    stat: &FileStat,
    trust: &PathTrust<'_>,
) -> FolderChangers {
    let trusted = trust.is_trusted(stat.st_uid);
    // Nobody can replace what belongs to root there, and what does not is judged when it is passed.
    if trusted && stat.st_mode & STICKY != 0 {
        return FolderChangers::OnlyTrusted;
    }
    if stat.st_mode & OTHERS_WRITE != 0 {
        return FolderChangers::Others { who: "every user".to_owned(), advice: "`chmod o-w PATH`" };
    }
    if stat.st_mode & GROUP_WRITE != 0 {
        if has_access_control_list(folder) {
            let who = "whoever its access control list names".to_owned();
            return FolderChangers::Others { who, advice: "`setfacl --remove-all PATH`" };
        }
        let mut except = trust.uids.clone();
        except.push(stat.st_uid);
        // Group 0 is trusted: distributions have only accounts without a login in it.
        let members = match stat.st_gid {
            0 => Vec::new(),
            gid => trust.accounts.members_of_group_except(gid, &except),
        };
        if !members.is_empty() {
            let group = trust.accounts.name_or_number_of_group(stat.st_gid);
            let who = format!("group {group} ({})", members.join(", "));
            return FolderChangers::Others { who, advice: "`chmod g-w PATH`" };
        }
    }
    if trusted { FolderChangers::OnlyTrusted } else { FolderChangers::OneUser }
}

/// Whether permissions are given to more users and groups than the mode shows. Not being able to look
/// counts as a yes.
fn has_access_control_list(folder: &OwnedFd) -> bool {
    // A list is longer than this, and is answered by ERANGE.
    let read = rustix::fs::fgetxattr(folder.as_fd(), c"system.posix_acl_access", &mut [0_u8; 1][..]);
    !matches!(read, Err(Errno::NODATA | Errno::NOTSUP))
}
