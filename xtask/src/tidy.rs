//! The project's rules, as tests: walls between crates, module heads and sizes, imports, names of types, invariants
//! that name their test.

mod import_cycles;
mod type_names;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Our crates, and which of ours each may use.
const WALLS: [(&str, &[&str]); 6] = [
    ("crates/model", &[]),
    ("crates/packaging", &["model"]),
    ("crates/converge", &["model"]),
    ("crates/geppetto", &["model", "packaging"]),
    ("crates/punch", &["model", "packaging", "converge"]),
    ("xtask", &["model", "packaging"]),
];

/// Libraries that may be used in the named crates only.
const KEPT: [(&str, &[&str]); 9] = [
    ("sqlx", &["crates/geppetto"]),
    ("axum", &["crates/geppetto"]),
    ("tokio", &["crates/geppetto"]),
    ("utoipa", &["crates/geppetto", "crates/model"]),
    ("ureq", &["crates/punch"]),
    ("clap", &["crates/geppetto", "crates/punch", "xtask"]),
    ("indicatif", &["crates/punch"]),
    ("serde-saphyr", &["crates/model"]),
    ("minijinja", &["crates/model"]),
];

/// What `model` must be unable to do: touch files, sockets, processes, the clock, chance.
const NOT_IN_MODEL: [&str; 9] = [
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant::now",
    "rand::",
];

/// The longest module allowed, tests included, in lines.
const LONGEST: usize = 500;
/// What nine modules of ten must stay within.
const USUAL: usize = 400;

/// Checks everything; each finding says where, what, and what to do.
pub(crate) fn find_rule_violations(root: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    walls(root, &mut findings);
    modules(root, &mut findings);
    let crates = WALLS.map(|(path, _)| path);
    import_cycles::find_import_cycles(root, &crates, &mut findings);
    type_names::find_duplicate_public_type_names(root, &crates, &mut findings);
    invariants(root, &mut findings);
    for document in ["ARCHITECTURE.md", "docs/explanation/walk.md"] {
        function_table(root, document, &mut findings);
    }
    links(root, &mut findings);
    findings
}

fn walls(root: &Path, findings: &mut Vec<String>) {
    let ours: Vec<&str> = WALLS.iter().filter_map(|(path, _)| path.rsplit('/').next()).collect();
    for (path, may) in WALLS {
        let manifest = format!("{path}/Cargo.toml");
        let Ok(table) = read(&root.join(&manifest)).parse::<toml::Table>() else {
            findings
                .push(format!("{manifest}: not readable as TOML; every crate of the walls must be there"));
            continue;
        };
        if table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool)
            != Some(true)
        {
            findings.push(format!("{manifest}: add `[lints] workspace = true`"));
        }
        let names = |section: &str| -> Vec<String> {
            let keys =
                table.get(section).and_then(toml::Value::as_table).map(|t| t.keys().cloned().collect());
            keys.unwrap_or_default()
        };
        for dependency in names("dependencies") {
            if ours.contains(&dependency.as_str()) && !may.contains(&dependency.as_str()) {
                findings
                    .push(format!("{manifest}: must not depend on `{dependency}`; arrows point to `model`"));
            }
            for (library, keepers) in KEPT {
                if dependency == library && !keepers.contains(&path) {
                    findings.push(format!("{manifest}: `{library}` is kept to {}", keepers.join(", ")));
                }
            }
        }
        if names("dev-dependencies")
            .iter()
            .any(|d| d == "geppetto" || (d == "converge" && path != "crates/punch"))
        {
            findings.push(format!("{manifest}: tests stay within the walls too"));
        }
    }
}

fn modules(root: &Path, findings: &mut Vec<String>) {
    let mut sizes = Vec::new();
    for (path, _) in WALLS {
        for file in files_below(&root.join(path), "rs") {
            let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            let text = read(&file);
            let lines = text.lines().count();
            sizes.push(lines);
            if !text.starts_with("//!") {
                findings.push(format!("{shown}: open it with `//!` and what the module is for"));
            }
            if lines > LONGEST {
                findings.push(format!("{shown}: {lines} lines; at most {LONGEST}. Which two modules is it?"));
            }
            let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if ["utils", "util", "common", "manager", "helper", "helpers", "misc"].contains(&stem) {
                findings.push(format!("{shown}: name it for the domain word it holds"));
            }
            let rules = file.file_name().is_some_and(|name| name == "tidy.rs");
            for mark in ["todo!(", "unimplemented!(", "#[ignore"] {
                if !rules && text.contains(mark) {
                    findings.push(format!("{shown}: `{mark}` has no place on main"));
                }
            }
            if !rules && text.contains("var_os(\"GEPPETTO_NO_SKIP\")") {
                findings.push(format!("{shown}: skip by `tests/skip.rs`, which obeys GEPPETTO_NO_SKIP"));
            }
            walls_within(&shown, &text, findings);
            if shown.starts_with("crates/model/src") {
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                for (number, line) in code.lines().enumerate() {
                    let line = line.split("//").next().unwrap_or_default();
                    for banned in NOT_IN_MODEL {
                        if line.contains(banned) {
                            findings
                                .push(format!("{shown}:{}: `model` must not know `{banned}`", number + 1));
                        }
                    }
                }
            }
        }
        one_test_binary(root, path, findings);
    }
    sizes.sort_unstable();
    if let Some(usual) = sizes.get(sizes.len() * 9 / 10)
        && *usual > USUAL
    {
        findings.push(format!("nine modules of ten stay within {USUAL} lines; now it is {usual}"));
    }
}

/// Walls between the modules of the control plane.
fn walls_within(shown: &str, text: &str, findings: &mut Vec<String>) {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let Some(file) = shown.strip_prefix("crates/geppetto/src/") else { return };
    if code.contains("sqlx::") && !file.starts_with("store/") {
        findings.push(format!("{shown}: `sqlx` is kept to crates/geppetto/src/store"));
    }
    // Its errors are printed as problem details there.
    let asks_store = code.contains("crate::store") || code.contains(".store");
    if file.starts_with("api/") && file != "api/problem.rs" && asks_store {
        findings.push(format!("{shown}: handlers ask the back-office, never the store"));
    }
}

/// A crate's integration tests are one binary, `tests/it`, and no file of it is forgotten.
fn one_test_binary(root: &Path, path: &str, findings: &mut Vec<String>) {
    let tests = root.join(path).join("tests");
    let Ok(entries) = fs::read_dir(&tests) else { return };
    for entry in entries.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            findings
                .push(format!("{}: move it below tests/it; one test binary a crate", entry.path().display()));
        }
    }
    let main = read(&tests.join("it/main.rs"));
    for entry in fs::read_dir(tests.join("it")).into_iter().flatten().flatten() {
        let stem = entry.path().file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let module =
            entry.path().is_dir() || entry.path().extension().is_some_and(|extension| extension == "rs");
        let holds_code = !entry.path().is_dir() || !files_below(&entry.path(), "rs").is_empty();
        if module && holds_code && stem != "main" && !main.contains(&format!("mod {stem};")) {
            findings
                .push(format!("{path}/tests/it/main.rs: `mod {stem};` is missing, so its tests never run"));
        }
    }
}

/// Every `Invariant:` of ARCHITECTURE.md ends by naming, in backquotes, a test that exists.
fn invariants(root: &Path, findings: &mut Vec<String>) {
    let map = read(&root.join("ARCHITECTURE.md"));
    if map.lines().count() > 250 {
        findings.push("ARCHITECTURE.md: keep it within 250 lines; detail belongs to module heads".to_owned());
    }
    let mut code = String::new();
    for (path, _) in WALLS {
        for file in files_below(&root.join(path), "rs") {
            code.push_str(&read(&file));
        }
    }
    let stated: Vec<&str> = map.lines().filter(|line| line.contains("**Invariant:**")).collect();
    if stated.is_empty() {
        findings.push("ARCHITECTURE.md: state the invariants, each on a line with `Invariant:`".to_owned());
    }
    for line in stated {
        let held_by: Vec<&str> =
            line.rsplit("Held by").next().unwrap_or_default().split('`').skip(1).step_by(2).collect();
        if !line.contains("Held by") || held_by.is_empty() {
            findings.push(format!("ARCHITECTURE.md: no test is named (`Held by`): {line}"));
        }
        for test in held_by {
            let name = test.rsplit("::").next().unwrap_or(test);
            if !code.contains(&format!("fn {name}("))
                && !root.join("crates/model/tests/cases").join(name).is_dir()
            {
                findings.push(format!("ARCHITECTURE.md: there is no test `{test}`"));
            }
        }
    }
}

/// The table of a document names files and functions that exist: `| step | `path` | `function` |`.
fn function_table(root: &Path, document: &str, findings: &mut Vec<String>) {
    let map = read(&root.join(document));
    for row in map.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let names = |cell: &&str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let paths = cells.get(2).map(names).unwrap_or_default();
        let mut code = String::new();
        for path in &paths {
            let path = root.join(path);
            if !path.exists() {
                findings.push(format!("{document}: there is no `{}`: {row}", path.display()));
            }
            // A step may be spread over the files below its folder.
            let folder = if path.is_dir() { path } else { path.parent().unwrap_or(root).to_owned() };
            for file in files_below(&folder, "rs") {
                code.push_str(&read(&file));
            }
        }
        for function in cells.get(3).map(names).unwrap_or_default() {
            let name = function.rsplit("::").next().unwrap_or(&function);
            if !code.contains(&format!("fn {name}(")) && !code.contains(&format!("fn {name}<")) {
                findings.push(format!("{document}: there is no function `{function}`: {row}"));
            }
        }
    }
}

/// Relative links of the documents lead somewhere.
fn links(root: &Path, findings: &mut Vec<String>) {
    let mut documents = files_below(&root.join("docs"), "md");
    documents.extend(["README.md", "ARCHITECTURE.md"].map(|name| root.join(name)));
    for document in documents {
        let text = read(&document);
        let folder = document.parent().unwrap_or(root);
        for piece in text.split("](").skip(1) {
            let target = piece.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            if !folder.join(target).exists() {
                let shown = document.strip_prefix(root).unwrap_or(&document).display();
                findings.push(format!("{shown}: the link to `{target}` leads nowhere"));
            }
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "cases") {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_follows_its_rules() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let findings = find_rule_violations(root);
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }

    #[test]
    fn architecture_table_with_an_unknown_function_is_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("src")).unwrap();
        fs::write(root.path().join("src/plan.rs"), "pub fn plan() {}").unwrap();
        let table = "| plan | `src/plan.rs` | `plan`, `replan` |\n| apply | `src/apply.rs` | `plan` |\n";
        fs::write(root.path().join("ARCHITECTURE.md"), table).unwrap();
        let mut findings = Vec::new();
        function_table(root.path(), "ARCHITECTURE.md", &mut findings);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(
            findings[0].contains("no function `replan`") && findings[1].contains("src/apply.rs"),
            "{findings:?}"
        );
    }

    #[test]
    fn handler_that_asks_the_store_is_found() {
        let mut findings = Vec::new();
        walls_within("crates/geppetto/src/api/nodes.rs", "app.back_office.store.node()", &mut findings);
        walls_within("crates/geppetto/src/api/nodes.rs", "app.back_office.node()", &mut findings);
        walls_within("crates/geppetto/src/backoffice/node.rs", "self.store.node()", &mut findings);
        walls_within("crates/geppetto/src/backoffice/node.rs", "sqlx::query(x)", &mut findings);
        assert_eq!(findings.len(), 2, "{findings:?}");
    }

    #[test]
    fn forbidden_dependency_is_found() {
        let root = tempfile::tempdir().unwrap();
        for (path, _) in WALLS {
            fs::create_dir_all(root.path().join(path)).unwrap();
            let manifest =
                "[lints]\nworkspace = true\n[dependencies]\nconverge = { workspace = true }\nsqlx = \"1\"\n";
            fs::write(root.path().join(path).join("Cargo.toml"), manifest).unwrap();
        }
        let findings = find_rule_violations(root.path()).join("\n");
        assert!(
            findings.contains("crates/packaging/Cargo.toml: must not depend on `converge`"),
            "{findings}"
        );
        assert!(
            findings.contains("crates/model/Cargo.toml: `sqlx` is kept to crates/geppetto"),
            "{findings}"
        );
        assert!(!findings.contains("crates/punch/Cargo.toml: must not depend on `converge`"), "{findings}");
    }
}
