//! Colours of plans, effects and differences. The signs and words say everything that the colours do.

use anstyle::{AnsiColor, Style};

/// Where the lines of a text have their `+` and `-`, and what its headings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeLayout {
    /// A unified difference: signs at the start of the line, headings are `@@`.
    Diff,
    /// Effects on servers: indented by two spaces below their heading.
    Effects,
    /// A plan: differences of files are indented by four spaces below their heading.
    Plan,
}

impl ChangeLayout {
    /// What stands before the sign of a line.
    fn indentation(self) -> &'static str {
        match self {
            Self::Diff => "",
            Self::Effects => "  ",
            Self::Plan => "    ",
        }
    }
}

/// The text with added lines green, removed lines red and headings bold.
pub(super) fn colour_changes(text: &str, layout: ChangeLayout) -> String {
    let lines = text.lines().map(|line| match style_of_line(line, layout) {
        Some(style) => format!("{style}{line}{style:#}"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn style_of_line(line: &str, layout: ChangeLayout) -> Option<Style> {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match line.strip_prefix(layout.indentation()).and_then(|rest| rest.bytes().next()) {
        Some(b'+') => Some(colour(AnsiColor::Green)),
        Some(b'-') => Some(colour(AnsiColor::Red)),
        Some(b'@') if layout != ChangeLayout::Effects => Some(colour(AnsiColor::Cyan)),
        _ if layout != ChangeLayout::Diff && !line.is_empty() && !line.starts_with(' ') => {
            Some(Style::new().bold())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEN: &str = "\u{1b}[32m";
    const RED: &str = "\u{1b}[31m";
    const CYAN: &str = "\u{1b}[36m";
    const BOLD: &str = "\u{1b}[1m";
    const END: &str = "\u{1b}[0m";

    #[test]
    fn added_lines_are_green_removed_lines_red_and_headings_bold() {
        let plan =
            "change file:/etc/x (shop)\n  mode: 0644 -> 0640\n    @@ -1 +1 @@\n    -a\n    +b\n     - item";
        assert_eq!(
            colour_changes(plan, ChangeLayout::Plan),
            format!(
                "{BOLD}change file:/etc/x (shop){END}\n  mode: 0644 -> 0640\n{CYAN}    @@ -1 +1 @@{END}\n\
                 {RED}    -a{END}\n{GREEN}    +b{END}\n     - item"
            )
        );
        let effects =
            "1 server, 1 distinct result\n1 server: web-01\n  - removes shop\n  + shop.port: 80 -> 81";
        assert_eq!(
            colour_changes(effects, ChangeLayout::Effects),
            format!(
                "{BOLD}1 server, 1 distinct result{END}\n{BOLD}1 server: web-01{END}\n{RED}  - removes shop{END}\n\
                 {GREEN}  + shop.port: 80 -> 81{END}"
            )
        );
        assert_eq!(
            colour_changes("@@ -1 +1 @@\n - item\n-- item\n+x", ChangeLayout::Diff),
            format!("{CYAN}@@ -1 +1 @@{END}\n - item\n{RED}-- item{END}\n{GREEN}+x{END}")
        );
    }

    #[test]
    fn text_without_its_colours_is_the_text() {
        let text = "install packages (shop)\n  a-b 1.0\n  ab-c 1.0\n\nnothing to do";
        let coloured = colour_changes(text, ChangeLayout::Plan);
        assert_eq!(coloured.replace(BOLD, "").replace(END, ""), text);
        assert!(!coloured.contains(RED), "{coloured:?}");
    }
}
