//! Files in `/etc/systemd/system` that change a component's unit and that nobody describes.

use std::collections::BTreeSet;

use super::service::{ADMINISTRATOR_UNITS_FOLDER, packaged_unit_file, unit};
use crate::host_root::HostRoot;

/// A sentence for each such file of `units`; `described` are the paths that resources and packages have.
pub(super) fn observe_unit_overrides(
    root: &HostRoot,
    units: &BTreeSet<String>,
    described: &BTreeSet<String>,
) -> Vec<String> {
    let units: BTreeSet<String> = units.iter().map(|name| unit(name)).collect();
    let mut found = Vec::new();
    for unit in units {
        let own = format!("{ADMINISTRATOR_UNITS_FOLDER}/{unit}");
        let is_file = |path: &str| {
            let stat = root.open_parent_folder(path).and_then(|handle| handle.stat_without_following_link());
            // A link is how a unit is enabled, linked or masked.
            stat.is_ok_and(|stat| stat.is_some_and(|stat| stat.st_mode & 0o170_000 == 0o100_000))
        };
        if let Some(packaged) = packaged_unit_file(root, &unit)
            && !described.contains(&own)
            && is_file(&own)
        {
            found.push(format!("{own} takes the place of {packaged}, and no component describes it"));
        }
        let folder = format!("{own}.d");
        // A folder that cannot be read is none that systemd reads either.
        for name in root.list_folder_or_empty(&folder).unwrap_or_default() {
            let path = format!("{folder}/{name}");
            if name.ends_with(".conf") && !described.contains(&path) {
                found.push(format!("{path} changes {unit}, and no component describes it"));
            }
        }
    }
    found
}
