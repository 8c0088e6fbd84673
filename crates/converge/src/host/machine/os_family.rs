//! The family of a host's distribution.

use std::io::Read;

use model::observe::OsFamily;

use crate::host_root::HostRoot;

/// The family of the distribution under a root: from os-release, and only then from its package tools,
/// as the tools of one family can be installed on the other.
pub(super) fn detect_os_family(root: &HostRoot) -> Option<OsFamily> {
    let mut text = String::new();
    if let Ok(file) = root.open_file("/etc/os-release") {
        // Without os-release, the package tools decide.
        let _ = file.take(64 * 1024).read_to_string(&mut text);
    }
    let like = text.lines().filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
    let words: Vec<&str> = like.flat_map(|value| value.trim_matches(['"', '\'']).split(' ')).collect();
    let is = |kin: &[&str]| words.iter().any(|word| kin.contains(word));
    if is(&["debian", "ubuntu"]) {
        Some(OsFamily::Deb)
    } else if is(&["rhel", "fedora", "centos", "suse", "opensuse", "sles", "amzn"]) {
        Some(OsFamily::Rpm)
    } else {
        root.exists("/var/lib/dpkg/status").unwrap_or(false).then_some(OsFamily::Deb)
    }
}
