//! Paths of entries inside maps, as people write them: `labels.team`. A dot inside a key is written `\.`.

/// The parts of a path, with their escapes taken away.
pub(crate) fn split_unescaped_dots(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            ('.', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.extend(chars.next()),
            (c, Some(part)) => part.push(c),
            (_, None) => (),
        }
    }
    parts
}

/// The path of these parts, which [`split_unescaped_dots`] cuts into them again.
pub(crate) fn join_with_escaped_dots(parts: &[String]) -> String {
    let parts: Vec<String> =
        parts.iter().map(|part| part.replace('\\', "\\\\").replace('.', "\\.")).collect();
    parts.join(".")
}
