//! What rpm says of a transaction: what failed in scripts is read from it, because rpm itself goes on and ends well.

use std::collections::BTreeMap;

use super::process::ProcessOutput;
use crate::host_root::HostRoot;

/// What rpm says in passing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TransactionWarnings {
    /// Scripts that installed packages need and that failed, by package: `%post, exit status 1`.
    pub(super) failed_scriptlets: BTreeMap<String, Vec<String>>,
    /// Scripts of what left that failed, and what was done about edited configuration files.
    pub(super) notes: Vec<String>,
}

impl TransactionWarnings {
    pub(super) fn of(ended: &ProcessOutput) -> Self {
        Self::parse(ended.stderr.lines().chain(ended.stdout.lines()))
    }

    fn parse<'l>(lines: impl Iterator<Item = &'l str>) -> Self {
        let mut warnings = Self::default();
        for note in lines.filter_map(|line| line.strip_prefix("warning: ")) {
            match failed_scriptlet(note) {
                Some((package, script, status)) if !script.ends_with("un") => {
                    let scripts: &mut Vec<String> = warnings.failed_scriptlets.entry(package).or_default();
                    scripts.push(format!("{script}, {status}"));
                }
                Some(_) => warnings.notes.push(note.to_owned()),
                None if note.contains(" saved as ") || note.contains(" created as ") => {
                    warnings.notes.push(note.to_owned());
                }
                None => (),
            }
        }
        warnings
    }

    pub(super) fn into_note(self) -> Option<String> {
        (!self.notes.is_empty()).then(|| self.notes.join("; "))
    }
}

/// `%post(shop-1.0-1.noarch) scriptlet failed, exit status 1` as package, script and status.
fn failed_scriptlet(note: &str) -> Option<(String, String, String)> {
    let (what, status) = note.split_once(" scriptlet failed, ")?;
    let (script, package) = what.strip_suffix(')')?.split_once('(')?;
    // A version and a release have no dash in them; a name may.
    let name = package.rsplitn(3, '-').nth(2)?;
    script.starts_with('%').then(|| (name.to_owned(), script.to_owned(), status.to_owned()))
}

/// Whether rpm refused for no other reason than that it does not know files that are there: on a Debian host its
/// database does not say who provides `/bin/sh`.
pub(super) fn needs_only_files_that_are_there(message: &str, root: &HostRoot) -> bool {
    let mut lines = message.lines().filter(|line| !line.trim().is_empty()).peekable();
    let refused = lines.next_if(|line| line.trim_end().ends_with("Failed dependencies:")).is_some();
    let is_there = |line: &str| {
        let needed = line.trim().split_once(" is needed by ").map(|(needed, _)| needed);
        needed.is_some_and(|path| path.starts_with('/') && root.exists(path).unwrap_or(false))
    };
    refused && lines.peek().is_some() && lines.all(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_scriptlets_of_installed_packages_are_told_from_those_of_packages_that_left() {
        let said = "warning: %post(shop-api-1.0-1.noarch) scriptlet failed, exit status 3\n\
            warning: %postun(shop-0.9-1.noarch) scriptlet failed, signal 9\n\
            warning: %posttrans(shop-api-1.0-1.noarch) scriptlet failed, exit status 5\n\
            warning: /etc/x saved as /etc/x.rpmsave\nwarning: something else\n";
        let found = TransactionWarnings::parse(said.lines());
        let failed = ["%post, exit status 3".to_owned(), "%posttrans, exit status 5".to_owned()];
        assert_eq!(found.failed_scriptlets, BTreeMap::from([("shop-api".to_owned(), failed.to_vec())]));
        assert_eq!(
            found.into_note().unwrap(),
            "%postun(shop-0.9-1.noarch) scriptlet failed, signal 9; /etc/x saved as /etc/x.rpmsave"
        );
    }
}
