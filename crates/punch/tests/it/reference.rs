//! The reference of the command line is what the program itself says.

use std::{fs, path::Path};

use crate::world::World;

/// Help without the way this machine wraps it.
fn help(world: &World, verb: &[&str]) -> String {
    let ran = world.ok(&[verb, &["--help"]].concat());
    let lines: Vec<&str> = ran.stdout.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn the_reference_is_what_the_program_says() {
    let world = World::new();
    let whole = help(&world, &[]);
    let verbs = whole
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| line.as_bytes().get(2).is_some_and(|byte| *byte != b' '))
        .filter_map(|line| line.split_whitespace().next());
    let mut text = format!(
        "# The command line of `punch`\n\nWritten by the program itself: `UPDATE=1 cargo test -p punch --test it reference`.\n\n```text\n{whole}\n```\n"
    );
    for verb in verbs {
        let mut sections = vec![vec![verb]];
        if verb == "key" {
            sections.extend([vec!["key", "new"], vec!["key", "public"]]);
        }
        for section in sections {
            text +=
                &format!("\n## `punch {}`\n\n```text\n{}\n```\n", section.join(" "), help(&world, &section));
        }
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
