//! The files of an installed deployment.

use std::{fs, io::Read, os::fd::OwnedFd};

use model::{
    component::INSTALLED_COMPONENTS_FOLDER,
    deployment::{MAX_DEPLOYMENT_FILE_BYTES, MAX_DEPLOYMENT_TOTAL_BYTES},
    deployment_manifest::DeploymentFilesByPath,
    name::Name,
    observe::Observation,
};
use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use crate::{host::file_system_error_reason_with_advice, host_root::HostRoot};

/// The files of the installed deployment of `name`, by path within the component's folder.
pub(super) fn read_deployment_files_of_installed_component(
    root: &HostRoot,
    name: &Name,
) -> Observation<DeploymentFilesByPath> {
    let folder = format!("/{INSTALLED_COMPONENTS_FOLDER}/{name}");
    let mut files = DeploymentFilesByPath::new();
    let mut total = 0;
    let read =
        root.open_folder(&folder).and_then(|folder| read_folder(folder, "", 0, &mut files, &mut total));
    match read {
        Ok(()) if files.is_empty() => Observation::Absent,
        Ok(()) => Observation::Present(files),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Observation::Absent,
        Err(error) => Observation::Unreadable(format!(
            "cannot read {folder}: {}",
            file_system_error_reason_with_advice(&error)
        )),
    }
}

/// Reads the files of a folder and of those in it; no link is followed.
fn read_folder(
    folder: OwnedFd,
    prefix: &str,
    depth: usize,
    files: &mut DeploymentFilesByPath,
    total: &mut u64,
) -> std::io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    for entry in Dir::from_fd(folder.try_clone()?)?.iter() {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")) else {
            continue;
        };
        let opened = match openat(&folder, name, flags, Mode::empty()) {
            Err(Errno::ELOOP) => continue,
            opened => fs::File::from(opened?),
        };
        let name = format!("{prefix}{name}");
        let kind = opened.metadata()?.file_type();
        if kind.is_dir() && depth < 16 {
            read_folder(opened.into(), &format!("{name}/"), depth + 1, files, total)?;
        } else if kind.is_file() {
            let mut bytes = Vec::new();
            opened.take(MAX_DEPLOYMENT_FILE_BYTES + 1).read_to_end(&mut bytes)?;
            *total += bytes.len() as u64;
            if bytes.len() as u64 > MAX_DEPLOYMENT_FILE_BYTES || *total > MAX_DEPLOYMENT_TOTAL_BYTES {
                return Err(std::io::Error::other(format!("{name} has more than a deployment may have")));
            }
            files.insert(name, bytes);
        }
    }
    Ok(())
}
