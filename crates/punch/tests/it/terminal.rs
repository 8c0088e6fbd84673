//! What is different on a terminal: colour and paging.

use crate::{
    components::{node, packaged},
    skip::has_tool,
    test_folder::{CommandOutput, TestFolder, run},
};

const ESCAPE: char = '\u{1b}';
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const BOLD: &str = "\u{1b}[1m";

/// Runs punch on a terminal of ten lines; stdout is what the terminal shows. Nothing where there is no `script`.
fn punch_on_terminal(
    test: &TestFolder,
    arguments: &str,
    environment: &[(&str, &str)],
) -> Option<CommandOutput> {
    if !has_tool("script") || !has_tool("stty") {
        return None;
    }
    let line = format!("stty rows 10 cols 120; '{}' {arguments}", env!("CARGO_BIN_EXE_punch"));
    let command = test.command(&[]);
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(test.path("")).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").envs(environment.iter().copied());
    let output = run(script.stdin(std::process::Stdio::null()));
    Some(CommandOutput { stdout: output.stdout.replace("\r\n", "\n"), ..output })
}

/// A package, and a node file that changes what an earlier one made below `root`.
fn changed_shop() -> TestFolder {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.ok(&["apply", "node.yaml", "--repository", "dist", "--root", "root", "--allow-unsigned"]);
    test.write(
        "node.yaml",
        "format: geppetto/node/1\ncomponents:\n  shop:\n    version: 1.0.0\n    \
         values: {greeting: bonjour, password: s3cret}\n",
    );
    test
}

const PLAN: &str = "plan node.yaml --repository dist --root root --allow-unsigned";

#[test]
fn plan_is_coloured_when_asked_for_and_plain_in_a_pipe() {
    let test = changed_shop();
    let plan: Vec<&str> = PLAN.split(' ').collect();
    let plain = test.punch(&plan);
    assert_eq!(plain.code, 10, "{}", plain.stderr);
    assert!(!plain.stdout.contains(ESCAPE), "{}", plain.stdout);
    let coloured = run(test.command(&[&plan[..], &["--color", "always"]].concat()).env("NO_COLOR", "1"));
    assert!(
        coloured.stdout.contains(&format!("{BOLD}change file:/etc/shop/shop.conf (shop)")),
        "{}",
        coloured.stdout
    );
    assert!(!coloured.stdout.contains("s3cret"), "{}", coloured.stdout);
    assert!(coloured.stderr.contains(&format!("{ESCAPE}[")), "{}", coloured.stderr);
    let uncoloured: String = strip_escapes(&coloured.stdout);
    assert_eq!(uncoloured, plain.stdout, "colour adds nothing but colour");
    let json = test.punch(&[&plan[..], &["--color", "always", "--json"]].concat());
    assert!(!json.stdout.contains(ESCAPE), "{}", json.stdout);
}

#[test]
fn changed_lines_of_a_file_are_green_and_red_beside_their_signs() {
    let test = changed_shop();
    node(&test, "node.yaml", "1.0.0", "bonjour");
    let plan: Vec<&str> = PLAN.split(' ').chain(["--color=always"]).collect();
    let output = test.punch(&plan).stdout;
    assert!(output.contains(&format!("{RED}    -greeting=hello")), "{output}");
    assert!(output.contains(&format!("{GREEN}    +greeting=bonjour")), "{output}");
}

#[test]
fn terminal_gets_colour_unless_no_color_or_the_option_says_otherwise() {
    let test = changed_shop();
    let coloured = |arguments: &str, environment: &[(&str, &str)]| {
        let output = punch_on_terminal(&test, arguments, environment)?;
        assert!(output.stdout.contains("shop.conf"), "{}", output.stdout);
        Some(output.stdout.contains(BOLD))
    };
    let Some(by_default) = coloured(PLAN, &[]) else { return };
    assert!(by_default);
    assert_eq!(coloured(PLAN, &[("NO_COLOR", "1")]), Some(false));
    assert_eq!(coloured(PLAN, &[("TERM", "dumb")]), Some(false));
    assert_eq!(coloured(&format!("{PLAN} --color never"), &[]), Some(false));
    assert_eq!(coloured(&format!("{PLAN} --color always"), &[("NO_COLOR", "1")]), Some(true));
}

/// The text without its colours.
fn strip_escapes(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn long_output_on_a_terminal_is_shown_by_the_pager_of_the_environment() {
    let test = TestFolder::new();
    let paged = |arguments: &str, environment: &[(&str, &str)]| {
        let output = punch_on_terminal(&test, arguments, environment)?;
        assert!(output.stdout.contains("web-service"), "{}", output.stdout);
        let ours = output.stdout.lines().filter(|line| line.starts_with("ours:")).count();
        let theirs = output.stdout.lines().filter(|line| line.starts_with("theirs:")).count();
        Some((ours > 10, theirs > 10))
    };
    let (ours, theirs) = (("PUNCH_PAGER", "sed s/^/ours:/"), ("PAGER", "sed s/^/theirs:/"));
    let Some(with_both) = paged("archetypes", &[ours, theirs]) else { return };
    assert_eq!(with_both, (true, false));
    assert_eq!(paged("archetypes", &[theirs]), Some((false, true)));
    assert_eq!(paged("archetypes", &[("PUNCH_PAGER", ""), theirs]), Some((false, false)));
    assert_eq!(paged("archetypes --no-pager", &[ours]), Some((false, false)));
    assert_eq!(paged("archetypes --json", &[ours]), Some((false, false)));
    let broken = ("PUNCH_PAGER", "/nowhere/pager");
    assert_eq!(paged("archetypes", &[broken]), Some((false, false)), "it is printed plainly");
    let piped = run(test.command(&["archetypes"]).envs([ours]));
    assert!(!piped.stdout.contains("ours:"), "{}", piped.stdout);
}

#[test]
fn less_is_the_pager_of_long_output_and_short_output_has_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let test = TestFolder::new();
    let less = test.write("bin/less", "#!/bin/sh\necho \"less $*\"\ncat\n");
    std::fs::set_permissions(&less, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", test.path("bin").display(), std::env::var_os("PATH").unwrap().display());
    let environment = [("PATH", path.as_str())];
    let Some(long) = punch_on_terminal(&test, "archetypes", &environment) else { return };
    assert!(long.stdout.starts_with("less -FRX\n"), "{}", long.stdout);
    let short = punch_on_terminal(&test, "history --root root", &environment).unwrap();
    assert!(!short.stdout.contains("less -FRX"), "{}", short.stdout);
    assert!(short.stdout.contains("no run yet on this host"), "notes follow: {}", short.stdout);
}
