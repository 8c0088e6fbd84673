//! Slips people make in YAML, told in their words instead of a parser's.

use serde_saphyr::Location;

/// What stands in `text` from where an error was noticed to the end of its line.
pub(super) fn rest<'t>(text: &'t str, at: &Location) -> &'t str {
    let line = usize::try_from(at.line()).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    let line = line.unwrap_or_default();
    let column = usize::try_from(at.column()).unwrap_or_default().saturating_sub(1);
    line.char_indices().nth(column).map_or("", |(start, _)| &line[start..])
}

/// What kind of thing starts there; never the thing itself, which may be a secret.
pub(super) fn found(rest: &str) -> &'static str {
    match rest {
        "-" => "a list",
        rest if rest.starts_with("- ") || rest.starts_with('[') => "a list",
        rest if rest.starts_with("{{") => "`{{`, which starts a map; a text that starts so needs quotes",
        rest if rest.starts_with('{') || rest.contains(": ") || rest.ends_with(':') => "a map",
        "" => "something else",
        _ => "a single value",
    }
}

/// What somebody meant when the parser says `message`; `None` when nobody knows.
pub(super) fn meant(message: &str, rest: &str) -> Option<&'static str> {
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
