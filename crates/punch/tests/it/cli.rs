//! The command line itself: help, versions, usage.

use crate::{reference::commands, world::World};

#[test]
fn every_help_text_has_an_example() {
    let world = World::new();
    let help = world.ok(&["--help"]).stdout;
    let mut checked = 0;
    let mut left: Vec<Vec<String>> = commands(&help).into_iter().map(|verb| vec![verb]).collect();
    while let Some(command) = left.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = world.ok(&[words.as_slice(), &["--help"]].concat()).stdout;
        let example = format!("Example:\n  punch {}", command.join(" "));
        assert!(help.contains(&example), "punch {command:?} --help has no example:\n{help}");
        left.extend(commands(&help).into_iter().map(|verb| [command.as_slice(), &[verb]].concat()));
        checked += 1;
    }
    assert!(checked > 30, "only {checked} commands were found");
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn invalid_command_line_is_a_usage_error() {
    let world = World::new();
    world.punch(&["publsh"]).fails(2, &["publish"]);
    world.punch(&["promote", "shop", "--from", "dev", "--to", "prod"]).fails(2, &["shop@1.2.0"]);
    world.punch(&["promote", "Shop@1", "--from", "dev", "--to", "prod"]).fails(2, &["lower-case letter"]);
    world.punch(&["publish"]).fails(2, &["FILE.rpm"]);
}

#[test]
fn version_is_printed() {
    let ran = World::new().ok(&["--version"]);
    assert_eq!(ran.stdout.trim(), format!("punch {}", env!("CARGO_PKG_VERSION")));
}
