//! Explains common YAML mistakes in plain words instead of the parser's.

use serde_saphyr::Location;

/// The rest of the line of `text` at the location of an error.
pub(super) fn rest_of_line<'t>(text: &'t str, at: &Location) -> &'t str {
    let line = usize::try_from(at.line()).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    let line = line.unwrap_or_default();
    let column = usize::try_from(at.column()).unwrap_or_default().saturating_sub(1);
    line.char_indices().nth(column).map_or("", |(start, _)| &line[start..])
}

/// The kind of token that starts there; never the token itself, which may be a secret.
pub(super) fn token_kind(rest: &str) -> &'static str {
    match rest {
        "-" => "a list",
        rest if rest.starts_with("- ") || rest.starts_with('[') => "a list",
        rest if rest.starts_with("{{") => "`{{`, which starts a map; a text that starts so needs quotes",
        rest if rest.starts_with('{') || rest.contains(": ") || rest.ends_with(':') => "a map",
        "" => "something else",
        _ => "a single value",
    }
}

/// The likely mistake behind a parser message; `None` when it is unknown.
pub(super) fn likely_mistake(message: &str, rest: &str) -> Option<&'static str> {
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
