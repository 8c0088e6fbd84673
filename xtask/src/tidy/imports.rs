//! No two files import each other: what both need has a file of its own.
//!
//! A module and those below it are one: a parent re-exports its children and they use what it defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{files_below, read};

/// The module path of a file: `["backoffice", "change"]`.
type ModulePath = Vec<String>;

/// Finds the pairs of files below `crates` that import each other.
pub(super) fn mutual_imports(root: &Path, crates: &[&str], findings: &mut Vec<String>) {
    for path in crates {
        let folder = root.join(path).join("src");
        let modules: BTreeMap<ModulePath, PathBuf> = files_below(&folder, "rs")
            .into_iter()
            .map(|file| (module_path(file.strip_prefix(&folder).unwrap_or(&file)), file))
            .collect();
        let imports: BTreeMap<&ModulePath, BTreeSet<ModulePath>> =
            modules.iter().map(|(module, file)| (module, imported(module, &read(file), &modules))).collect();
        for (module, targets) in &imports {
            for target in targets {
                let is_mutual = imports.get(target).is_some_and(|back| back.contains(*module));
                if *module < target && is_mutual && !is_family(module, target) {
                    let name = |module: &ModulePath| {
                        modules[module].strip_prefix(root).unwrap_or(&modules[module]).display().to_string()
                    };
                    findings.push(format!(
                        "{} and {} import each other: give what both need a file of its own",
                        name(module),
                        name(target)
                    ));
                }
            }
        }
    }
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

    #[test]
    fn files_that_import_each_other_are_found_and_families_are_not() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join("one/src").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("main.rs", "mod a;\nmod b;\nuse b::Two;\n");
        write("a/mod.rs", "mod c;\npub use c::Three;\npub struct One;\n");
        write("a/c.rs", "use super::One;\nuse crate::{b::{self, Two}, a};\n");
        write("b.rs", "fn two() { crate::a::c::three(); }\n");
        let mut findings = Vec::new();
        mutual_imports(root.path(), &["one"], &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("one/src/a/c.rs and one/src/b.rs import each other"), "{findings:?}");
    }
}
