//! The shapes of `docs/reference/punch-json.md`, compared with what the verbs print.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

/// What the page says of the value of a command.
struct DescribedValue {
    /// The words of the command: `repository retain --dry-run`.
    command: Vec<String>,
    is_list: bool,
    keys: BTreeMap<String, DescribedKey>,
}

/// One key of a map.
#[derive(Debug, Clone, Default)]
struct DescribedKey {
    is_optional: bool,
    /// The keys of the maps in the list under it, where the page gives them.
    items: BTreeMap<String, DescribedKey>,
}

/// The tables of the page.
pub(crate) struct JsonReference {
    values: Vec<DescribedValue>,
}

impl JsonReference {
    pub(crate) fn load_json_reference() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/punch-json.md");
        let page = fs::read_to_string(path).unwrap();
        let mut values: Vec<DescribedValue> = Vec::new();
        for rows in page.split("| command | value |\n").skip(1) {
            for line in rows.lines().skip(1).take_while(|line| line.starts_with('|')) {
                let (commands, value) = line.trim_matches('|').split_once(" | ").unwrap();
                let (is_list, keys) = match (value.trim(), values.last()) {
                    // One of the list in the row above.
                    ("that one", Some(list)) => (false, list.keys.clone()),
                    (value, _) => described_keys(&page, value),
                };
                for command in described_commands(commands) {
                    values.push(DescribedValue { command, is_list, keys: keys.clone() });
                }
            }
        }
        assert!(values.len() > 40, "{} commands", values.len());
        Self { values }
    }

    /// Compares the value that `punch LINE --json` printed with what the page says.
    pub(crate) fn assert_value_is_as_described(&self, line: &str, value: &Value) {
        let words: Vec<&str> = line.split(' ').collect();
        let fits = |described: &&DescribedValue| {
            let (options, verbs): (Vec<_>, Vec<_>) =
                described.command.iter().partition(|word| word.starts_with("--"));
            let has_verbs = verbs.iter().enumerate().all(|(at, verb)| match words.get(at) {
                Some(word) => {
                    *verb == word || (verb.chars().all(char::is_uppercase) && !word.starts_with("--"))
                }
                None => false,
            });
            has_verbs && options.iter().all(|option| words.contains(&option.as_str()))
        };
        let described = self.values.iter().filter(fits).max_by_key(|described| described.command.len());
        let described = described.unwrap_or_else(|| panic!("punch-json.md does not have `{line}`"));
        assert_eq!(value.is_array(), described.is_list, "punch {line} --json: a list or not?\n{value}");
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for item in items {
            assert_keys(line, item, &described.keys);
        }
    }
}

fn assert_keys(line: &str, value: &Value, keys: &BTreeMap<String, DescribedKey>) {
    let found = value.as_object().unwrap_or_else(|| panic!("punch {line} --json: no map: {value}"));
    for (key, inner) in found {
        let described = keys.get(key);
        let described = described
            .unwrap_or_else(|| panic!("punch {line} --json has the key `{key}`, and punch-json.md does not"));
        if !described.items.is_empty() {
            for item in inner.as_array().into_iter().flatten() {
                assert_keys(line, item, &described.items);
            }
        }
    }
    for (key, described) in keys {
        assert!(
            described.is_optional || found.contains_key(key),
            "punch {line} --json lacks the key `{key}` that punch-json.md has:\n{value}"
        );
    }
}

/// The commands of a cell: `` `job show`, `cancel` `` are `job show` and `job cancel`.
fn described_commands(cell: &str) -> Vec<Vec<String>> {
    let codes = cell.split('`').skip(1).step_by(2).filter(|code| !code.starts_with("--"));
    let commands: Vec<Vec<String>> = codes.map(|code| code.split(' ').map(str::to_owned).collect()).collect();
    let first = commands[0].clone();
    let whole = |command: Vec<String>| match (first.len(), command.len()) {
        (2.., 1) => vec![first[0].clone(), command[0].clone()],
        _ => command,
    };
    commands.into_iter().map(whole).collect()
}

/// Whether a cell describes a list, and the keys of its maps: written there, or in the section that it leads to.
fn described_keys(page: &str, cell: &str) -> (bool, BTreeMap<String, DescribedKey>) {
    let braces = cell.find("`{");
    let link = cell.find("](#").filter(|link| braces.is_none_or(|braces| *link < braces));
    let (is_list, mut keys) = match (link, braces) {
        (Some(link), _) => {
            let (anchor, _) = cell[link + 3..].split_once(')').unwrap();
            let section = page
                .split("\n### ")
                .find(|section| section.lines().next().is_some_and(|title| title.to_lowercase() == *anchor));
            let section = section.unwrap_or_else(|| panic!("there is no section {anchor}"));
            let shape = &section[section.find("`{").unwrap() + 1..];
            (section.contains("\nA list of"), parse_keys(&mut shape.chars().skip(1).peekable()))
        }
        (None, Some(braces)) => (false, parse_keys(&mut cell[braces + 2..].chars().peekable())),
        (None, None) => panic!("no shape in: {cell}"),
    };
    // `each with its `number``.
    for more in cell.split("with its `").skip(1) {
        keys.insert(more.split('`').next().unwrap().to_owned(), DescribedKey::default());
    }
    (is_list || cell.starts_with("list of"), keys)
}

/// The keys of `a, b?, c: [{d, e}], f: {name: version}}`; what stands in braces without brackets has names of its own.
fn parse_keys(text: &mut std::iter::Peekable<impl Iterator<Item = char>>) -> BTreeMap<String, DescribedKey> {
    let (mut keys, mut name) = (BTreeMap::new(), String::new());
    let mut key = DescribedKey::default();
    loop {
        match text.next() {
            Some(end @ (',' | '}')) => {
                keys.insert(std::mem::take(&mut name).trim().to_owned(), std::mem::take(&mut key));
                if end == '}' {
                    return keys;
                }
            }
            Some('?') => key.is_optional = true,
            Some(':') => {
                // The value: a list of maps, or words.
                let mut depth = 0;
                while let Some(next) = text.peek().copied() {
                    match next {
                        ',' | '}' if depth == 0 => break,
                        '{' if depth == 1 => {
                            text.next();
                            key.items = parse_keys(text);
                            continue;
                        }
                        '[' => depth += 1,
                        ']' => depth -= 1,
                        '{' => depth += 10,
                        '}' => depth -= 10,
                        _ => (),
                    }
                    text.next();
                }
            }
            Some(letter) => name.push(letter),
            None => panic!("a map of punch-json.md does not end: {name}"),
        }
    }
}
