//! Reads a page of `docs/tutorial` or `docs/how-to` as steps that can be run: which commands, where, what they print, and
//! which files are written. The fast tests run pages of one machine, the end-to-end stories those with hosts.
//!
//! - A block of `sh` is run as it stands. `on=HOST` after it: as root on that host. `fails-with=CODE`: it ends with that
//!   code. `norun`: it is only shown.
//! - A block of `text` after it is what it prints: every line must occur in this order; `...` matches anything.
//! - Another block, after a paragraph that ends with "`PATH`:", is that file.

/// One thing that the page tells its reader to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageStep {
    /// Write a file.
    WriteFile {
        /// Where, relative to the folder the page begins in.
        path: String,
        /// Its whole content.
        text: String,
    },
    /// Run commands.
    RunCommands(PageCommands),
}

/// Commands that are run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageCommands {
    /// The line of the page they begin at.
    pub(crate) line: usize,
    /// The host they are run on; none: the reader's own machine.
    pub(crate) host: Option<String>,
    /// The exit code of the last of them.
    pub(crate) exit_code: i32,
    /// The commands, one a line.
    pub(crate) script: String,
    /// Lines that must occur in what they print.
    pub(crate) expected: Vec<String>,
}

/// The steps of a page, in its order; what is wrong with a block is an error that names its line.
pub(crate) fn parse_page_steps(text: &str) -> Result<Vec<PageStep>, String> {
    let mut steps: Vec<PageStep> = Vec::new();
    let mut paragraph = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            match line.trim() {
                // A paragraph stays the one before until the next begins.
                "" => paragraph.push('\n'),
                more if paragraph.ends_with('\n') => more.clone_into(&mut paragraph),
                more => paragraph.push_str(more),
            }
            continue;
        };
        let mut body = String::new();
        loop {
            match lines.next() {
                None => return Err(format!("line {}: the block has no end", index + 1)),
                Some((_, "```")) => break,
                Some((_, line)) => {
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
        let mut words = info.split_whitespace();
        match words.next().unwrap_or_default() {
            "sh" => {
                if let Some(typed) = typed_commands(index + 1, words, body)? {
                    steps.push(PageStep::RunCommands(typed));
                }
            }
            "text" => {
                if let Some(PageStep::RunCommands(typed)) = steps.last_mut()
                    && paragraph.trim().is_empty()
                    && typed.expected.is_empty()
                {
                    typed.expected = body.lines().map(str::to_owned).collect();
                }
            }
            _ => {
                if let Some(path) = file_named_before_block(&paragraph) {
                    steps.push(PageStep::WriteFile { path, text: body });
                }
            }
        }
        // What a block of output belongs to is the block right before it.
        paragraph = String::new();
    }
    Ok(steps)
}

/// What a block of `sh` with these words after it means; none if it is only shown.
fn typed_commands<'a>(
    line: usize,
    words: impl Iterator<Item = &'a str>,
    script: String,
) -> Result<Option<PageCommands>, String> {
    let mut typed = PageCommands { line, host: None, exit_code: 0, script, expected: Vec::new() };
    for word in words {
        match word.split_once('=') {
            Some(("on", host)) => typed.host = Some(host.to_owned()),
            Some(("fails-with", code)) => {
                typed.exit_code =
                    code.parse().map_err(|_| format!("line {line}: `{word}` has no exit code"))?;
            }
            None if word == "norun" => return Ok(None),
            _ => return Err(format!("line {line}: a block of sh has no `{word}`")),
        }
    }
    Ok(Some(typed))
}

/// The path at the end of a paragraph that ends with "`PATH`:".
fn file_named_before_block(paragraph: &str) -> Option<String> {
    let rest = paragraph.trim_end().strip_suffix("`:")?;
    rest.rsplit_once('`').map(|(_, path)| path.to_owned()).filter(|path| !path.contains(' '))
}

/// Whether `printed` has the expected lines in their order; if not, the first that is missing.
pub(crate) fn find_missing_output_line(expected: &[String], printed: &str) -> Option<String> {
    let mut lines = printed.lines();
    expected
        .iter()
        .filter(|line| line.trim() != "..." && !line.trim().is_empty())
        .find(|wanted| !lines.any(|line| matches_with_gaps(wanted.trim(), line.trim())))
        .cloned()
}

/// Whether `line` is `pattern`, in which `...` matches anything.
fn matches_with_gaps(pattern: &str, line: &str) -> bool {
    let parts: Vec<&str> = pattern.split("...").collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}
