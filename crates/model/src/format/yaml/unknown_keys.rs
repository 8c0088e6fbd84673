//! Leaves a key out of a text, so that what comes after it can be read.

/// The text with empty lines in place of the key on `line`, counted from 1, and of its value. `None` where the key does not
/// begin its line, as in `{a: 1, b: 2}` or after `- `.
pub(super) fn blank_out_key(text: &str, key: &str, line: u64) -> Option<String> {
    let first = usize::try_from(line).ok()?.checked_sub(1)?;
    let lines: Vec<&str> = text.lines().collect();
    let written = lines.get(first)?.trim_start_matches(' ');
    let bare = written.strip_prefix(['"', '\'']).unwrap_or(written);
    let after = bare.strip_prefix(key)?;
    if !after.trim_start_matches(['"', '\'']).trim_start().starts_with(':') {
        return None;
    }
    let indentation = lines[first].len() - written.len();
    let belongs_to_value = |line: &&&str| {
        let content = line.trim_start_matches(' ');
        let indented = line.len() - content.len();
        let is_list_item = content == "-" || content.starts_with("- ");
        // A comment belongs to what it stands in, however it is indented.
        content.is_empty()
            || content.starts_with('#')
            || indented > indentation
            || (indented == indentation && is_list_item)
    };
    let value = lines[first + 1..].iter().take_while(belongs_to_value).count();
    let kept = |(at, line): (usize, &&str)| match (first..=first + value).contains(&at) {
        true => "\n".to_owned(),
        false => format!("{line}\n"),
    };
    Some(lines.iter().enumerate().map(kept).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_left_out_with_all_of_its_value_and_lines_keep_their_numbers() {
        let text = "a: 1\nb:\n  c: 2\n\n  d: 3\ne:\n- 4\nf: 5\n";
        assert_eq!(blank_out_key(text, "b", 2).unwrap(), "a: 1\n\n\n\n\ne:\n- 4\nf: 5\n");
        assert_eq!(blank_out_key(text, "e", 6).unwrap(), "a: 1\nb:\n  c: 2\n\n  d: 3\n\n\nf: 5\n");
        assert_eq!(blank_out_key(text, "c", 3).unwrap(), "a: 1\nb:\n\n\n  d: 3\ne:\n- 4\nf: 5\n");
    }

    #[test]
    fn comments_and_items_on_lines_of_their_own_belong_to_the_value() {
        assert_eq!(blank_out_key("a:\n  b: 1\n# note\n  c: 2\nd: 3\n", "a", 1).unwrap(), "\n\n\n\nd: 3\n");
        assert_eq!(blank_out_key("a:\n-\n  b: 1\nc: 2\n", "a", 1).unwrap(), "\n\n\nc: 2\n");
    }

    #[test]
    fn key_that_does_not_begin_its_line_is_not_left_out() {
        assert_eq!(blank_out_key("x: {a: 1}\n", "a", 1), None);
        assert_eq!(blank_out_key("- a: 1\n", "a", 1), None);
        assert_eq!(blank_out_key("ab: 1\n", "a", 1), None);
        assert_eq!(blank_out_key("a: 1\n", "a", 9), None);
    }
}
