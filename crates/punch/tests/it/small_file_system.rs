//! A file system on which a run fails: a file is too large for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::skip::skip;

/// A file system of 64 KiB at a folder of the host, in which a larger file cannot be written.
pub(crate) struct SmallFileSystem {
    folder: PathBuf,
}

impl SmallFileSystem {
    pub(crate) fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs"])
            .arg(folder)
            .output();
        if !mount.is_ok_and(|output| output.status.success()) {
            skip("a small file system cannot be mounted here");
            return None;
        }
        Some(Self { folder: folder.to_owned() })
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.folder).status();
    }
}
