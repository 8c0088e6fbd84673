//! Where a path of a host lies on this machine: links are read as if the host's root were `/`.

use std::{
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// How many links one path may have, as in the kernel.
const MOST_LINKS: usize = 40;

/// The place of `path` under `root`, without a link in it that could lead out. What is not there yet is
/// appended as it is.
pub fn path_in_root(root: &Path, path: &str) -> io::Result<PathBuf> {
    if root == Path::new("/") {
        return Ok(root.join(path));
    }
    let mut below: Vec<OsString> = Vec::new();
    let mut left = path_parts(Path::new(path));
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            below.pop();
            continue;
        }
        let here: PathBuf = below.iter().fold(root.to_owned(), |path, part| path.join(part)).join(&part);
        match fs::read_link(&here) {
            Ok(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
                }
                if target.is_absolute() {
                    below.clear();
                }
                left.extend(path_parts(&target));
            }
            // No link, or nothing at all.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                below.push(part);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(below.iter().fold(root.to_owned(), |path, part| path.join(part)))
}

/// The parts of a path, the first one last.
fn path_parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<OsString> = parts.collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_read_as_if_the_root_were_the_whole_machine() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("data/var")).unwrap();
        symlink("/data/var", root.join("var")).unwrap();
        symlink("../../../..", root.join("data/var/up")).unwrap();
        symlink("/round", root.join("round")).unwrap();
        assert_eq!(path_in_root(root, "var/lib/x").unwrap(), root.join("data/var/lib/x"));
        assert_eq!(path_in_root(root, "var/up/etc").unwrap(), root.join("etc"));
        assert_eq!(path_in_root(root, "round/x").unwrap_err().raw_os_error(), Some(nix::libc::ELOOP));
    }
}
