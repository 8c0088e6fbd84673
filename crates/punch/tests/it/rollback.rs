//! Runs that fail and go back to the last good generation, and going back because somebody asks for it.

use std::{fs, process::Command};

use serde_json::json;

use crate::{
    components::{node, packaged, shop},
    control_plane::ControlPlane,
    mounted_file_system::MountedFileSystem,
    skip::has_tool,
    test_folder::{CommandOutput, TestFolder, mode},
};

const APPLY: [&str; 6] = ["apply", "node.yaml", "--repository", "dist", "--root", "root"];
const RESTORE: [&str; 3] = ["restore", "--root", "root"];

/// Packages shop 1.1.0, which takes over `/etc/motd` and the mode of `/srv`, and then writes a file of 200 kB in `/srv/small`.
fn package_shop_with_a_large_file(test: &TestFolder, key: Option<&str>) {
    shop(test, "1.1.0");
    let manifest = format!(
        "{}  - directory: /srv\n    mode: \"0750\"\n  - file: /etc/motd\n    content: \"shop\\n\"\n  - directory: /srv/new\n  - file: /srv/small/data\n    content: {}\n    require: [file:/etc/motd, directory:/srv/new, file:/etc/shop/shop.conf]\n",
        test.read("shop/deploy/manifest.yaml"),
        "x".repeat(200_000)
    );
    test.write("shop/deploy/manifest.yaml", &manifest);
    let mut arguments = vec!["package", "shop", "--out", "dist", "--source-date", "1700000000"];
    arguments.extend(key.iter().flat_map(|key| ["--key", key]));
    test.ok(&arguments);
}

fn assert_is_shop_1_0_0(test: &TestFolder) {
    assert_eq!(test.read("root/usr/bin/shop"), "#!/bin/sh\necho shop 1.0.0\n");
    assert!(
        test.read("root/etc/shop/shop.conf").starts_with("greeting=hello\nversion=1.0.0"),
        "{}",
        test.read("root/etc/shop/shop.conf")
    );
    assert_eq!(test.read("root/etc/motd"), "welcome\n");
    assert_eq!(mode(&test.path("root/srv")), 0o755);
    assert!(!test.path("root/srv/new").exists());
    assert!(!test.path("root/srv/small/data").exists());
}

fn status(test: &TestFolder) -> serde_json::Value {
    test.ok(&["status", "--root", "root", "--json"]).json()
}

/// `root` with shop 1.0.0 and things of the host's own, and a node file for 1.1.0, which cannot be applied.
fn applied_shop_and_failing_version(test: &TestFolder) -> Option<MountedFileSystem> {
    packaged(test, "1.0.0", None);
    node(test, "node.yaml", "1.0.0", "hello");
    fs::create_dir_all(test.path("root/etc")).unwrap();
    test.write("root/etc/motd", "welcome\n");
    let small = MountedFileSystem::mount_small(&test.path("root/srv/small"))?;
    test.ok(&APPLY);
    package_shop_with_a_large_file(test, None);
    node(test, "node.yaml", "1.1.0", "goodbye");
    Some(small)
}

#[test]
fn run_that_fails_goes_back_to_the_last_good_versions_and_configuration() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(_small) = applied_shop_and_failing_version(&test) else { return };
    let failed = test.punch(&APPLY);
    failed.fails(
        4,
        &[
            "FAILED: cannot write /srv/small/data",
            "the node file failed; this host goes back to the last good node file",
            ": rolled back, ",
        ],
    );
    // What the failed run wrote is nobody's edit.
    assert!(!failed.stderr.contains("what /etc/shop/shop.conf held is saved"), "{}", failed.stderr);
    assert_is_shop_1_0_0(&test);

    let history = test.ok(&["history", "--root", "root"]).stdout;
    let outcomes: Vec<&str> = ["rolled back", "failed", "changed"]
        .into_iter()
        .filter(|outcome| history.contains(outcome))
        .collect();
    assert_eq!(outcomes, ["rolled back", "failed", "changed"], "{history}");
    let status = status(&test);
    assert_eq!(status["last_good"]["components"], json!({"shop": "1.0.0"}));
    assert_eq!(status["last_run"]["outcome"], "rolled-back");
    let because = status["given_up"]["because"].as_str().unwrap();
    assert!(because.starts_with("`create file:/srv/small/data` failed: "), "{because}");

    // The host is what a clean install of the good version is, but for what was there before.
    let version =
        Command::new("rpm").args(["--root"]).arg(test.path("root")).args(["-V", "shop"]).output().unwrap();
    assert!(version.status.success(), "{version:?}");
    node(&test, "node.yaml", "1.0.0", "hello");
    assert!(test.ok(&APPLY).stderr.contains(": unchanged, "));
}

#[test]
fn run_that_fails_where_nothing_was_good_before_ends_5() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(_small) = MountedFileSystem::mount_small(&test.path("root/srv/small")) else { return };
    package_shop_with_a_large_file(&test, None);
    node(&test, "node.yaml", "1.1.0", "hello");
    test.punch(&APPLY).fails(5, &["FAILED: cannot write /srv/small/data", ": failed, "]);
    assert!(status(&test)["given_up"].is_null());
}

#[test]
fn run_that_fails_and_cannot_go_back_ends_5_and_says_why() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(_small) = applied_shop_and_failing_version(&test) else { return };
    for package in ["shop-1.0.0-1.noarch.rpm", "shop-deployment-1.0.0-1.noarch.rpm"] {
        fs::remove_file(test.path("dist").join(package)).unwrap();
    }
    test.punch(&APPLY).fails(5, &["warning: this host could not be taken back to", "shop"]);
}

#[test]
fn given_up_generation_is_not_tried_again_until_it_changes_or_somebody_asks() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    test.write("root/etc/motd", "welcome\n");
    let Some(small) = MountedFileSystem::mount_small(&test.path("root/srv/small")) else { return };
    test.ok(&RESTORE);
    package_shop_with_a_large_file(&test, Some("alice.key"));
    test.ok(&[
        "publish",
        "dist/shop-1.1.0-1.noarch.rpm",
        "dist/shop-deployment-1.1.0-1.noarch.rpm",
        "--channel",
        "prod",
    ]);
    test.punch(&RESTORE).fails(4, &["generation 2 failed; this host goes back to generation 1"]);
    assert_is_shop_1_0_0(&test);
    let outcomes = || {
        let shown = test.ok(&["server", "list", "--json"]).json();
        (shown[0]["outcome"].clone(), shown[0]["reported_generation"].clone())
    };
    assert_eq!(outcomes(), (json!("rolled-back"), json!(1)));

    // The timer's next run keeps what is good, and repairs it.
    fs::write(test.path("root/etc/shop/shop.conf"), "edited\n").unwrap();
    let again = test.punch(&RESTORE);
    again.fails(
        4,
        &["warning: generation 2 was given up on this host (`create file:/srv/small/data` failed: "],
    );
    assert!(!again.stderr.contains("FAILED"), "{}", again.stderr);
    assert_is_shop_1_0_0(&test);

    test.punch(&[RESTORE.as_slice(), &["--retry"]].concat())
        .fails(4, &["FAILED: cannot write /srv/small/data"]);
    assert_is_shop_1_0_0(&test);

    // What failed can be done now.
    drop(small);
    test.ok(&[RESTORE.as_slice(), &["--retry"]].concat());
    assert_eq!(test.read("root/etc/motd"), "shop\n");
    assert!(status(&test)["given_up"].is_null());

    // Another content is another try.
    control_plane.import_greeting("goodbye");
    test.ok(&RESTORE);
    assert!(test.read("root/etc/shop/shop.conf").starts_with("greeting=goodbye\nversion=1.1.0"));
}

#[test]
fn rollback_takes_the_host_to_an_earlier_good_generation_and_the_newest_is_kept_away() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    let rollback = |more: &[&str]| test.punch(&[["rollback", "--root", "root"].as_slice(), more].concat());
    rollback(&[]).fails(1, &["this host has no good generation yet"]);
    test.ok(&RESTORE);
    rollback(&[]).fails(1, &["this host keeps no earlier good generation; it is in generation 1"]);
    for greeting in ["good day", "good night"] {
        control_plane.import_greeting(greeting);
        test.ok(&RESTORE);
    }
    let greeting = || test.read("root/etc/shop/shop.conf").lines().next().unwrap().to_owned();
    rollback(&["--to", "7"]).fails(1, &["generation 7: this host keeps the good generations 2, 1"]);
    let planned: CommandOutput = rollback(&["--dry-run"]);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    assert!(planned.stdout.contains("change file:/etc/shop/shop.conf"), "{}", planned.stdout);
    assert_eq!(greeting(), "greeting=good night");

    rollback(&[]).fails(4, &["web-01 generation 2: rolled back"]);
    assert_eq!(greeting(), "greeting=good day");
    test.punch(&RESTORE)
        .fails(4, &["generation 3 was given up on this host (somebody typed `punch rollback`)"]);
    assert_eq!(greeting(), "greeting=good day");
    assert_eq!(status(&test)["last_good"]["generation"], 2);

    rollback(&["--to", "1"]).fails(4, &["web-01 generation 1: rolled back"]);
    assert_eq!(greeting(), "greeting=hello");
    test.ok(&[RESTORE.as_slice(), &["--retry"]].concat());
    assert_eq!(greeting(), "greeting=good night");
}
