//! One word, one meaning: no two types of the workspace have one name, unless one is the other's wire form.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{files_below, read};

/// Where wire forms are: the shapes of the API.
const WIRE_FORMS: &str = "crates/model/src/wire";

/// Finds the types of one name that more than one file below `crates` shows to others.
pub(super) fn find_duplicate_public_type_names(root: &Path, crates: &[&str], findings: &mut Vec<String>) {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in crates {
        for file in files_below(&root.join(path).join("src"), "rs") {
            let shown = file.strip_prefix(root).unwrap_or(&file).to_owned();
            if shown.to_string_lossy().starts_with(WIRE_FORMS) {
                continue;
            }
            for name in visible_types(&read(&file)) {
                places.entry(name).or_default().push(shown.clone());
            }
        }
    }
    for (name, files) in places.into_iter().filter(|(_, files)| files.len() > 1) {
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        findings.push(format!(
            "{}: two types are named `{name}`; give each the name of what it is",
            files.join(" and ")
        ));
    }
}

/// The names of the types that a file shows to other files, tests left out.
fn visible_types(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines()
        .filter_map(|line| {
            // An associated type is indented, and named by its trait.
            let rest = line.strip_prefix("pub")?;
            let rest = match rest.strip_prefix('(') {
                Some(scope) => scope.split_once(')')?.1,
                None => rest,
            };
            let mut words = rest.split_whitespace();
            let keyword = words.next()?;
            ["struct", "enum", "trait", "union", "type"].contains(&keyword).then_some(())?;
            let name: String =
                words.next()?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            Some(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn types_of_one_name_are_found_and_wire_forms_are_not() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("one/src/a.rs", "pub struct State;\npub(crate) enum Mode<'a> {}\nstruct Private;\n"),
            (
                "one/src/b.rs",
                "pub(super) type State = u8;\nstruct Private;\n#[cfg(test)]\nmod tests { \npub enum Mode {}\n}",
            ),
            ("crates/model/src/wire/c.rs", "pub struct Mode {}\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut findings = Vec::new();
        find_duplicate_public_type_names(root.path(), &["one", "crates/model"], &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].contains("one/src/a.rs and one/src/b.rs") && findings[0].contains("`State`"),
            "{findings:?}"
        );
    }
}
