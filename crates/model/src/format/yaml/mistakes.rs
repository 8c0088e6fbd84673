//! Explains common YAML mistakes in plain words instead of the parser's.

use serde_saphyr::{Error, Location};

/// The rest of the line of `text` at the location of an error.
pub(super) fn rest_of_line_at<'t>(text: &'t str, at: &Location) -> &'t str {
    let line = usize::try_from(at.line()).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    let line = line.unwrap_or_default();
    let column = usize::try_from(at.column()).unwrap_or_default().saturating_sub(1);
    line.char_indices().nth(column).map_or("", |(start, _)| &line[start..])
}

/// The kind of token that starts there; never the token itself, which may be a secret.
pub(super) fn describe_yaml_token_kind(rest: &str) -> &'static str {
    match rest {
        "-" => "a list",
        rest if rest.starts_with("- ") || rest.starts_with('[') => "a list",
        rest if rest.starts_with("{{") => "`{{`, which starts a map; a text that starts so needs quotes",
        rest if rest.starts_with('{') || rest.contains(": ") || rest.ends_with(':') => "a map",
        "" => "something else",
        _ => "a single value",
    }
}

/// The line indented with a tab which a syntax error is about: the line it was noticed on, or one beside it.
pub(super) fn find_tab_indented_line_near_error(text: &str, error: &Error, at: &Location) -> Option<u64> {
    if !matches!(error, Error::ExternalMessage { .. }) {
        return None;
    }
    let indented_with_tab = |line: &u64| {
        let line = usize::try_from(*line).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
        line.is_some_and(|line| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty())
    };
    let noticed = at.line();
    [noticed, noticed.saturating_sub(1), noticed + 1].into_iter().find(indented_with_tab)
}

/// What to do about a scalar that is no whole number of the size wanted; starts with what goes before it.
pub(super) fn hint_for_wrong_whole_number(rest: &str) -> &'static str {
    let scalar = rest.split([' ', ',', '}', ']', '#']).next().unwrap_or_default();
    let digits = scalar.strip_prefix(['-', '+']).unwrap_or(scalar);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        ""
    } else if digits.contains('.') {
        ", and this one is written with a fraction; leave the `.` and what follows it out"
    } else if digits.len() > 1 && digits.starts_with('0') {
        "; whether a number that starts with 0 is octal depends on the reader, so write it without that 0"
    } else {
        " that fits in 64 bits with a sign, so at most 9223372036854775807; this one does not"
    }
}

/// The likely mistake behind a parser message; `None` when it is unknown.
pub(super) fn guess_yaml_mistake(message: &str, rest: &str) -> Option<&'static str> {
    if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|marker| rest.starts_with(marker)) {
        return Some("a conflict of a merge is left here, `<<<<<<<` to `>>>>>>>`; keep one of the two sides");
    }
    let known = [
        ("tab", "it is indented with a tab; use spaces"),
        ("simple key expected", "there is no `: ` after the key; write `key: value`"),
        (
            "mapping values are not allowed",
            "a text with `: ` in it needs quotes, or the indentation is wrong",
        ),
        ("unknown escape", "between double quotes `\\` starts an escape; write `\\\\`, or use single quotes"),
        ("unexpected character", "a text that starts with this character needs quotes"),
        ("scanning an anchor or alias", "a text that starts with `*` or `&` needs quotes"),
        (
            "block mapping, did not find expected key",
            "the indentation is not that of the lines it belongs to",
        ),
    ];
    known.iter().find(|(part, _)| message.contains(part)).map(|(_, meant)| *meant)
}
