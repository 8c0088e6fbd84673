//! The command line itself: help, versions, usage.

use crate::{reference::commands, test_folder::TestFolder};

#[test]
fn every_help_text_has_an_example() {
    let test = TestFolder::new();
    let help = test.ok(&["--help"]).stdout;
    let mut checked = 0;
    let mut left: Vec<Vec<String>> = commands(&help).into_iter().map(|verb| vec![verb]).collect();
    while let Some(command) = left.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = test.ok(&[words.as_slice(), &["--help"]].concat()).stdout;
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
    let test = TestFolder::new();
    test.punch(&["publsh"]).fails(2, &["publish"]);
    test.punch(&["promote", "shop", "--from", "dev", "--to", "prod"]).fails(2, &["shop@1.2.0"]);
    test.punch(&["promote", "Shop@1", "--from", "dev", "--to", "prod"]).fails(2, &["lower-case letter"]);
    test.punch(&["publish"]).fails(2, &["FILE.rpm"]);
}

#[test]
fn version_is_printed() {
    let output = TestFolder::new().ok(&["--version"]);
    assert_eq!(output.stdout.trim(), format!("punch {}", env!("CARGO_PKG_VERSION")));
}
