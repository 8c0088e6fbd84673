//! The texts about a component: `summary`, `description`, `license` and `url`, as packages can carry them.

/// Checks a text of one line; the error starts with the key.
pub fn check_single_line_text(key: &str, text: &str) -> Result<(), String> {
    if let Some(character) = text.chars().find(|c| c.is_control()) {
        let written = match character {
            '\n' => "a line break".to_owned(),
            other => control_character(other),
        };
        return Err(format!("`{key}` holds {written}; it must be one line of plain text"));
    }
    if text.trim().is_empty() || text.len() > 500 {
        return Err(format!("`{key}` must be one line of at most 500 characters, and not an empty one"));
    }
    Ok(())
}

/// Checks a text of several lines and returns it with the line ends of Unix; the error starts with the key.
///
/// Files written on Windows end their lines with a carriage return and a line feed. Other control characters but
/// tabs are mistakes, and no package can hold them.
pub fn check_and_normalize_multiline_text(key: &str, text: &str) -> Result<String, String> {
    let text = text.replace("\r\n", "\n");
    match text.chars().find(|c| c.is_control() && !"\n\t".contains(*c)) {
        None => Ok(text),
        Some(character) => Err(format!(
            "`{key}` holds {}; only plain text, tabs and line breaks may be in it",
            control_character(character)
        )),
    }
}

/// A control character in words that can be looked up.
fn control_character(character: char) -> String {
    let name = match character {
        '\t' => " (tab)",
        '\r' => " (carriage return)",
        '\u{1b}' => " (escape)",
        _ => "",
    };
    format!("the control character U+{:04X}{name}", u32::from(character))
}
