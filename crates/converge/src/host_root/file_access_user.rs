//! Work on files as a user of the host: the kernel then lets root do there only what that user may do himself.
//!
//! The work runs on a thread of its own, whose user, groups and capabilities for files are those of the user.
//! Linux keeps them for each thread; the real user of the thread stays root, so that the user cannot send it
//! signals or read its memory, as he could with a process of his own.

use std::{io, thread};

use nix::unistd::{geteuid, setfsgid, setfsuid};
use rustix::{
    fs::Gid,
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_thread_groups},
};

/// A user in whose folders root works only as that user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileAccessUser {
    /// The name, or the number of a user without a name, for messages.
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Further groups.
    pub(crate) groups: Vec<u32>,
}

impl FileAccessUser {
    /// Does `work` on files as this user. Who is not root can only work as himself.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        if !geteuid().is_root() || self.uid == 0 {
            return work();
        }
        let as_user = || {
            self.become_user_of_this_thread()?;
            work()
        };
        thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, as_user)?.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    fn become_user_of_this_thread(&self) -> io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        set_thread_groups(&groups)?;
        setfsgid(self.gid.into());
        // The capabilities to pass over permissions go with this.
        setfsuid(self.uid.into());
        // Both calls return what was there before, whether they succeeded or not.
        let now = (setfsuid(self.uid.into()).as_raw(), setfsgid(self.gid.into()).as_raw());
        if now != (self.uid, self.gid) {
            let because = format!("this process is not allowed to work as user {}", self.name);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, because));
        }
        let none = CapabilitySet::empty();
        Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt, chown},
    };

    use super::*;

    #[test]
    fn work_as_a_user_may_do_only_what_the_user_may_do() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let of_user = folder.path().join("of-user");
        let of_root = folder.path().join("of-root");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(&of_user).unwrap();
        chown(&of_user, Some(64_001), Some(64_001)).unwrap();
        fs::write(&of_root, "secret").unwrap();
        fs::set_permissions(&of_root, fs::Permissions::from_mode(0o600)).unwrap();
        let user = FileAccessUser { name: "vic".to_owned(), uid: 64_001, gid: 64_001, groups: vec![64_010] };
        let denied = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::PermissionDenied;
        assert!(denied(user.run(|| fs::read(&of_root).map(drop))));
        assert!(denied(user.run(|| fs::write(folder.path().join("new"), ""))));
        assert!(denied(user.run(|| chown(&of_root, Some(64_001), None))));
        user.run(|| fs::write(of_user.join("file"), "")).unwrap();
        user.run(|| chown(of_user.join("file"), None, Some(64_010))).unwrap();
        let made = fs::metadata(of_user.join("file")).unwrap();
        assert_eq!((made.uid(), made.gid()), (64_001, 64_010));
        // The other threads stay root.
        fs::read(&of_root).unwrap();
    }
}
