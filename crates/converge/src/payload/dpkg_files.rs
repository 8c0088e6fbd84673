//! The files of Debian packages, read from dpkg's own lists: its query program is slow with many paths.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, BufReader},
};

use super::folder_lookup::FolderLookup;
use crate::host_root::HostRoot;

const LISTS: &str = "/var/lib/dpkg/info";
const DIVERSIONS: &str = "/var/lib/dpkg/diversions";

/// A file that one package moved aside to put its own in its place.
struct Diversion {
    from: String,
    to: String,
    /// The package; none where an administrator did it.
    by: Option<String>,
}

/// Which Debian packages the paths of `canonical` are of.
pub(crate) fn debian_packages_of_paths(
    root: &HostRoot,
    canonical: &BTreeSet<String>,
    folders: &mut FolderLookup<'_>,
) -> io::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let lists = root.list_folder_or_empty(LISTS)?;
    if lists.is_empty() || canonical.is_empty() {
        return Ok(owners);
    }
    let diversions = read_diversions(root, folders)?;
    // A diverted file is listed where it would be without the diversion.
    let diverted = diversions.iter().filter(|diversion| canonical.contains(&diversion.to));
    let wanted: BTreeSet<&str> = canonical
        .iter()
        .map(String::as_str)
        .chain(diverted.map(|diversion| diversion.from.as_str()))
        .collect();
    let names: BTreeSet<&str> = wanted.iter().map(|path| last_part(path)).collect();
    for list in &lists {
        let Some(package) = list.strip_suffix(".list") else { continue };
        let package = package.split(':').next().unwrap_or(package);
        for line in BufReader::new(root.open_file(&format!("{LISTS}/{list}"))?).split(b'\n') {
            // Paths that are not UTF-8 are no package's of ours.
            let Ok(line) = String::from_utf8(line?) else { continue };
            if !names.contains(last_part(&line)) {
                continue;
            }
            let listed = folders.path_with_canonical_parent(&line)?;
            let real = diversions
                .iter()
                .find(|diversion| diversion.from == listed && diversion.by.as_deref() != Some(package))
                .map_or(&listed, |diversion| &diversion.to);
            if canonical.contains(real) {
                owners.entry(real.clone()).or_default().insert(package.to_owned());
            }
        }
    }
    Ok(owners)
}

fn read_diversions(root: &HostRoot, folders: &mut FolderLookup<'_>) -> io::Result<Vec<Diversion>> {
    let text = root.read_file_if_exists(DIVERSIONS)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for entry in lines.chunks_exact(3) {
        found.push(Diversion {
            from: folders.path_with_canonical_parent(entry[0])?,
            to: folders.path_with_canonical_parent(entry[1])?,
            by: Some(entry[2]).filter(|by| *by != ":").map(str::to_owned),
        });
    }
    Ok(found)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn file_of_a_debian_package_is_found_through_merged_folders_and_diversions() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["usr/bin", "var/lib/dpkg/info"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        symlink("usr/bin", at("bin")).unwrap();
        fs::write(at("var/lib/dpkg/info/dash.list"), "/.\n/bin\n/bin/sh\n").unwrap();
        fs::write(at("var/lib/dpkg/info/libx:amd64.list"), "/usr/bin/x\n/usr/bin/y\n").unwrap();
        fs::write(at("var/lib/dpkg/info/better-x.list"), "/usr/bin/x\n").unwrap();
        fs::write(at("var/lib/dpkg/diversions"), "/usr/bin/x\n/usr/bin/x.old\nbetter-x\n").unwrap();
        let root = HostRoot::new(folder.path());
        let wanted = ["/usr/bin/sh", "/usr/bin/x", "/usr/bin/x.old", "/usr/bin/y", "/usr/bin/none"];
        let wanted: BTreeSet<String> = wanted.into_iter().map(str::to_owned).collect();
        let found = debian_packages_of_paths(&root, &wanted, &mut FolderLookup::new(&root).unwrap()).unwrap();
        let found: Vec<String> =
            found.iter().map(|(path, packages)| format!("{path} {packages:?}")).collect();
        assert_eq!(
            found,
            [
                "/usr/bin/sh {\"dash\"}",
                "/usr/bin/x {\"better-x\"}",
                "/usr/bin/x.old {\"libx\"}",
                "/usr/bin/y {\"libx\"}",
            ]
        );
    }
}
