//! The command-line reference equals the help texts of the program.

use std::{fs, path::Path};

use crate::test_folder::TestFolder;

/// Help without the way this machine wraps it.
fn help(test: &TestFolder, verb: &[&str]) -> String {
    let output = test.ok(&[verb, &["--help"]].concat());
    let lines: Vec<&str> = output.stdout.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// The commands that a help text lists.
pub(crate) fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| line.as_bytes().get(2).is_some_and(|byte| *byte != b' '))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|command| command != "help")
        .collect()
}

/// Appends the help of a command, and of the commands below it.
fn append(test: &TestFolder, command: &[String], text: &mut String) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let shown = help(test, &words);
    *text += &format!("\n## `punch {}`\n\n```text\n{shown}\n```\n", command.join(" "));
    for verb in commands(&shown) {
        append(test, &[command, &[verb]].concat(), text);
    }
}

#[test]
fn committed_cli_reference_equals_the_help_texts() {
    let test = TestFolder::new();
    let whole = help(&test, &[]);
    let mut text = format!(
        "# The command line of `punch`\n\nWritten by the program itself: `UPDATE=1 cargo test -p punch --test it reference`.\n\n```text\n{whole}\n```\n"
    );
    for section in commands(&whole).into_iter().map(|verb| vec![verb]) {
        append(&test, &section, &mut text);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli-punch.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/reference/cli-punch.md is not what the program says; `UPDATE=1 cargo test -p punch --test it reference` rewrites it"
    );
}
