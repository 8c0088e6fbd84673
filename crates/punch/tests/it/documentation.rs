//! The pages of `docs/tutorial` and `docs/how-to`, run from top to bottom in a fresh folder, as an ordinary user. Pages
//! with commands for another host are run by the end-to-end stories, on booted ones.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    documentation_page::{PageStep, find_missing_output_line, parse_page_steps},
    ordinary_user::{ORDINARY_USER, readable_programs},
    skip::has_tool,
};

/// Each page that is run here, and the programs it needs beside ours.
const PAGES: [(&str, &[&str]); 11] = [
    ("tutorial/first-hour.md", &["rpm", "python3"]),
    ("tutorial/existing-application.md", &["rpm", "python3"]),
    ("how-to/back-up-and-recover.md", &["rpm", "sha256sum"]),
    ("how-to/java-maven.md", &["rpm", "mvn", "javac"]),
    ("how-to/roll-back.md", &["rpm"]),
    ("how-to/rotate-keys.md", &["rpm"]),
    ("how-to/tls-and-proxy.md", &["rpm", "openssl"]),
    ("how-to/use-from-ci.md", &["rpm", "python3"]),
    ("how-to/use-the-pages.md", &["rpm"]),
    ("how-to/withdraw.md", &["rpm"]),
    ("how-to/write-an-archetype.md", &["rpm"]),
];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").canonicalize().unwrap()
}

fn steps_of(page: &str) -> Vec<PageStep> {
    let text = fs::read_to_string(docs().join(page)).unwrap();
    parse_page_steps(&text).unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn has_commands_for_hosts(steps: &[PageStep]) -> bool {
    steps.iter().any(|step| matches!(step, PageStep::RunCommands(commands) if commands.host.is_some()))
}

/// A script that runs the steps, each block with its output in a file of its own.
fn write_script(steps: &[PageStep], folder: &Path, port: u16) -> PathBuf {
    let at_port = |text: &str| text.replace(":8700", &format!(":{port}"));
    let mut script = String::from("set -u\n");
    for (number, step) in steps.iter().enumerate() {
        let file = folder.join(number.to_string());
        let shown = file.display();
        match step {
            PageStep::WriteFile { path, text } => {
                fs::write(&file, at_port(text)).unwrap();
                _ = writeln!(script, "mkdir -p \"$(dirname \"$PAGE/{path}\")\"; cp {shown} \"$PAGE/{path}\"");
            }
            PageStep::RunCommands(commands) => {
                fs::write(&file, at_port(&commands.script)).unwrap();
                let (strict, expected) =
                    if commands.exit_code == 0 { ("-e", 0) } else { ("+e", commands.exit_code) };
                _ = writeln!(
                    script,
                    "echo {number} > {}/reached; set {strict}\n. {shown} < /dev/null > {shown}.out 2>&1\n\
                     code=$?; set +e; [ $code = {expected} ] || exit 99",
                    folder.display()
                );
            }
        }
    }
    _ = writeln!(script, "echo end > {}/reached", folder.display());
    let path = folder.join("script");
    fs::write(&path, script).unwrap();
    path
}

fn run_page(page: &str) {
    let (_, tools) = PAGES.iter().find(|(known, _)| *known == page).unwrap();
    if !tools.iter().copied().all(has_tool) {
        return;
    }
    let steps = steps_of(page);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let temporary = tempfile::tempdir().unwrap();
    let (work, scripts) = (temporary.path().join("page"), temporary.path().join("steps"));
    fs::create_dir(&work).unwrap();
    fs::create_dir(&scripts).unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = write_script(&steps, &scripts, port);

    let mut command = Command::new("bash");
    command.arg(script).current_dir(&work).env_clear();
    #[expect(
        clippy::disallowed_methods,
        reason = "the reader's programs are those of whoever runs the tests"
    )]
    let path = std::env::var("PATH").unwrap();
    let variables = [
        ("PATH", format!("{}:{path}", readable_programs().display())),
        ("HOME", work.display().to_string()),
        ("PAGE", work.display().to_string()),
        ("GEPPETTO_LISTEN", format!("127.0.0.1:{port}")),
        ("USER", "alice".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    command.envs(variables).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        for folder in [&work, &scripts] {
            std::os::unix::fs::chown(folder, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
        }
        command.uid(ORDINARY_USER).gid(ORDINARY_USER);
    }
    let mut child = command.process_group(0).spawn().unwrap();
    let ended = child.wait().unwrap();
    // What still runs, a control plane, has no reader any more.
    let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);

    let reached = fs::read_to_string(scripts.join("reached")).unwrap_or_default();
    for (number, step) in steps.iter().enumerate() {
        let PageStep::RunCommands(commands) = step else { continue };
        let printed = fs::read(scripts.join(format!("{number}.out"))).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        let place = format!("docs/{page}:{}", commands.line);
        assert!(
            ended.success() || reached.trim() != number.to_string(),
            "{place}: the block ended otherwise than with {} (the page ended with {ended})\n{}\nprinted\n{printed}",
            commands.exit_code,
            commands.script
        );
        let expected: Vec<String> =
            commands.expected.iter().map(|line| line.replace(":8700", &format!(":{port}"))).collect();
        if let Some(missing) = find_missing_output_line(&expected, &printed) {
            panic!(
                "{place}: the line\n  {missing}\nis not, or not in this order, in what was printed\n{printed}"
            );
        }
    }
    assert_eq!(reached.trim(), "end", "docs/{page} ended early ({ended})");
}

#[test]
fn commands_of_the_first_hour_print_what_the_page_says() {
    run_page("tutorial/first-hour.md");
}

#[test]
fn commands_of_the_existing_application_print_what_the_page_says() {
    run_page("tutorial/existing-application.md");
}

#[test]
fn commands_of_backup_and_recovery_print_what_the_page_says() {
    run_page("how-to/back-up-and-recover.md");
}

#[test]
fn commands_of_java_with_maven_print_what_the_page_says() {
    run_page("how-to/java-maven.md");
}

#[test]
fn commands_of_rollback_print_what_the_page_says() {
    run_page("how-to/roll-back.md");
}

#[test]
fn commands_of_key_rotation_print_what_the_page_says() {
    run_page("how-to/rotate-keys.md");
}

#[test]
fn commands_of_tls_and_proxy_print_what_the_page_says() {
    run_page("how-to/tls-and-proxy.md");
}

#[test]
fn commands_of_use_from_ci_print_what_the_page_says() {
    run_page("how-to/use-from-ci.md");
}

#[test]
fn commands_of_the_pages_print_what_the_page_says() {
    run_page("how-to/use-the-pages.md");
}

#[test]
fn commands_of_withdrawal_print_what_the_page_says() {
    run_page("how-to/withdraw.md");
}

#[test]
fn commands_of_the_own_archetype_print_what_the_page_says() {
    run_page("how-to/write-an-archetype.md");
}

#[test]
fn every_page_with_commands_for_one_machine_is_run() {
    let mut found = BTreeSet::new();
    for kind in ["tutorial", "how-to"] {
        for entry in fs::read_dir(docs().join(kind)).unwrap() {
            let page = format!("{kind}/{}", entry.unwrap().file_name().to_str().unwrap());
            let steps = steps_of(&page);
            if !steps.is_empty() && !has_commands_for_hosts(&steps) {
                found.insert(page);
            }
        }
    }
    let run: BTreeSet<String> = PAGES.iter().map(|(page, _)| (*page).to_owned()).collect();
    assert_eq!(run, found);
}

#[test]
fn every_block_that_is_only_shown_says_why() {
    let mut shown = 0;
    for kind in ["tutorial", "how-to"] {
        for entry in fs::read_dir(docs().join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let parts: Vec<&str> = text.split("\n```sh norun\n").collect();
            for text in &parts[..parts.len() - 1] {
                let paragraph = text.trim_end().rsplit("\n\n").next().unwrap();
                let has_reason =
                    paragraph.starts_with("Not run by a test") && paragraph.contains(", because ");
                assert!(
                    has_reason,
                    "{}: a block that is not run does not say why:\n{paragraph}",
                    path.display()
                );
                shown += 1;
            }
        }
    }
    // A new one is a block that somebody could not make a test run: is that so?
    assert_eq!(shown, 14, "blocks of commands that no test runs");
}

#[test]
fn page_steps_and_output_lines_are_read_as_the_pages_mean_them() {
    let page = "Write `a/b.yaml`:\n\n```yaml\nx: 1\n```\n\n```yaml\nonly: shown\n```\n\n```sh on=web-01 fails-with=3\n\
                punch plan\n```\n\n```text\none ... three\n...\nfour\n```\n\n```sh norun\nno\n```\n";
    let steps = parse_page_steps(page).unwrap();
    assert_eq!(steps.len(), 2, "{steps:#?}");
    assert_eq!(steps[0], PageStep::WriteFile { path: "a/b.yaml".to_owned(), text: "x: 1\n".to_owned() });
    let PageStep::RunCommands(commands) = &steps[1] else { panic!("{steps:#?}") };
    assert_eq!((commands.host.as_deref(), commands.exit_code, commands.line), (Some("web-01"), 3, 11));
    assert_eq!(find_missing_output_line(&commands.expected, "zero\none two three\nmore\nfour\n"), None);
    let missing = |printed| find_missing_output_line(&commands.expected, printed);
    assert_eq!(missing("four\none two three\n").as_deref(), Some("four"));
    assert_eq!(missing("one two threes\nfour\n").as_deref(), Some("one ... three"));
    assert!(parse_page_steps("```sh nurun\n```\n").is_err());
    assert!(parse_page_steps("```sh\n").is_err());
}
