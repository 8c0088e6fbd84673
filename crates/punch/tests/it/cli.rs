//! The command line itself: help, versions, usage.

use crate::world::World;

#[test]
fn the_help_of_every_verb_has_an_example() {
    let world = World::new();
    let help = world.ok(&["--help"]).stdout;
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() > 5, "{help}");
    for verb in verbs {
        let verb: Vec<&str> = if verb == "key" { vec!["key", "new"] } else { vec![verb] };
        let help = world.ok(&[verb.as_slice(), &["--help"]].concat()).stdout;
        let example = format!("Example:\n  punch {}", verb.join(" "));
        assert!(help.contains(&example), "punch {verb:?} --help has no example:\n{help}");
    }
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let world = World::new();
    world.punch(&["publsh"]).fails(2, &["publish"]);
    world.punch(&["promote", "shop", "--from", "dev", "--to", "prod"]).fails(2, &["shop@1.2.0"]);
    world.punch(&["promote", "Shop@1", "--from", "dev", "--to", "prod"]).fails(2, &["lower-case letter"]);
    world.punch(&["publish"]).fails(2, &["FILE.rpm"]);
}

#[test]
fn the_version_is_told() {
    let ran = World::new().ok(&["--version"]);
    assert_eq!(ran.stdout.trim(), format!("punch {}", env!("CARGO_PKG_VERSION")));
}
