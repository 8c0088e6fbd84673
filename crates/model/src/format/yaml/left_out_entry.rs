//! Leaves one entry out of a text, a key with its value or an item of a list, so that what stands beside it can be read.

/// What was left out of a text. Lines are counted from 0 and columns in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOutEntry {
    /// Its key; `None` for an item of a list.
    pub(super) key: Option<String>,
    /// Where it began.
    pub(super) start: (usize, usize),
    /// Where it ended.
    end: (usize, usize),
}

impl LeftOutEntry {
    /// A key of the outermost map that a placeholder stands for.
    pub(super) fn new_outermost(key: &str, line: usize) -> Self {
        Self { key: Some(key.to_owned()), start: (line, 0), end: (line, 0) }
    }

    /// Whether `other` stood inside this entry.
    pub(super) fn contains(&self, other: &LeftOutEntry) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether it is a key of the outermost map.
    pub(super) fn is_outermost(&self) -> bool {
        self.key.is_some() && self.start.1 == 0
    }
}

/// Which entry is meant by a place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryOfPlace {
    /// The innermost one that the place is in.
    Innermost,
    /// The one whose value starts there.
    WithValueAt,
    /// The one whose value is the map that has its first key there.
    WithMapOfKeyAt,
}

/// The entry at `line` and `column`, counted from 1; `None` for the outermost value.
pub(super) fn find_entry(text: &str, line: u64, column: u64, meant: EntryOfPlace) -> Option<LeftOutEntry> {
    let lines: Vec<&str> = text.lines().collect();
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let shown = lines.get(line)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let mut column = shown.char_indices().nth(column).map_or(shown.len(), |(at, _)| at);
    let before = shown[..column].trim_end();
    if meant == EntryOfPlace::WithMapOfKeyAt && before.ends_with('{') {
        column = before.len() - 1;
    }
    find_flow_entry(shown, line, column).or_else(|| find_block_entry(&lines, line, column, meant))
}

/// The text with spaces in place of `entry`; what follows keeps its line and column.
pub(super) fn blank_out(text: &str, entry: &LeftOutEntry) -> String {
    let mut rest = String::with_capacity(text.len() + 1);
    for (at, line) in text.lines().enumerate() {
        let from = if at == entry.start.0 { entry.start.1 } else { 0 };
        let to = if at == entry.end.0 { entry.end.1 } else { line.len() };
        match (entry.start.0..=entry.end.0).contains(&at) {
            true => {
                rest.push_str(&line[..from]);
                rest.extend(line[from..to].chars().map(|_| ' '));
                rest.push_str(&line[to..]);
            }
            false => rest.push_str(line),
        }
        rest.push('\n');
    }
    rest
}

/// The entry of `{a: 1, b: 2}` or `[a, b]` that `column` is in, with the comma after it, if the brackets are on this line.
fn find_flow_entry(shown: &str, line: usize, column: usize) -> Option<LeftOutEntry> {
    // Where the current entry of each open bracket starts.
    let mut open: Vec<usize> = Vec::new();
    let mut wanted: Option<(usize, usize)> = None;
    for (at, character) in flow_marks(shown) {
        if at >= column && wanted.is_none() {
            wanted = Some((open.len(), *open.last()?));
        }
        match character {
            '{' | '[' => open.push(at + 1),
            ',' | '}' | ']' => {
                if let Some((depth, start)) = wanted
                    && depth == open.len()
                {
                    let end = if character == ',' { at + 1 } else { at };
                    let written = &shown[start..at];
                    let key = written
                        .split_once(": ")
                        .or(written.trim_end().strip_suffix(':').map(|key| (key, "")));
                    let start = at - written.trim_start_matches(' ').len();
                    let key = key.map(|(key, _)| key.trim().trim_matches(['"', '\'']).to_owned());
                    return Some(LeftOutEntry { key, start: (line, start), end: (line, end) });
                }
                match character {
                    ',' => *open.last_mut()? = at + 1,
                    _ => _ = open.pop()?,
                }
            }
            _ => (),
        }
    }
    None
}

/// The brackets and commas of a line that are not inside a text, and the ends of all that is between them.
fn flow_marks(shown: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote: Option<char> = None;
    let mut depth = 0_usize;
    let mut before = ' ';
    shown.char_indices().filter(move |&(_, character)| {
        let starts_token = [' ', '{', '[', ','].contains(&before);
        let is_mark = match (quote, character) {
            (Some(open), _) => {
                if character == open && before != '\\' {
                    quote = None;
                }
                false
            }
            (None, '"' | '\'') if starts_token => {
                quote = Some(character);
                false
            }
            (None, '{' | '[') if starts_token => {
                depth += 1;
                true
            }
            (None, '}' | ']') if depth > 0 => {
                depth -= 1;
                true
            }
            (None, ',') => depth > 0,
            _ => false,
        };
        before = character;
        // A place inside a text is at no mark, so the first mark after it stands for it.
        is_mark
    })
}

/// The entry that begins on this line or on one above it, with all lines of its value.
fn find_block_entry(lines: &[&str], line: usize, column: usize, meant: EntryOfPlace) -> Option<LeftOutEntry> {
    let is_before = |at: usize, limit: usize| match meant {
        EntryOfPlace::Innermost => at <= limit,
        EntryOfPlace::WithValueAt | EntryOfPlace::WithMapOfKeyAt => at < limit,
    };
    let starts_with_dash = meant == EntryOfPlace::WithValueAt
        && entry_starts(lines[line])
            .first()
            .is_some_and(|start| start.key.is_none() && start.column == column);
    let here = entry_starts(lines[line]).into_iter().rfind(|start| is_before(start.column, column));
    let (first, start) = match here {
        Some(start) => (line, start),
        None => {
            let limit = column.min(lines[line].len() - lines[line].trim_start_matches(' ').len());
            // A list may be indented as far as its key.
            let is_above = |start: &EntryStart| {
                start.column < limit || (starts_with_dash && start.key.is_some() && start.column == limit)
            };
            let above = (0..line).rev().filter(|at| !is_empty_or_comment(lines[*at]));
            above.filter_map(|at| Some((at, entry_starts(lines[at]).into_iter().rfind(&is_above)?))).next()?
        }
    };
    let belongs_to_value = |shown: &&&str| {
        let content = shown.trim_start_matches(' ');
        let indented = shown.len() - content.len();
        let is_list_item = content == "-" || content.starts_with("- ");
        // A comment belongs to what it stands in, however it is indented.
        is_empty_or_comment(shown)
            // Indented with other white space than YAML's, by mistake.
            || content.starts_with(char::is_whitespace)
            || indented > start.column
            || (indented == start.column && is_list_item && start.key.is_some())
    };
    let last = first + lines[first + 1..].iter().take_while(belongs_to_value).count();
    Some(LeftOutEntry { key: start.key, start: (first, start.column), end: (last, lines[last].len()) })
}

/// Where an entry starts on a line: a dash, or a key.
struct EntryStart {
    column: usize,
    key: Option<String>,
}

fn entry_starts(shown: &str) -> Vec<EntryStart> {
    let mut starts = Vec::new();
    let mut rest = shown.trim_start_matches(' ');
    while rest == "-" || rest.starts_with("- ") {
        starts.push(EntryStart { column: shown.len() - rest.len(), key: None });
        rest = rest[1..].trim_start_matches(' ');
    }
    if let Some(key) = key_at_start(rest) {
        starts.push(EntryStart { column: shown.len() - rest.len(), key: Some(key.to_owned()) });
    }
    starts
}

/// The key that `rest` starts with: `shop: 1`, `"shop": 1`.
fn key_at_start(rest: &str) -> Option<&str> {
    if let Some(quote) = rest.chars().next().filter(|first| ['"', '\''].contains(first)) {
        let (key, after) = rest[1..].split_once(quote)?;
        return after.trim_start().starts_with(':').then_some(key);
    }
    let end =
        rest.find(": ").or_else(|| rest.trim_end().ends_with(':').then(|| rest.trim_end().len() - 1))?;
    (!rest.starts_with(['{', '[', '#'])).then(|| rest[..end].trim_end())
}

fn is_empty_or_comment(shown: &str) -> bool {
    let content = shown.trim_start();
    content.is_empty() || content.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn without(text: &str, line: u64, column: u64) -> String {
        let entry = find_entry(text, line, column, EntryOfPlace::Innermost).unwrap();
        let rest = blank_out(text, &entry);
        rest.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    #[test]
    fn key_is_left_out_with_all_of_its_value_and_lines_keep_their_numbers() {
        let text = "a: 1\nb:\n  c: 2\n\n  d: 3\ne:\n- 4\nf: 5\n";
        assert_eq!(without(text, 2, 1), "a: 1\n\n\n\n\ne:\n- 4\nf: 5\n");
        assert_eq!(without(text, 6, 1), "a: 1\nb:\n  c: 2\n\n  d: 3\n\n\nf: 5\n");
        assert_eq!(without(text, 3, 3), "a: 1\nb:\n\n\n  d: 3\ne:\n- 4\nf: 5\n");
    }

    #[test]
    fn comments_and_items_on_lines_of_their_own_belong_to_the_value() {
        assert_eq!(without("a:\n  b: 1\n# note\n  c: 2\nd: 3\n", 1, 1), "\n\n\n\nd: 3\n");
        assert_eq!(without("a:\n-\n  b: 1\nc: 2\n", 1, 1), "\n\n\nc: 2\n");
    }

    #[test]
    fn entry_of_a_flow_map_or_list_is_left_out_with_its_comma() {
        assert_eq!(without("x: {a: 1, b: 2, c: 3}\n", 1, 14), "x: {a: 1,       c: 3}\n");
        assert_eq!(without("x: {a: 1, b: 2}\n", 1, 14), "x: {a: 1,     }\n");
        assert_eq!(without("x: {a: \"1, }\", b: [2, 3]}\n", 1, 23), "x: {a: \"1, }\", b: [2,  ]}\n");
        assert_eq!(without("x: {a: \"1, }\", b: [2, 3]}\n", 1, 19), "x: {a: \"1, }\",          }\n");
        assert_eq!(without("x: {a: 1, b: 2}\n", 1, 4), "\n");
    }

    #[test]
    fn key_after_a_dash_leaves_the_other_keys_of_its_item() {
        assert_eq!(without("- a: 1\n  b: 2\n- c: 3\n", 1, 6), "-\n  b: 2\n- c: 3\n");
        assert_eq!(without("- a: 1\n  b: 2\n- c: 3\n", 1, 1), "\n\n- c: 3\n");
    }

    #[test]
    fn line_without_a_key_belongs_to_the_entry_above_it() {
        assert_eq!(without("a:\n  b: |\n    text\n    more\n  c: 1\n", 4, 5), "a:\n\n\n\n  c: 1\n");
    }

    #[test]
    fn value_that_starts_a_map_belongs_to_the_key_above_it() {
        let entry = |text, line, column| {
            find_entry(text, line, column, EntryOfPlace::WithValueAt).and_then(|entry| entry.key)
        };
        assert_eq!(entry("a:\n  b:\n    c: 1\n    d: 2\n", 3, 5).as_deref(), Some("b"));
        assert_eq!(entry("a:\n  b: {c: 1}\n", 2, 6).as_deref(), Some("b"));
        let map = find_entry("a:\n  b: {c: 1}\n", 2, 7, EntryOfPlace::WithMapOfKeyAt);
        assert_eq!(map.and_then(|entry| entry.key).as_deref(), Some("b"));
        assert_eq!(entry("a: 1\n", 1, 1), None);
        assert_eq!(entry("a:\n- b\n- c\n", 2, 1).as_deref(), Some("a"));
        assert_eq!(entry("a:\n  - b\n  - c\n", 2, 3).as_deref(), Some("a"));
    }
}
