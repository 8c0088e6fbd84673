//! Finds the line of a key in the text of `component.yaml`, for mistakes that are noticed after reading.

/// The line that starts `key`, counted from 1, or that of a key inside it, if `message` starts with its name
/// (`launch.user`). `None` when the key is written in another way, for instance in quotes.
pub(super) fn find_key_line_for_message(text: &str, key: &str, message: &str) -> Option<u64> {
    let lines: Vec<&str> = text.lines().collect();
    let top = lines.iter().position(|line| starts_key(line, key))?;
    let inner = message
        .strip_prefix('`')
        .and_then(|rest| rest.strip_prefix(key)?.strip_prefix('.')?.split('`').next());
    let inner_at = inner.and_then(|inner| {
        let block = lines[top + 1..].iter().take_while(|line| !line.starts_with(|c: char| c.is_alphabetic()));
        block.enumerate().find(|(_, line)| starts_key(line.trim_start(), inner)).map(|(at, _)| top + 1 + at)
    });
    u64::try_from(inner_at.unwrap_or(top) + 1).ok()
}

fn starts_key(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))
}
