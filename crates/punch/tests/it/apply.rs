//! A developer's own path: a node file, a folder of packages, a folder to deploy to.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use crate::{
    components::{node, packaged, shop},
    skip::has_tool,
    test_folder::TestFolder,
};

const APPLY: [&str; 6] = ["apply", "node.yaml", "--repository", "dist", "--root", "root"];

#[test]
fn apply_to_a_folder_matches_the_node_file_and_a_second_run_changes_nothing() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "bonjour");

    let plan = ["plan", "node.yaml", "--repository", "dist", "--root", "root"];
    let planned = test.punch(&plan);
    assert_eq!(planned.code, 10, "{}", planned.stderr);
    let dry = test.punch(&[&APPLY[..], &["--dry-run"]].concat());
    assert_eq!((dry.code, &dry.stdout), (10, &planned.stdout));
    assert!(planned.stdout.contains("create file:/etc/shop/shop.conf (shop)"), "{}", planned.stdout);
    assert!(!test.path("root").exists(), "a plan changes nothing");

    let applied = test.ok(&APPLY);
    assert!(applied.stderr.contains("[1/4] install shop-deployment-1.0.0-1"), "{}", applied.stderr);
    assert!(applied.stderr.contains("note: node.yaml is not signed"), "{}", applied.stderr);
    assert_eq!(test.read("root/etc/shop/shop.conf"), "greeting=bonjour\nversion=1.0.0-1\npassword=none\n");
    assert!(test.read("root/usr/bin/shop").contains("shop 1.0.0"));

    let planned = test.ok(&plan);
    assert!(planned.stdout.contains("nothing to do"), "{}", planned.stdout);
    let again = test.ok(&APPLY);
    assert!(again.stderr.contains("unchanged"), "{}", again.stderr);
}

#[test]
fn unchanged_run_needs_no_packages() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.ok(&APPLY);
    fs::remove_dir_all(test.path("dist")).unwrap();
    fs::create_dir(test.path("dist")).unwrap();
    test.ok(&APPLY);
}

#[test]
fn components_are_upgraded_downgraded_and_removed() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    packaged(&test, "1.1.0", None);
    for version in ["1.0.0", "1.1.0", "1.0.0"] {
        node(&test, "node.yaml", version, "hello");
        test.ok(&APPLY);
        assert!(test.read("root/usr/bin/shop").contains(&format!("shop {version}")), "{version}");
    }
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    test.ok(&APPLY);
    for path in ["root/usr/bin/shop", "root/etc/shop", "root/usr/share/geppetto/components/shop"] {
        assert!(!test.path(path).exists(), "{path} is still there");
    }
}

#[test]
fn owner_and_mode_that_are_no_longer_stated_become_those_of_a_new_file() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let is_root = test.path(".").metadata().unwrap().uid() == 0;
    let owner = if is_root { ", owner: \"1\", group: \"1\"" } else { "" };
    let package = |version: &str, directory: &str, file: &str| {
        shop(&test, version);
        let manifest = format!(
            "format: geppetto/manifest/1\nresources:\n  - {{directory: /etc/shop{directory}}}\n  \
             - {{file: /etc/shop/open, content: x{file}}}\n  - {{file: /etc/motd, content: x}}\n"
        );
        test.write("shop/deploy/manifest.yaml", &manifest);
        test.ok(&["package", "shop", "--out", "dist", "--source-date", "1700000000"]);
        node(&test, "node.yaml", version, "hello");
    };
    let apply = || test.ok(&["apply", "node.yaml", "--repository", "dist", "--root", "root"]).stdout;
    fs::create_dir_all(test.path("root/etc")).unwrap();
    test.write("root/etc/motd", "welcome\n");
    fs::set_permissions(test.path("root/etc/motd"), fs::Permissions::from_mode(0o640)).unwrap();
    package("1.0.0", ", mode: \"0750\"", &format!(", mode: \"0600\"{owner}"));
    apply();
    let seen = |path: &str| {
        let seen = test.path(path).metadata().unwrap();
        (seen.mode() & 0o7777, seen.uid())
    };
    let me = seen("root").1;
    assert_eq!(seen("root/etc/shop"), (0o750, me));
    assert_eq!(seen("root/etc/shop/open"), (0o600, if is_root { 1 } else { me }));

    package("1.1.0", "", "");
    let plan = apply();
    assert!(plan.contains("mode: 0600 -> 0644") && plan.contains("mode: 0750 -> 0755"), "{plan}");
    assert_eq!((seen("root/etc/shop"), seen("root/etc/shop/open")), ((0o755, me), (0o644, me)));
    assert_eq!(seen("root/etc/motd").0, 0o640, "it was there before, and nothing is said of its mode");

    // Nor does anybody else's mode stay.
    fs::set_permissions(test.path("root/etc/shop/open"), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(apply().contains("mode: 0666 -> 0644"));
    assert_eq!(seen("root/etc/shop/open").0, 0o644);
    assert!(apply().contains("nothing to do"));
}

#[test]
fn status_history_and_explain_show_the_last_run() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    assert!(test.ok(&["status", "--root", "root"]).stdout.contains("(no run has succeeded yet)"));
    test.punch(&["explain", "shop.greeting", "--root", "root"]).fails(1, &["no last good node file yet"]);
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "bonjour");
    let applied = test.ok(&[APPLY.as_slice(), &["--json"]].concat()).json();
    assert_eq!(applied["report"]["outcome"], "changed");
    assert_eq!(applied["plan"]["changes"][0]["action"], "install shop-deployment-1.0.0-1");

    let status = test.ok(&["status", "--root", "root", "--json"]).json();
    assert_eq!(status["server"], "localhost");
    assert_eq!(status["last_good"]["components"]["shop"], "1.0.0");
    assert_eq!(status["last_run"]["outcome"], "changed");
    assert!(status["last_good"]["age_seconds"].as_i64().unwrap() < 60);
    let history = test.ok(&["history", "--root", "root", "--json"]).json();
    assert_eq!(history[0]["number"], 1);
    assert_eq!(history[0]["entries"][0]["result"], "done");
    test.punch(&["history", "9", "--root", "root"]).fails(1, &["run 9 is not in the history"]);
    let why = test.ok(&["explain", "shop.greeting", "--root", "root"]).stdout;
    assert!(why.contains("shop.greeting = \"bonjour\""), "{why}");
    test.punch(&["explain", "shop.greting", "--root", "root"])
        .fails(1, &["no value for `greting`", "`greeting`"]);
}

#[test]
fn missing_package_lists_the_packages_of_the_folder() {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "2.0.0", "hello");
    test.punch(&APPLY).fails(1, &["no shop-deployment 2.0.0 in dist: it has shop-deployment 1.0.0-1"]);
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {shpo: {version: 1.0.0}}\n");
    test.punch(&APPLY).fails(1, &["did you mean `shop-deployment`?"]);
    fs::remove_dir_all(test.path("dist")).unwrap();
    test.punch(&APPLY).fails(1, &["cannot read dist", "punch package"]);
    fs::create_dir(test.path("dist")).unwrap();
    test.punch(&APPLY).fails(1, &["it has no packages at all"]);
    test.punch(&[&["plan"], &APPLY[1..]].concat()).fails(1, &["it has no packages at all"]);
    test.write("dist/shop-deployment-2.rpm", "not a package");
    test.punch(&APPLY).fails(3, &["not readable: ", "shop-deployment-2.rpm is not a whole RPM package"]);
    let history = test.ok(&["history", "--root", "root", "--json"]).json();
    assert_eq!(history[0]["outcome"], "blocked", "a run that could not look is in the history");
}

#[test]
fn value_of_a_wrong_type_in_a_node_file_is_wrong_input() {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    test.write(
        "node.yaml",
        "format: geppetto/node/1\ncomponents:\n  shop:\n    version: 1.0.0\n    values: {greeting: [1]}\n",
    );
    test.punch(&APPLY).fails(1, &["greeting", "nothing was changed"]);
}

#[test]
fn truncated_package_is_refused_before_any_change() {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    let path = test.path("dist/shop-deployment-1.0.0-1.noarch.rpm");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    test.punch(&APPLY).fails(3, &["shop-deployment-1.0.0-1.noarch.rpm does not match its header"]);
    assert!(!test.path("root/usr").exists());
}

#[test]
fn invalid_node_file_is_refused_with_its_line() {
    let test = TestFolder::new();
    fs::create_dir(test.path("dist")).unwrap();
    test.punch(&APPLY).fails(1, &["cannot read node.yaml: no such file"]);
    test.write("node.yaml", "format: geppetto/node/1\ncomponents:\n  shop:\n    versoin: 1\n");
    test.punch(&APPLY).fails(1, &["node.yaml:4", "versoin"]);
    test.punch(&["apply", "node.yaml", "--root", "root"]).fails(1, &["node.yaml:4"]);
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    test.punch(&["apply", "node.yaml", "--root", "root"]).fails(1, &["--repository FOLDER"]);
    test.punch(&["restore", "--root", "root"]).fails(1, &["has not joined", "join token"]);
    test.punch(&["plan", "--root", "root"]).fails(1, &["has not joined"]);
    test.punch(&["plan", "--root", "root", "--allow-unsigned"]).fails(2, &["go with a node file"]);
}

#[test]
fn unwritable_root_is_blocked() {
    let test = TestFolder::new();
    fs::create_dir(test.path("dist")).unwrap();
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    test.write("root/var", "");
    test.punch(&APPLY)
        .fails(3, &["cannot write", "root/var/lib/geppetto/punch", "part of the path is a folder"]);
}

#[test]
fn root_without_parent_folder_is_refused_by_every_verb() {
    let test = TestFolder::new();
    fs::create_dir(test.path("dist")).unwrap();
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    for verb in ["apply", "plan"] {
        test.punch(&[verb, "node.yaml", "--repository", "dist", "--root", "mistyped/root"])
            .fails(1, &["mistyped/root: there is no folder", "mistyped to hold it"]);
    }
    test.punch(&["status", "--root", "mistyped/root"]).fails(1, &["there is no folder"]);
    assert!(!test.path("mistyped").exists());
}

#[test]
fn parent_folders_of_the_state_are_readable_by_everyone() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    let line = format!("umask 077; exec {} {}", env!("CARGO_BIN_EXE_punch"), APPLY.join(" "));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &line]).current_dir(test.path(""));
    assert_eq!(crate::test_folder::run(&mut command).code, 0);
    for (path, expected) in [
        ("root/var", 0o755),
        ("root/var/lib", 0o755),
        ("root/etc", 0o755),
        ("root/var/lib/geppetto/punch", 0o700),
    ] {
        assert_eq!(crate::test_folder::mode(&test.path(path)), expected, "{path}");
    }
}

#[test]
fn missing_rpm_is_named() {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    fs::create_dir(test.path("nothing")).unwrap();
    let output = crate::test_folder::run(test.command(&APPLY).env("PATH", test.path("nothing")));
    output.fails(5, &["rpm", "apt-get install rpm"]);
}

#[test]
fn second_run_on_one_host_is_blocked_while_the_first_runs() {
    let test = TestFolder::new();
    fs::create_dir(test.path("dist")).unwrap();
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    fs::create_dir_all(test.path("root/var/lib/geppetto/punch")).unwrap();
    let lock = fs::File::create(test.path("root/var/lib/geppetto/punch/lock")).unwrap();
    lock.lock().unwrap();
    test.punch(&APPLY).fails(3, &["another punch is at work on this host"]);
}

#[test]
fn run_is_blocked_while_a_command_of_a_killed_run_still_runs() {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    let rpm = "#!/bin/sh\ntouch begun\nwhile [ ! -e go ]; do sleep 0.05; done\ntouch ended\n";
    let rpm = test.write(
        "tools/rpm",
        &rpm.replace("touch ", &format!("touch {}/", test.path("").display()))
            .replace("-e go", &format!("-e {}", test.path("go").display())),
    );
    fs::set_permissions(&rpm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut path = test.path("tools").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut killed = test.command(&APPLY).env("PATH", path).spawn().unwrap();
    let wait_for = |name: &str| {
        for _ in 0..600 {
            if test.path(name).exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("`{name}` did not come");
    };
    wait_for("begun");
    killed.kill().unwrap();
    killed.wait().unwrap();
    test.punch(&APPLY).fails(3, &["an earlier run was killed", "still at work (process", "rpm"]);
    test.write("go", "");
    wait_for("ended");
    for _ in 0..100 {
        if !test.punch(&APPLY).stderr.contains("still at work") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("what ended still holds the lock");
}

#[test]
fn more_removals_than_allowed_are_blocked() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.ok(&APPLY);
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    let output = test.punch(&[APPLY.as_slice(), &["--max-removals", "0"]].concat());
    assert_eq!(output.code, 3, "{}\n{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("--max-removals"), "{}", output.stdout);
    assert!(test.path("root/usr/bin/shop").exists(), "nothing was removed");
}

#[test]
fn secret_is_only_in_the_rendered_file() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    shop(&test, "1.0.0");
    packaged(&test, "1.0.0", None);
    let secret = "tops3cret";
    test.write(
        "node.yaml",
        &format!(
            "format: geppetto/node/1\ncomponents:\n  shop:\n    version: 1.0.0\n    secrets: [password]\n    values: {{password: {secret}}}\n"
        ),
    );
    let output = test.ok(&APPLY);
    assert!(test.read("root/etc/shop/shop.conf").contains(secret));
    let explained = test.ok(&["explain", "shop.password", "--root", "root"]);
    let history = test.ok(&["history", "1", "--root", "root"]);
    for text in [output.stdout, output.stderr, explained.stdout, history.stdout] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn run_after_a_killed_one_keeps_the_report_of_the_killed_one() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.write(
        "root/var/lib/geppetto/punch/running.jsonl",
        "{\"started\":{\"server\":\"localhost\",\"generation\":0,\"outcome\":\"interrupted\",\
            \"started_us\":1700000000000000,\"duration_us\":1,\"unchanged\":0,\"entries\":[]}}\n",
    );
    let output = test.ok(&APPLY);
    assert!(
        output.stderr.contains("the run of 2023-11-14 22:13:20 UTC was interrupted"),
        "{}",
        output.stderr
    );
    let history = test.ok(&["history", "--root", "root"]).stdout;
    assert!(history.contains("interrupted") && history.contains("changed"), "{history}");
    // What is left of it is not told twice.
    assert!(!test.ok(&APPLY).stderr.contains("was interrupted"));
}

#[test]
fn failed_run_is_completed_by_the_next() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.write("root/etc/shop", "a file where a folder must be");
    let output = test.punch(&APPLY);
    assert!(output.code == 3 || output.code == 5, "{}\n{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("/etc/shop") || output.stderr.contains("/etc/shop"), "{}", output.stderr);
    let status = test.ok(&["status", "--root", "root", "--json"]).json();
    assert!(status["last_good"].is_null(), "a failed run is no good generation: {status}");
    fs::remove_file(test.path("root/etc/shop")).unwrap();
    test.ok(&APPLY);
    assert!(test.path("root/etc/shop/shop.conf").exists());
}

#[test]
fn service_without_a_unit_in_a_folder_is_named_in_the_output_of_the_run() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    let manifest = "format: geppetto/manifest/1\nresources:\n  - service: nginx\n    enabled: true\n\
                    health: [{tcp: \"127.0.0.1:1\"}]\n";
    test.write("shop/deploy/manifest.yaml", manifest);
    fs::remove_dir_all(test.path("shop/deploy/templates")).unwrap();
    fs::remove_dir_all(test.path("dist")).unwrap();
    test.ok(&["package", "shop", "--out", "dist"]);
    node(&test, "node.yaml", "1.0.0", "hello");
    let said = test.ok(&APPLY);
    assert!(said.stderr.contains("not enabled: there is no such unit"), "{}", said.stderr);
    assert!(said.stdout.contains("1 health check is not run"), "{}", said.stdout);
}
