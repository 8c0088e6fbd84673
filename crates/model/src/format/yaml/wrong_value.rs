//! Describes the value that an error is about; shows it only where no secret can stand.

use serde_saphyr::Location;

use super::mistakes;

/// At most so many characters of a value are shown.
const SHOWN_CHARACTERS: usize = 60;

/// What stands at `at`: the kind of value, and the value itself if it is one under a key of `shown_keys`. These are keys of
/// the outermost map, as `launch`, or of a map somewhere inside it, as `parameters.max`.
pub(super) fn describe_value_at(text: &str, at: &Location, shown_keys: &[&str]) -> String {
    let (before, rest) = split_line_at(text, at);
    // Inside brackets a plain value ends at a comma or a bracket.
    let is_plain = !rest.starts_with(['{', '[', '"', '\'', '*', '&', '!']);
    let rest = match is_plain && before.contains(['{', '[']) {
        true => &rest[..rest.find([',', '}', ']']).unwrap_or(rest.len())],
        false => rest,
    };
    let kind = mistakes::describe_yaml_token_kind(rest);
    let shown = match kind {
        "a single value" if is_value_shown(text, at, before, shown_keys) => describe_scalar(before, rest),
        _ => None,
    };
    shown.unwrap_or_else(|| kind.to_owned())
}

/// The same for the single value of the key that stands at `at`; `None` if it is not shown.
pub(super) fn describe_value_if_not_secret(text: &str, at: &Location, shown_keys: &[&str]) -> Option<String> {
    let (before, rest) = split_line_at(text, at);
    let start = rest.find(": ")? + 2;
    let (key, value) = rest.split_at(start);
    let (before, value) = (format!("{before}{key}"), value.trim_start());
    is_value_shown(text, at, &before, shown_keys).then(|| describe_scalar(&before, value))?
}

/// The value with its type, if all of it is on this line.
fn describe_scalar(before: &str, rest: &str) -> Option<String> {
    if let Some(quote) = rest.chars().next().filter(|first| ['"', '\''].contains(first)) {
        let (quoted, _) = rest[1..].split_once(quote)?;
        return Some(format!("the text {:?}", clip(quoted)));
    }
    if rest.starts_with(['|', '>', '&', '*', '!']) {
        return None;
    }
    let is_in_flow_style = before.contains(['{', '[']);
    let end = match is_in_flow_style {
        true => rest.find([',', '}', ']']).unwrap_or(rest.len()),
        false => rest.len(),
    };
    let scalar = rest[..end].split(" #").next().unwrap_or_default().trim();
    Some(match scalar {
        "" | "~" | "null" => "nothing".to_owned(),
        "true" | "false" => format!("`{scalar}`"),
        number if number.parse::<i64>().is_ok() && !has_leading_zero(number) => {
            format!("the whole number {number}")
        }
        number if number.parse::<f64>().is_ok() && !has_leading_zero(number) => {
            format!("the number {number}")
        }
        other => format!("the text {:?}", clip(other)),
    })
}

fn has_leading_zero(text: &str) -> bool {
    text.strip_prefix('0').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_value_shown(text: &str, at: &Location, before: &str, shown_keys: &[&str]) -> bool {
    let Some(outermost) = outermost_key(text, at) else { return false };
    let inner = before.trim_end().strip_suffix(':').map(|before| {
        let key = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next();
        format!("{outermost}.{}", key.unwrap_or_default())
    });
    shown_keys.contains(&outermost) || inner.is_some_and(|inner| shown_keys.contains(&inner.as_str()))
}

/// The key of the outermost map that the line of `at` belongs to.
fn outermost_key<'t>(text: &'t str, at: &Location) -> Option<&'t str> {
    let lines: Vec<&str> = text.lines().take(usize::try_from(at.line()).ok()?).collect();
    let starts_entry = |line: &&&str| !line.is_empty() && !line.starts_with([' ', '\t', '#', '-', ']', '}']);
    let (key, _) = lines.iter().rev().find(starts_entry)?.split_once(':')?;
    Some(key.trim_matches(['"', '\'']))
}

/// What stands on the line before `at`, and from there on.
fn split_line_at<'t>(text: &'t str, at: &Location) -> (&'t str, &'t str) {
    let rest = mistakes::rest_of_line_at(text, at);
    let line = usize::try_from(at.line()).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    let line = line.unwrap_or_default();
    (&line[..line.len() - rest.len()], rest)
}

fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}
