//! Which control plane serves: one for each data folder and for each port, and which one it is when another comes.

use std::{
    fs::{self, File, TryLockError},
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{command_error::GeppettoCommandError, data_folder::DataFolder};

/// Held by the control plane that serves from a data folder, and released by the kernel when it ends, however it ends.
#[derive(Debug)]
pub(crate) struct ServingLock {
    _folder: Option<File>,
}

impl ServingLock {
    /// Refuses a data folder that another control plane serves from. `None` if there is no such folder yet.
    pub(crate) fn acquire_if_folder_exists(data: &DataFolder) -> Result<Option<Self>, GeppettoCommandError> {
        // One that cannot be opened is reported when it is used.
        let Ok(folder) = File::open(data.folder_path()) else { return Ok(None) };
        match folder.try_lock() {
            Ok(()) => Ok(Some(Self { _folder: Some(folder) })),
            Err(TryLockError::WouldBlock) => Err(served_already_error(data)),
            // Some network file systems have no locks: the socket in the folder tells, too.
            Err(TryLockError::Error(_)) => Ok(Some(Self { _folder: None })),
        }
    }
}

fn served_already_error(data: &DataFolder) -> GeppettoCommandError {
    let folder = data.folder_path();
    let pid = find_process(|pid| holds_folder(pid, folder)).map(|pid| format!(", pid {pid}"));
    let url = fs::read_to_string(data.url_file_path()).ok().map(|url| format!(", at {}", url.trim()));
    GeppettoCommandError::invalid_input_error(format!(
        "another control plane serves from this data folder, `{}`{}{}",
        folder.display(),
        pid.unwrap_or_default(),
        url.unwrap_or_default()
    ))
    .with_hint("end it, or give this one a folder of its own with --data DIR")
}

/// Who listens on an address, as far as this user may know: `another control plane (pid 123, data folder /srv/geppetto)`.
pub(crate) fn describe_listener(address: SocketAddr) -> String {
    let unknown = "another program".to_owned();
    let Some(pid) = socket_of_listener(address)
        .and_then(|socket| find_process(|pid| open_files(pid).any(|file| file.to_str() == Some(&*socket))))
    else {
        return unknown;
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() != "geppetto" {
        return format!("another program ({}, pid {pid})", name.trim());
    }
    let is_data_folder = |path: &PathBuf| path.join(crate::data_folder::URL_FILE).is_file();
    match open_files(pid).find(is_data_folder) {
        Some(folder) => format!("another control plane (pid {pid}, data folder {})", folder.display()),
        None => format!("another control plane (pid {pid})"),
    }
}

/// What the descriptors of a process are open on.
fn open_files(pid: u32) -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok())
}

fn holds_folder(pid: u32, folder: &Path) -> bool {
    let Ok(wanted) = fs::metadata(folder) else { return false };
    pid != std::process::id()
        && open_files(pid).any(|file| {
            fs::metadata(&file).is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
        })
}

/// The first process of which this holds.
fn find_process(is_wanted: impl Fn(u32) -> bool) -> Option<u32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid| is_wanted(*pid))
}

/// The socket that listens on an address, as descriptors name it: `socket:[12345]`. A listener on all addresses of the port
/// is one, too (proc(5), /proc/net/tcp).
fn socket_of_listener(address: SocketAddr) -> Option<String> {
    const LISTENING: &str = "0A";
    let port = format!("{:04X}", address.port());
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
            let listens = local_port == port && *fields.get(3)? == LISTENING;
            listens.then(|| Some(format!("socket:[{}]", fields.get(9)?)))?
        })
    })
}
