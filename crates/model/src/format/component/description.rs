//! What `component.yaml` and the `component.json` of a package have in common, checked beyond its types.

use std::collections::BTreeMap;

use super::{check_package_path, check_single_line_text, shown};
use crate::{
    component::{Component, OsPackageRequirements, PATHS_FORBIDDEN_TO_PACKAGES, REASON_OF_FORBIDDEN_PATH},
    name::Name,
    version::VersionRange,
};

/// What is wrong in a component's description besides its parameters, which check themselves
/// ([`Parameter::check_declaration`](crate::parameter::Parameter::check_declaration)).
pub fn check_component_description(component: &Component) -> Vec<String> {
    let mut mistakes = Vec::new();
    mistakes.extend(check_single_line_text("summary", &component.summary).err());
    check_requirements(&component.name, &component.requires, &mut mistakes);
    check_os_package_names(&component.os_packages, &mut mistakes);
    check_replaced_paths(&component.replaces, &mut mistakes);
    for path in &component.setuid {
        if let Err(why) = check_package_path(path) {
            mistakes.push(format!("`setuid` names `{}`, {why}", shown(path)));
        }
    }
    mistakes
}

pub(super) fn check_requirements(
    name: &Name,
    requires: &BTreeMap<Name, VersionRange>,
    mistakes: &mut Vec<String>,
) {
    if requires.contains_key(name) {
        mistakes.push(format!("`requires` names `{name}` itself; remove that line"));
    }
}

pub(super) fn check_os_package_names(packages: &OsPackageRequirements, mistakes: &mut Vec<String>) {
    for name in packages.rpm.iter().chain(&packages.deb).filter(|name| !is_os_package_name(name)) {
        mistakes.push(format!(
            "`os_packages` holds `{}`, which is not a package name: letters, digits, `+`, `-`, `.`, `_`, starting with a letter or digit",
            shown(name)
        ));
    }
}

pub(super) fn check_replaced_paths(replaces: &[String], mistakes: &mut Vec<String>) {
    for path in replaces {
        let shown = shown(path);
        if let Err(why) = check_package_path(path) {
            mistakes.push(format!("`replaces` names `{shown}`, {why}"));
        } else if PATHS_FORBIDDEN_TO_PACKAGES.contains(&path.trim_end_matches('/')) {
            mistakes.push(format!("`replaces` names `{shown}`: {REASON_OF_FORBIDDEN_PATH}"));
        } else if path.split('/').take(3).any(|part| part.contains(['*', '?']))
            || path.trim_end_matches('/').split('/').count() < 3
        {
            mistakes.push(format!(
                "`replaces` names `{shown}`, which covers too much of a host; name the files, for instance `/usr/bin/shop`"
            ));
        }
    }
}

fn is_os_package_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
}
