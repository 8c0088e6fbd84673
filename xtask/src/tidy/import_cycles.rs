//! No files import each other, directly or around several: what they share has a file of its own.
//!
//! A module and those below it are one: a parent re-exports its children and they use what it defines.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
};

use super::{files_below, read};

/// The module path of a file: `["backoffice", "change"]`.
type ModulePath = Vec<String>;

/// The modules that each module imports, its ancestors and descendants left out.
type Imports<'a> = BTreeMap<&'a ModulePath, BTreeSet<&'a ModulePath>>;

/// Finds files below `crates` that import each other, directly or around several files.
pub(super) fn find_import_cycles(root: &Path, crates: &[&str], findings: &mut Vec<String>) {
    for folder in crates.iter().flat_map(|path| ["src", "tests/it"].map(|part| root.join(path).join(part))) {
        let modules: BTreeMap<ModulePath, PathBuf> = files_below(&folder, "rs")
            .into_iter()
            .map(|file| (module_path(file.strip_prefix(&folder).unwrap_or(&file)), file))
            .collect();
        let imports: Imports<'_> = modules
            .iter()
            .map(|(module, file)| {
                let targets = imported(module, &read(file), &modules);
                let known = modules.keys().filter(|target| targets.contains(*target));
                (module, known.filter(|target| !is_family(module, target)).collect())
            })
            .collect();
        let mut reported = BTreeSet::new();
        for module in modules.keys() {
            let Some(cycle) = shortest_cycle(module, &imports) else { continue };
            if !reported.insert(cycle.iter().copied().collect::<BTreeSet<_>>()) {
                continue;
            }
            let files: Vec<String> = cycle
                .iter()
                .map(|module| {
                    modules[*module].strip_prefix(root).unwrap_or(&modules[*module]).display().to_string()
                })
                .collect();
            findings.push(format!(
                "{} import each other in a cycle: give what they share a file of its own",
                files.join(", ")
            ));
        }
    }
}

/// The shortest way from `start` over imports back to it, without the return to `start`.
fn shortest_cycle<'a>(start: &'a ModulePath, imports: &Imports<'a>) -> Option<Vec<&'a ModulePath>> {
    let mut came_from: BTreeMap<&ModulePath, &ModulePath> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for target in imports.get(module).into_iter().flatten() {
            if *target == start {
                let mut way = vec![module];
                while let Some(before) = came_from.get(way[way.len() - 1]) {
                    way.push(before);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(target) {
                came_from.insert(target, module);
                queue.push_back(target);
            }
        }
    }
    None
}

/// The module that a file relative to `src` holds. `main.rs` and `lib.rs` are the root.
fn module_path(file: &Path) -> ModulePath {
    let mut parts: ModulePath =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts
        .last()
        .is_some_and(|last| last == "mod" || (parts.len() == 1 && (last == "main" || last == "lib")))
    {
        parts.pop();
    }
    parts
}

/// Whether one module is an ancestor of the other.
fn is_family(one: &ModulePath, other: &ModulePath) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The modules that a file names in `use` statements and paths, tests left out.
fn imported(
    module: &ModulePath,
    text: &str,
    modules: &BTreeMap<ModulePath, PathBuf>,
) -> BTreeSet<ModulePath> {
    let code: String = text
        .split("#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n")
        .collect();
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            for path in expand(&code[at..]) {
                found.extend(resolve(module, &path, modules));
            }
        }
    }
    found.remove(module);
    found
}

/// The paths of a `use` tree: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn expand(text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut prefix: Vec<String> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        match c {
            _ if c.is_alphanumeric() || c == '_' => word.push(c),
            ':' => {
                if !word.is_empty() {
                    prefix.push(std::mem::take(&mut word));
                }
            }
            '{' if word.is_empty() => open.push(prefix.len()),
            ',' | '}' if !open.is_empty() => {
                if !word.is_empty() {
                    let mut path = prefix.clone();
                    path.push(std::mem::take(&mut word));
                    paths.push(path);
                }
                prefix.truncate(*open.last().unwrap_or(&0));
                if c == '}' {
                    open.pop();
                    prefix.truncate(open.last().copied().unwrap_or(0));
                    if open.is_empty() {
                        return paths;
                    }
                }
            }
            _ if c.is_whitespace() && !open.is_empty() => {}
            _ => break,
        }
    }
    prefix.extend((!word.is_empty()).then_some(word));
    paths.push(prefix);
    paths
}

/// The module that a path leads into, seen from `module`.
fn resolve(
    module: &ModulePath,
    path: &[String],
    modules: &BTreeMap<ModulePath, PathBuf>,
) -> Option<ModulePath> {
    let mut from = module.clone();
    let mut parts = path.iter().peekable();
    match parts.next()?.as_str() {
        "crate" => from.clear(),
        "super" => {
            from.pop();
            while parts.next_if(|part| *part == "super").is_some() {
                from.pop();
            }
        }
        _ => {}
    }
    for part in parts {
        from.push(part.clone());
        if !modules.contains_key(&from) {
            from.pop();
            break;
        }
    }
    modules.contains_key(&from).then_some(from)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn use_trees_are_expanded() {
        let paths = expand("super::{a, b::{c, d},\n e::f};\n");
        let joined: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(joined, ["super::a", "super::b::c", "super::b::d", "super::e::f"]);
        assert_eq!(expand("crate::a::b(x)"), [["crate", "a", "b"]]);
    }

    fn findings_in(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join("one").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut findings = Vec::new();
        find_import_cycles(root.path(), &["one"], &mut findings);
        findings
    }

    #[test]
    fn files_that_import_each_other_are_found_and_families_are_not() {
        let findings = findings_in(&[
            ("src/main.rs", "mod a;\nmod b;\nuse b::Two;\n"),
            ("src/a/mod.rs", "mod c;\npub use c::Three;\npub struct One;\n"),
            ("src/a/c.rs", "use super::One;\nuse crate::{b::{self, Two}, a};\n"),
            ("src/b.rs", "fn two() { crate::a::c::three(); }\n"),
        ]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("one/src/a/c.rs, one/src/b.rs import each other"), "{findings:?}");
    }

    #[test]
    fn cycle_around_three_test_files_is_found_once() {
        let findings = findings_in(&[
            ("tests/it/main.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
            ("tests/it/a.rs", "use crate::b::Two;\n"),
            ("tests/it/b.rs", "use super::c::Three;\n"),
            ("tests/it/c.rs", "fn three() { crate::a::one() }\n"),
            ("tests/it/d.rs", "use crate::a::one;\n"),
        ]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let cycle = "one/tests/it/a.rs, one/tests/it/b.rs, one/tests/it/c.rs import each other";
        assert!(findings[0].starts_with(cycle), "{findings:?}");
    }

    #[test]
    fn imports_of_unit_tests_and_comments_do_not_count() {
        let findings = findings_in(&[
            ("src/a.rs", "// crate::b::two()\n#[cfg(test)]\nmod tests {\n    use crate::b::Two;\n}\n"),
            ("src/b.rs", "use crate::a::One;\n"),
        ]);
        assert_eq!(findings, Vec::<String>::new());
    }
}
