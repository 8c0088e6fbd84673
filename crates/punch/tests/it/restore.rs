//! Restoring from a real back-office.

use crate::skip::has_tool;
use std::fs;

use serde_json::Value;

use crate::{
    components::packaged,
    control_plane::{ControlPlane, geppetto_program},
    test_folder::{TestFolder, mode},
};

const RESTORE: [&str; 3] = ["restore", "--root", "root"];

/// What a run did, step by step.
fn actions(deployed: &Value) -> Vec<String> {
    let entries = deployed["report"]["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| format!("{} {} {}", entry["result"], entry["action"], entry["components"][0]))
        .collect()
}

#[test]
fn apply_and_restore_run_the_same_deployment() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    let restored = test.ok(&[RESTORE.as_slice(), &["--json"]].concat()).json();
    // The masked file has no secrets in it, but the server's own file has the same content here.
    let node = || test.write("node.yaml", &test.read("root/var/lib/geppetto/punch/node.yaml"));
    node();
    let apply = |root: &'static str| ["apply", "node.yaml", "--repository", "dist", "--root", root, "--json"];
    let applied = test.ok(&apply("other")).json();
    assert_eq!(actions(&applied), actions(&restored));
    assert!(actions(&applied).len() >= 4, "{applied}");
    assert_eq!(applied["plan"], restored["plan"]);
    assert_eq!(test.read("other/etc/shop/shop.conf"), test.read("root/etc/shop/shop.conf"));

    // And again when something changes, from the state both are in now.
    control_plane.import_greeting("goodbye");
    let restored = test.ok(&[RESTORE.as_slice(), &["--json"]].concat()).json();
    node();
    let applied = test.ok(&apply("other")).json();
    assert_eq!(actions(&applied), actions(&restored));
    assert_eq!(actions(&applied), ["\"done\" \"change file:/etc/shop/shop.conf\" \"shop\""]);
}

#[test]
fn joined_host_restores_and_sends_its_report() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    assert_eq!(mode(&test.path("root/etc/geppetto/punch.yaml")), 0o600);
    let planned = test.punch(&["plan", "--root", "root"]);
    assert_eq!(planned.code, 10);
    let dry = test.punch(&["restore", "--root", "root", "--dry-run"]);
    assert_eq!((dry.code, dry.stdout), (10, planned.stdout));
    assert!(!test.path("root/var/lib/geppetto/punch/node.yaml").exists(), "a dry run changes nothing");
    let restored = test.ok(&[RESTORE.as_slice(), &["--json"]].concat()).json();
    assert_eq!(restored["reported"], true);
    assert_eq!(mode(&test.path("root/var/lib/geppetto/punch/node.yaml")), 0o600);
    assert_eq!(test.ok(&["plan", "--root", "root"]).code, 0);
    assert_eq!(test.ok(&["status", "--root", "root", "--check", "--json"]).json()["reachable"], true);
    let why = test.ok(&["explain", "shop.greeting", "--root", "root"]).stdout;
    assert!(why.contains("effective   role web sets \"hello\" (revision 1"), "{why}");
    assert!(why.contains("overridden  default of shop"), "{why}");

    control_plane.import_greeting("goodbye");
    packaged(&test, "1.1.0", Some("alice.key"));
    test.ok(&[
        "publish",
        "dist/shop-1.1.0-1.noarch.rpm",
        "dist/shop-deployment-1.1.0-1.noarch.rpm",
        "--channel",
        "prod",
    ]);
    test.ok(&RESTORE);
    assert!(test.read("root/etc/shop/shop.conf").contains("greeting=goodbye\nversion=1.1.0-1"));
    // Packages of the generation before stay in the cache, for the way back.
    let cached = fs::read_dir(test.path("root/var/lib/geppetto/punch/cache")).unwrap().count();
    assert_eq!(cached, 4);
}

#[test]
fn join_of_a_folder_names_the_restore_of_that_folder() {
    let test = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    let token = test.ok(&["server", "join-token", "web-01"]);
    test.write("token", &token.stdout);
    let join = ["join", &control_plane.url, "--token-file", "token", "--server", "web-01", "--root", "root"];
    let joined = test.ok(&join).stderr;
    assert!(joined.contains("`punch restore --root root`"), "{joined}");
}

#[test]
fn restore_with_unreachable_back_office_changes_nothing_and_cached_works() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    test.ok(&RESTORE);
    let url = control_plane.stop();
    test.punch(&RESTORE).fails(
        6,
        &[
            "could not be reached",
            "the last good generation is 1, and the back-office last answered",
            "ago",
            "punch restore --cached",
        ],
    );
    // A run from the cache says nothing about how old the back-office's last word is.
    let heard =
        fs::File::options().append(true).open(test.path("root/var/lib/geppetto/punch/last-contact")).unwrap();
    let now = heard.metadata().unwrap().modified().unwrap();
    heard.set_modified(now - std::time::Duration::from_secs(3 * 86_400 + 60)).unwrap();
    test.write("root/etc/shop/shop.conf", "spoilt");
    let cached = test.ok(&["restore", "--cached", "--root", "root", "--json"]);
    assert!(cached.stderr.contains("generation 1 is taken from the cache"), "{}", cached.stderr);
    assert!(cached.stderr.contains("the report is kept and sent with the next run"), "{}", cached.stderr);
    assert_eq!(cached.json()["reported"], false);
    for arguments in [&["plan", "--cached"][..], &["restore", "--cached", "--dry-run"]] {
        let planned = test.ok(&[arguments, &["--root", "root"]].concat()).stderr;
        assert!(planned.contains("generation 1 is taken from the cache"), "{planned}");
        assert!(!planned.contains("is applied"), "{planned}");
    }
    assert!(test.read("root/etc/shop/shop.conf").contains("greeting=hello"));
    assert_eq!(test.ok(&["status", "--root", "root", "--json"]).json()["unsent_reports"], 1);
    test.punch(&["status", "--root", "root", "--check"]).fails(6, &["could not be reached"]);
    test.punch(&RESTORE).fails(6, &["the back-office last answered 3 days"]);
    assert!(test.ok(&["status", "--root", "root"]).stdout.contains("last answer  3 days"));

    let Some(_again) = ControlPlane::start(&test, url.trim_start_matches("http://")) else { return };
    test.ok(&RESTORE);
    assert_eq!(test.ok(&["status", "--root", "root", "--json"]).json()["unsent_reports"], 0);
}

#[test]
fn damaged_unsent_report_does_not_change_the_exit_code() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(_plane) = ControlPlane::with_shop(&test) else { return };
    test.write("root/var/lib/geppetto/punch/outbox/00000000000000000001.json", "half a rep");
    let restored = test.ok(&[RESTORE.as_slice(), &["--json"]].concat());
    assert_eq!(restored.json()["reported"], true, "{}", restored.stderr);
    assert!(restored.stderr.contains("is not a report"), "{}", restored.stderr);
}

#[test]
fn join_token_is_refused_the_second_time() {
    let test = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    test.punch(&[
        "join",
        &control_plane.url,
        "--token-file",
        "token",
        "--server",
        "web-01",
        "--root",
        "again",
    ])
    .fails(1, &["punch server join-token SERVER"]);
    assert!(!test.path("again/etc/geppetto/punch.yaml").exists());
}

#[test]
fn revoked_credential_asks_to_join_again() {
    let test = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    test.write(
        "root/etc/geppetto/punch.yaml",
        &format!("url: {}\nserver: web-01\ncredential: gpc_wrong\n", control_plane.url),
    );
    test.punch(&RESTORE).fails(1, &["join again with a new token"]);
}

#[test]
fn unsigned_package_is_not_published() {
    let test = TestFolder::new();
    let Some(_plane) = ControlPlane::with_shop(&test) else { return };
    packaged(&test, "2.0.0", None);
    test.punch(&["publish", "dist/shop-2.0.0-1.noarch.rpm"]).fails(1, &["not signed"]);
    let versions = test.ok(&["component", "show", "shop"]).stdout;
    assert_eq!(versions, "VERSION  CHANNELS  SUMMARY\n1.0.0-1  dev prod  Sells things\n");
    test.punch(&["component", "show", "shpo"]);
}

#[test]
fn unreachable_package_is_reported_before_any_change() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    test.ok(&RESTORE);
    control_plane.stop();
    // The payload must come again; how it is deployed is still known on the host.
    let mut rpm = std::process::Command::new("rpm");
    rpm.env("HOME", "/root").arg("--root").arg(test.path("root")).args(["--erase", "shop"]);
    if std::path::Path::new("/etc/debian_version").exists() {
        rpm.arg("--force-debian");
    }
    assert!(rpm.status().unwrap().success());
    fs::remove_dir_all(test.path("root/var/lib/geppetto/punch/cache")).unwrap();
    test.write("root/etc/shop/shop.conf", "spoilt");
    test.punch(&["restore", "--cached", "--root", "root"])
        .fails(6, &["could not be reached", "nothing was changed"]);
    assert_eq!(test.read("root/etc/shop/shop.conf"), "spoilt");
    let history = test.ok(&["history", "--root", "root", "--json"]).json();
    assert_eq!(history[0]["outcome"], "blocked");
    assert_eq!(history[0]["entries"][0]["action"], "fetch packages");
}

#[test]
fn host_follows_a_recovered_control_plane_and_refuses_node_files_from_before_it() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    let geppetto = |arguments: &[&str]| {
        let mut command = std::process::Command::new(geppetto_program().unwrap());
        let ended = command.args(arguments).current_dir(test.path("")).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    test.ok(&RESTORE);
    geppetto(&["backup", "--data", "data", "--out", "backup"]);
    // The host goes on, to generations that are in no backup.
    for greeting in ["one", "two"] {
        control_plane.import_greeting(greeting);
        test.ok(&RESTORE);
    }
    let replayed = test.read("root/var/lib/geppetto/punch/node.yaml");
    assert!(replayed.contains("generation: 3"), "{replayed}");
    let address = control_plane.stop();

    geppetto(&["recover", "--data", "recovered", "--from", "backup"]);
    fs::remove_dir_all(test.path("data")).unwrap();
    fs::rename(test.path("recovered"), test.path("data")).unwrap();
    let Some(_recovered) = ControlPlane::start(&test, address.trim_start_matches("http://")) else { return };
    test.ok(&RESTORE);
    assert!(
        test.read("root/etc/shop/shop.conf").contains("hello"),
        "{}",
        test.read("root/etc/shop/shop.conf")
    );
    assert!(test.read("root/var/lib/geppetto/punch/node.yaml").contains("generation: 2"));
    // And on from there.
    test.write("replayed.yaml", &replayed);
    test.punch(&["apply", "replayed.yaml", "--repository", "dist", "--root", "root"])
        .fails(1, &["generation 3 was made before the control plane was recovered from a backup"]);
}
