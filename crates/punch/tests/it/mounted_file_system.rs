//! File systems of a test's own, below its folder: small ones, full ones, ones that lose the power.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use crate::skip::skip;

/// Ends all work of an ext4 file system at once, without flushing anything, the journal included: `EXT4_IOC_SHUTDOWN` with
/// `EXT4_GOING_FLAGS_NOLOGFLUSH` of <linux/fs.h>. In Python, because a system call of this kind is not safe Rust.
const SHUT_DOWN: &str = "import fcntl, os, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, (2).to_bytes(4, sys.byteorder))";

/// What takes the space of a disk.
const BALLAST: &str = "lost+found";

/// A file system that is mounted until it is dropped.
pub(crate) struct MountedFileSystem {
    folder: PathBuf,
    /// The file that holds it; none for one in memory.
    image: Option<PathBuf>,
}

impl MountedFileSystem {
    /// A file system of 64 KiB, in which a larger file cannot be written.
    pub(crate) fn mount_small(folder: &Path) -> Option<Self> {
        Self::mount_tmpfs(folder, "64k")
    }

    /// A file system in memory.
    pub(crate) fn mount_tmpfs(folder: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let options = format!("size={size},mode=0755");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            skip("a small file system cannot be mounted here");
            return None;
        }
        Some(Self { folder: folder.to_owned(), image: None })
    }

    /// A file system in the new file `image`.
    #[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
    pub(crate) fn mount_ext4_image(folder: &Path, image: &Path) -> Option<Self> {
        // A kernel without them gets them by no package: this is said, and no failure.
        if !Command::new("losetup").arg("--find").output().is_ok_and(|output| output.status.success()) {
            println!("skipped: there are no loop devices here");
            return None;
        }
        fs::create_dir_all(folder).unwrap();
        File::create(image).unwrap().set_len(64 << 20).unwrap();
        let made = Command::new("mkfs.ext4").arg("-q").arg(image).status();
        assert!(made.unwrap().success());
        let mounted = Self { folder: folder.to_owned(), image: Some(image.to_owned()) };
        mounted.mount_image();
        Some(mounted)
    }

    fn mount_image(&self) {
        let image = self.image.as_ref().unwrap();
        let mount = Command::new("mount").args(["-o", "loop"]).arg(image).arg(&self.folder).output().unwrap();
        assert!(mount.status.success(), "{mount:?}");
    }

    /// Takes all space but so many bytes.
    pub(crate) fn fill_leaving(&self, bytes: u64) {
        let ballast = self.folder.join(BALLAST);
        fs::create_dir(&ballast).unwrap();
        let free = nix::sys::statvfs::statvfs(&self.folder).unwrap();
        let free = free.blocks_available() * free.fragment_size();
        let file = File::create(ballast.join("ballast")).unwrap();
        let taken = i64::try_from(free.saturating_sub(bytes)).unwrap();
        nix::fcntl::posix_fallocate(&file, 0, taken).unwrap();
    }

    /// There is space again.
    pub(crate) fn free_again(&self) {
        fs::remove_dir_all(self.folder.join(BALLAST)).unwrap();
    }

    /// All that was written is on the disk.
    pub(crate) fn flush(&self) {
        let status = Command::new("sync").arg("-f").arg(&self.folder).status();
        assert!(status.unwrap().success());
    }

    /// From now on nothing is written any more, and what was not flushed is lost.
    pub(crate) fn cut_power(&self) {
        let cut = Command::new("python3").args(["-c", SHUT_DOWN]).arg(&self.folder).output().unwrap();
        assert!(cut.status.success(), "{cut:?}");
    }

    /// Mounts what is on the disk after the power was lost.
    pub(crate) fn mount_again(&mut self) {
        self.unmount();
        self.mount_image();
    }

    /// Unmounts it, as soon as processes that were killed are gone.
    fn unmount(&self) {
        for _ in 0..100 {
            let unmounted = Command::new("umount").arg(&self.folder).output();
            if unmounted.is_ok_and(|output| output.status.success()) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for MountedFileSystem {
    fn drop(&mut self) {
        self.unmount();
    }
}
