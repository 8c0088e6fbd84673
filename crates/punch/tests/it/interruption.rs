//! Ctrl-C: what is left, what is said, and how the program ends.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    canned::{Canned, channels, json},
    components::{node, packaged, shop},
    skip::has_tool,
    test_folder::TestFolder,
};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIGHUP: i32 = 1;

/// The command line of punch in the folder, with signals as a terminal gives them: the tests themselves may run in the
/// background of a shell, which has SIGINT ignored there.
fn command_with_default_signals(test: &TestFolder, arguments: &[&str]) -> Command {
    let punch = test.command(arguments);
    let mut command = Command::new("env");
    command
        .args(["--default-signal=INT", "--default-signal=TERM", "--default-signal=HUP"])
        .arg(punch.get_program())
        .args(punch.get_args());
    command.current_dir(test.path("")).stdin(Stdio::null()).env_clear();
    command.envs(punch.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// Starts punch in the folder; nobody reads its output before its end.
fn start(test: &TestFolder, arguments: &[&str]) -> Child {
    command_with_default_signals(test, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[track_caller]
fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..400 {
        if reached() {
            return;
        }
        thread::sleep(Duration::from_millis(25));
    }
    panic!("after ten seconds: {what}");
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The signal that ended the program, and what it said on stderr.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap().signal(), stderr)
}

#[test]
fn interrupted_build_writes_no_package() {
    let test = TestFolder::new();
    shop(&test, "1.0.0");
    let description = test.read("shop/component.yaml");
    test.write("shop/component.yaml", &format!("{description}build: \"touch started; exec sleep 30\"\n"));
    for (name, signal) in [("-INT", SIGINT), ("-TERM", SIGTERM)] {
        let _ = fs::remove_file(test.path("shop/started"));
        let mut command =
            command_with_default_signals(&test, &["package", "shop", "--source-date", "1700000000"]);
        let child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("the build begins", || test.path("shop/started").exists());
        // As a terminal does it: to the build, too.
        let group = format!("-{}", child.id());
        assert!(Command::new("kill").args([name, "--", &group]).status().unwrap().success());
        let (ended, stderr) = end(child);
        assert_eq!(ended, Some(signal), "{stderr}");
        assert!(stderr.contains("error: interrupted by SIG"), "{stderr}");
        assert!(stderr.contains("no package was written"), "{stderr}");
        assert!(!test.path("dist").exists());
    }
}

/// Whether a process goes on; one that ended and was not waited for does not.
fn is_running(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[test]
fn signal_to_punch_alone_ends_the_programs_that_a_component_runs() {
    for verb in ["test", "package"] {
        for (name, signal) in [("-INT", SIGINT), ("-TERM", SIGTERM), ("-HUP", SIGHUP)] {
            let test = TestFolder::new();
            fs::create_dir(test.path("tmp")).unwrap();
            shop(&test, "1.0.0");
            let description = test.read("shop/component.yaml");
            // A background program of a shell ignores SIGINT.
            let build = "build: \"trap '' INT; sleep 30 & echo $! > child; echo $$ > started; wait\"\n";
            test.write("shop/component.yaml", &format!("{description}{build}"));
            let mut command =
                command_with_default_signals(&test, &[verb, "shop", "--source-date", "1700000000"]);
            command.env("TMPDIR", test.path("tmp"));
            let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let read = |name: &str| fs::read_to_string(test.path("shop").join(name)).unwrap_or_default();
            wait_until("the build begins", || !read("started").is_empty());
            send(name, &child);
            let (ended, stderr) = end(child);
            assert_eq!(ended, Some(signal), "{stderr}");
            for file in ["started", "child"] {
                wait_until("the build ends", || !is_running(&read(file)));
            }
            assert!(stderr.contains("no package was written"), "{stderr}");
            assert!(!stderr.contains("ended with signal"), "{stderr}");
            assert_eq!(fs::read_dir(test.path("tmp")).unwrap().count(), 0);
        }
    }
}

#[test]
fn interrupted_test_says_which_command_was_ended() {
    let test = TestFolder::new();
    shop(&test, "1.0.0");
    let description = test.read("shop/component.yaml");
    let commands = "build: \"true\"\ntest: \"touch started; exec sleep 30\"\n";
    test.write("shop/component.yaml", &format!("{description}{commands}"));
    let child = start(&test, &["test", "shop", "--source-date", "1700000000"]);
    wait_until("the test begins", || test.path("shop/started").exists());
    send("-INT", &child);
    let (ended, stderr) = end(child);
    assert_eq!(ended, Some(SIGINT), "{stderr}");
    assert!(
        stderr.ends_with(
            "interrupted by SIGINT: the test command of shop was ended too; what it wrote stays, and no package was written\n"
        ),
        "{stderr}"
    );
}

#[test]
fn interrupted_login_saves_nothing_and_leaves_no_temporary_file() {
    let test = TestFolder::new();
    fs::create_dir(test.path("tmp")).unwrap();
    test.write("token", "gpt_0123456789abcdef_0123456789abcdef0123456789abcdef");
    let canned = silent_after(vec![]);
    let mut command = command_with_default_signals(&test, &["login", &canned.url, "--token-file", "token"]);
    command.env("TMPDIR", test.path("tmp"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("a request waits", || canned.waits_for_an_answer());
    send("-INT", &child);
    let (ended, stderr) = end(child);
    assert_eq!(ended, Some(SIGINT), "{stderr}");
    assert!(stderr.contains("interrupted by SIGINT: nothing was saved; "), "{stderr}");
    assert!(stderr.contains("home/.config/geppetto/punch.yaml is as it was"), "{stderr}");
    assert!(!test.path("home").exists());
    assert_eq!(fs::read_dir(test.path("tmp")).unwrap().count(), 0);
}

#[test]
fn interrupted_wait_for_events_says_that_nothing_was_changed() {
    let test = TestFolder::new();
    let canned = silent_after(vec![]);
    let child = start(&test, &["event", "follow", "--url", &canned.url]);
    wait_until("a request waits", || canned.waits_for_an_answer());
    send("-INT", &child);
    let (ended, stderr) = end(child);
    assert_eq!(ended, Some(SIGINT), "{stderr}");
    assert!(stderr.contains("interrupted by SIGINT: nothing was changed; events that come now"), "{stderr}");
}

#[test]
fn interrupted_packaging_leaves_no_temporary_file_and_the_earlier_packages() {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    let before = files(&test);
    // Random bytes cannot be compressed, so that this takes a while.
    let urandom = fs::File::open("/dev/urandom").unwrap();
    let mut bytes = Vec::new();
    urandom.take(96 << 20).read_to_end(&mut bytes).unwrap();
    fs::write(test.path("shop/shop.sh"), bytes).unwrap();
    let child = start(&test, &["package", "shop", "--out", "dist", "--source-date", "1700000000"]);
    wait_until("a temporary file appears", || files(&test).len() > before.len());
    send("-INT", &child);
    let (ended, stderr) = end(child);
    assert_eq!(ended, Some(SIGINT), "{stderr}");
    assert!(stderr.contains("no package was written; what was there before stays"), "{stderr}");
    assert_eq!(files(&test), before);
}

/// The files in `dist`, and their sizes.
fn files(test: &TestFolder) -> Vec<(String, u64)> {
    let entries = fs::read_dir(test.path("dist")).unwrap().flatten();
    let mut files: Vec<(String, u64)> = entries
        .filter_map(|entry| {
            Some((entry.file_name().to_string_lossy().into_owned(), entry.metadata().ok()?.len()))
        })
        .collect();
    files.sort();
    files
}

/// A control plane that answers each of `answers`, and then never.
fn silent_after(answers: Vec<String>) -> Canned {
    Canned::new([answers, vec![Canned::NO_ANSWER.to_owned()]].concat())
}

#[test]
fn interrupted_publication_says_whether_the_channel_may_have_changed() {
    let test = TestFolder::new();
    test.write("a.rpm", "R");
    let received = json("200 OK", r#"{"file":"a.rpm","sha256":"00","size":1}"#);
    for (answers, expected) in [
        (vec![], "nothing was changed in dev; packages that were sent whole are kept"),
        (
            vec![channels(&["dev"]), received],
            "dev may have changed: the same command completes it, or finds it done",
        ),
    ] {
        let canned = silent_after(answers);
        let child = start(&test, &["publish", "a.rpm", "--url", &canned.url, "--json"]);
        wait_until("a request waits", || canned.waits_for_an_answer());
        send("-INT", &child);
        let (ended, stderr) = end(child);
        assert_eq!(ended, Some(SIGINT), "{stderr}");
        let error: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
        assert_eq!(error["error"]["exit"], 130);
        assert!(error["error"]["message"].as_str().unwrap().contains(expected), "{stderr}");
    }
}

#[test]
fn interrupted_wait_for_a_job_says_that_the_job_goes_on() {
    let test = TestFolder::new();
    let job = r#"{"id":7,"kind":"check-repository","state":"waiting","created_us":0,"created_by":"token ci","due_us":0,"attempt":0,
        "max_attempts":3,"owner":null,"cancel_requested":false,"progress_done":0,"progress_total":0,"result":null,"finished_us":null}"#;
    let canned = silent_after(vec![json("202 Accepted", job)]);
    let child = start(&test, &["repository", "check", "--url", &canned.url]);
    wait_until("a request waits", || canned.waits_for_an_answer());
    send("-INT", &child);
    let (ended, stderr) = end(child);
    assert_eq!(ended, Some(SIGINT), "{stderr}");
    assert!(stderr.contains("job 7 goes on; `punch job show 7 --follow` waits for it again"), "{stderr}");
}

#[test]
fn interrupted_import_says_that_it_may_be_committed() {
    let test = TestFolder::new();
    test.write("estate/groups/paris.yaml", "format: geppetto/group/1\n");
    let canned = silent_after(vec![]);
    let child = start(&test, &["import", "estate", "--url", &canned.url]);
    wait_until("a request waits", || canned.waits_for_an_answer());
    send("-INT", &child);
    let (ended, stderr) = end(child);
    assert_eq!(ended, Some(SIGINT), "{stderr}");
    assert!(stderr.contains("may be committed: `punch revision list` shows it"), "{stderr}");
}

#[test]
fn interrupted_run_is_completed_by_the_next_one() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    let apply = ["apply", "node.yaml", "--repository", "dist", "--root", "root", "--allow-unsigned"];
    let mut child = start(&test, &apply);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("[1/") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the first step begins");
    }
    send("-INT", &child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(SIGINT), "{rest}");
    assert!(rest.contains("error: interrupted by SIGINT: the run stopped in the middle"), "{rest}");
    assert!(rest.contains("the next run completes what this one began"), "{rest}");
    // While rpm is still at work, the next run is blocked.
    let mut again = test.punch(&apply);
    for _ in 0..40 {
        if again.code != 3 {
            break;
        }
        thread::sleep(Duration::from_millis(250));
        again = test.punch(&apply);
    }
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("was interrupted; this one completes what it began"), "{}", again.stderr);
    assert!(test.read("root/etc/shop/shop.conf").contains("hello"));
}

#[test]
fn run_that_was_started_with_sigint_ignored_goes_on() {
    let canned = silent_after(vec![]);
    let line =
        format!("trap '' INT; exec '{}' channel list --url {}", env!("CARGO_BIN_EXE_punch"), canned.url);
    let mut command = Command::new("sh");
    let mut child = command.args(["-c", &line]).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("a request waits", || canned.waits_for_an_answer());
    send("-INT", &child);
    thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it ended");
    send("-TERM", &child);
    assert_eq!(end(child), (Some(SIGTERM), "error: interrupted by SIGTERM\n".to_owned()));
}
