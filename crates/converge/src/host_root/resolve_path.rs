//! Resolves a path part by part inside a root, for kernels without `openat2`.
//!
//! Every folder on the way stays open on a stack, so that `..` goes back to what was really passed and
//! never above the root, and no link is ever followed by the kernel.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, readlinkat},
    sys::stat::{Mode, SFlag, fstatat},
};

/// How many links one path may have, as in the kernel.
pub(super) const MAX_SYMLINKS_IN_PATH: usize = 40;

/// Opens the file or folder at `path` inside `root`.
pub(super) fn open_path_inside_root(root: &OwnedFd, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
    let mut passed: Vec<OwnedFd> = Vec::new();
    let mut left = path_parts(path);
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            passed.pop();
            continue;
        }
        let here = passed.last().unwrap_or(root);
        let stat = fstatat(here.as_fd(), part.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        if kind == SFlag::S_IFLNK {
            links += 1;
            if links > MAX_SYMLINKS_IN_PATH {
                return Err(Errno::ELOOP.into());
            }
            let target = readlinkat(here.as_fd(), part.as_str())?;
            let target = target.into_string().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            if target.starts_with('/') {
                passed.clear();
            }
            let mut ahead = path_parts(&target);
            ahead.append(&mut left);
            left = ahead;
        } else if left.is_empty() {
            // The kernel looks again: what became a link meanwhile is an error.
            return Ok(openat(
                here.as_fd(),
                part.as_str(),
                flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?);
        } else {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            passed.push(openat(here.as_fd(), part.as_str(), flags, Mode::empty())?);
        }
    }
    // The path ended in the root, or in a folder reached by `..`.
    let here = passed.last().unwrap_or(root);
    Ok(openat(here.as_fd(), ".", flags | OFlag::O_CLOEXEC, Mode::empty())?)
}

pub(super) fn path_parts(path: &str) -> VecDeque<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}
