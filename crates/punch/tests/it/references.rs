//! The references of settings and of what punch writes on a host have all that the code has, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{control_plane::ControlPlane, skip::has_tool, test_folder::TestFolder};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name)).unwrap()
}

/// All files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut open, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(path) = open.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => open.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => files.push(path),
        }
    }
    files
}

/// The source of both crates that write on hosts.
fn sources() -> String {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["punch/src", "converge/src", "model/src"].map(|name| crates.join(name));
    let files = folders.iter().flat_map(|folder| files_below(folder));
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The cells of the rows of the table that begins with `head`.
fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let (_, rows) = page.split_once(head).unwrap_or_else(|| panic!("there is no table {head}"));
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.strip_prefix('|').unwrap_or(line);
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

fn codes(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn settings_and_variables_of_the_reference_are_those_of_the_code() {
    let test = TestFolder::new();
    let config = test.ok(&["config", "--json"]).json();
    let of_code = |key: &str| -> BTreeSet<String> {
        config["settings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|setting| setting[key].as_str().unwrap().to_owned())
            .collect()
    };
    let page = page("settings.md");
    let rows = table(&page, "| setting in the file | option | variable | what |");
    let (mut names, mut variables) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        for name in codes(&row[0]) {
            match name.split_once(": {") {
                Some((map, inner)) => names
                    .extend(inner.trim_end_matches('}').split(", ").map(|inner| format!("{map}.{inner}"))),
                None => _ = names.insert(name.to_owned()),
            }
        }
        if !row[0].is_empty() {
            variables.extend(codes(&row[2]).map(str::to_owned));
        }
    }
    assert_eq!(names, of_code("name"));
    assert_eq!(variables, of_code("variable"));
    // Variables that are no settings are on the page, too.
    for literal in sources().split('"').filter(|text| text.starts_with("PUNCH_")) {
        let is_name = literal.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        assert!(!is_name || page.contains(&format!("`{literal}`")), "settings.md does not have {literal}");
    }
}

/// The paths of the table of what punch writes.
fn described_paths() -> BTreeSet<String> {
    const STATE: &str = "/var/lib/geppetto/punch/";
    let mut paths = BTreeSet::new();
    for row in table(&page("what-punch-writes-on-a-host.md"), "| path | what | written by |") {
        for code in codes(&row[0]) {
            paths.insert(match code.strip_prefix(".../") {
                Some(name) => format!("{STATE}{name}"),
                None if code.starts_with('/') => code.to_owned(),
                None => format!("{STATE}{code}"),
            });
        }
    }
    paths
}

#[test]
fn every_file_that_a_joined_host_gets_is_in_the_reference() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    test.ok(&["restore", "--root", "root"]);
    let described = described_paths();
    let root = test.path("root");
    let ours = ["etc/geppetto", "var/lib/geppetto", "usr/share/geppetto"];
    let mut found = 0;
    for file in ours.iter().flat_map(|folder| files_below(&root.join(folder))) {
        let path = format!("/{}", file.strip_prefix(&root).unwrap().display());
        let path = path.replace("/components/shop/", "/components/NAME/");
        // The folder of the state holds every other path: it describes none by itself.
        let is_described = described.iter().any(|known| {
            known == &path || (known.ends_with('/') && !known.ends_with("/punch/") && path.starts_with(known))
        });
        assert!(is_described, "{path} is not in what-punch-writes-on-a-host.md");
        found += 1;
    }
    assert!(found > 8, "{found}");
}

#[test]
fn every_path_of_the_reference_is_one_of_the_code() {
    let sources = sources();
    for path in described_paths() {
        let path = path.trim_end_matches('/').trim_end_matches("/NAME");
        let name = path.rsplit('/').next().unwrap();
        assert!(
            sources.contains(&format!("{name}\"")) || sources.contains(&format!("{name}/")),
            "nothing in the sources writes {path}"
        );
    }
}

/// Messages that are not ours, and whose they are.
const MESSAGES_OF_OTHERS: [(&str, &str); 4] = [
    ("failed to lookup address information", "the C library, when a name is not known"),
    ("Permission denied", "the operating system"),
    ("No space left on device", "the operating system"),
    ("database or disk is full", "SQLite"),
];

/// The texts of all programs, with a NUL where a value is filled in.
fn texts_of_the_programs() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = String::new();
    for file in [
        "crates/punch/src",
        "crates/geppetto/src",
        "crates/converge/src",
        "crates/model/src",
        "crates/packaging/src",
    ]
    .iter()
    .flat_map(|folder| files_below(&root.join(folder)))
    {
        let source = fs::read_to_string(file).unwrap();
        // A literal goes on after a backslash at the end of its line.
        let lines = source.split("\\\n").map(str::trim_start);
        let source: String = lines.collect();
        let mut depth = 0;
        for character in source.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth > 0 => {
                    depth -= 1;
                    texts.push('\0');
                }
                '\n' => {
                    depth = 0;
                    texts.push('\n');
                }
                _ if depth > 0 => (),
                character => texts.push(character),
            }
        }
    }
    let package_scripts = files_below(&root.join("library"))
        .into_iter()
        .filter(|file| file.parent().is_some_and(|folder| folder.ends_with("debian")));
    texts.extend(package_scripts.map(|file| fs::read_to_string(file).unwrap()));
    texts
}

/// The parts of a quoted message that stand in the program as they are: what is between the names and numbers.
fn constant_parts(message: &str) -> Vec<&str> {
    let parts = message.split("...").flat_map(|part| part.split(": "));
    let parts = parts.flat_map(|part| part.split(|c: char| c.is_ascii_digit() || c == '`'));
    let parts = parts.map(|part| part.trim_matches([' ', ',', ';', ':', ')']));
    parts.filter(|part| part.contains(|c: char| c.is_lowercase())).collect()
}

#[test]
fn every_message_of_the_troubleshooting_page_is_one_of_the_programs() {
    let page = page("../troubleshooting.md");
    let texts = texts_of_the_programs();
    let (_, messages) = page.split_once("## Messages").unwrap();
    let mut checked = 0;
    for row in messages.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.trim_start_matches("| ").split(" | ").next().unwrap();
        let message = match cell.strip_prefix("`` ") {
            Some(rest) => rest.split(" ``").next().unwrap(),
            None => cell.split('`').nth(1).unwrap(),
        };
        for part in constant_parts(message) {
            let is_of_others = MESSAGES_OF_OTHERS.iter().any(|(text, _)| part == *text);
            assert!(is_of_others || texts.contains(part), "no program says `{part}`, of `{message}`");
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
}
