//! Restoring from a real back-office.

use crate::skip::has_tool;
use std::fs;

use serde_json::Value;

use crate::{
    components::packaged,
    control_plane::ControlPlane,
    world::{World, mode},
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
    let world = World::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(plane) = ControlPlane::with_shop(&world) else { return };
    let restored = world.ok(&[RESTORE.as_slice(), &["--json"]].concat()).json();
    // The masked file has no secrets in it, but the server's own file has the same content here.
    let node = || world.write("node.yaml", &world.read("root/var/lib/geppetto/punch/node.yaml"));
    node();
    let apply = |root: &'static str| ["apply", "node.yaml", "--repository", "dist", "--root", root, "--json"];
    let applied = world.ok(&apply("other")).json();
    assert_eq!(actions(&applied), actions(&restored));
    assert!(actions(&applied).len() >= 4, "{applied}");
    assert_eq!(applied["plan"], restored["plan"]);
    assert_eq!(world.read("other/etc/shop/shop.conf"), world.read("root/etc/shop/shop.conf"));

    // And again when something changes, from the state both are in now.
    plane.import_greeting("goodbye");
    let restored = world.ok(&[RESTORE.as_slice(), &["--json"]].concat()).json();
    node();
    let applied = world.ok(&apply("other")).json();
    assert_eq!(actions(&applied), actions(&restored));
    assert_eq!(actions(&applied), ["\"done\" \"change file:/etc/shop/shop.conf\" \"shop\""]);
}

#[test]
fn joined_host_restores_and_sends_its_report() {
    let world = World::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(plane) = ControlPlane::with_shop(&world) else { return };
    assert_eq!(mode(&world.path("root/etc/geppetto/punch.yaml")), 0o600);
    assert_eq!(world.punch(&["plan", "--root", "root"]).code, 10);
    let restored = world.ok(&[RESTORE.as_slice(), &["--json"]].concat()).json();
    assert_eq!(restored["reported"], true);
    assert_eq!(mode(&world.path("root/var/lib/geppetto/punch/node.yaml")), 0o600);
    assert_eq!(world.ok(&["plan", "--root", "root"]).code, 0);
    assert_eq!(world.ok(&["status", "--root", "root", "--check", "--json"]).json()["reachable"], true);
    let why = world.ok(&["explain", "shop.greeting", "--root", "root"]).stdout;
    assert!(why.contains("effective   role web sets \"hello\" (revision 1"), "{why}");
    assert!(why.contains("overridden  default of shop"), "{why}");

    plane.import_greeting("goodbye");
    packaged(&world, "1.1.0", Some("alice.key"));
    world.ok(&[
        "publish",
        "dist/shop-1.1.0-1.noarch.rpm",
        "dist/shop-deployment-1.1.0-1.noarch.rpm",
        "--channel",
        "prod",
    ]);
    world.ok(&RESTORE);
    assert!(world.read("root/etc/shop/shop.conf").contains("greeting=goodbye\nversion=1.1.0-1"));
    // Packages of the generation before stay in the cache, for the way back.
    let cached = fs::read_dir(world.path("root/var/lib/geppetto/punch/cache")).unwrap().count();
    assert_eq!(cached, 4);
}

#[test]
fn restore_with_unreachable_back_office_changes_nothing_and_cached_works() {
    let world = World::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(plane) = ControlPlane::with_shop(&world) else { return };
    world.ok(&RESTORE);
    let url = plane.stop();
    world.punch(&RESTORE).fails(
        6,
        &[
            "could not be reached",
            "the last good generation is 1, and the back-office last answered",
            "ago",
            "punch restore --cached",
        ],
    );
    // A run from the cache says nothing about how old the back-office's last word is.
    let heard = fs::File::options()
        .append(true)
        .open(world.path("root/var/lib/geppetto/punch/last-contact"))
        .unwrap();
    let now = heard.metadata().unwrap().modified().unwrap();
    heard.set_modified(now - std::time::Duration::from_secs(3 * 86_400 + 60)).unwrap();
    world.write("root/etc/shop/shop.conf", "spoilt");
    let cached = world.ok(&["restore", "--cached", "--root", "root", "--json"]);
    assert!(cached.stderr.contains("generation 1 is applied from the cache"), "{}", cached.stderr);
    assert!(cached.stderr.contains("the report is kept and sent with the next run"), "{}", cached.stderr);
    assert_eq!(cached.json()["reported"], false);
    assert!(world.read("root/etc/shop/shop.conf").contains("greeting=hello"));
    assert_eq!(world.ok(&["status", "--root", "root", "--json"]).json()["unsent_reports"], 1);
    world.punch(&["status", "--root", "root", "--check"]).fails(6, &["could not be reached"]);
    world.punch(&RESTORE).fails(6, &["the back-office last answered 3 days"]);
    assert!(world.ok(&["status", "--root", "root"]).stdout.contains("last answer  3 days"));

    let Some(_again) = ControlPlane::start(&world, url.trim_start_matches("http://")) else { return };
    world.ok(&RESTORE);
    assert_eq!(world.ok(&["status", "--root", "root", "--json"]).json()["unsent_reports"], 0);
}

#[test]
fn damaged_unsent_report_does_not_change_the_exit_code() {
    let world = World::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(_plane) = ControlPlane::with_shop(&world) else { return };
    world.write("root/var/lib/geppetto/punch/outbox/00000000000000000001.json", "half a rep");
    let restored = world.ok(&[RESTORE.as_slice(), &["--json"]].concat());
    assert_eq!(restored.json()["reported"], true, "{}", restored.stderr);
    assert!(restored.stderr.contains("is not a report"), "{}", restored.stderr);
}

#[test]
fn join_token_is_refused_the_second_time() {
    let world = World::new();
    let Some(plane) = ControlPlane::with_shop(&world) else { return };
    world
        .punch(&["join", &plane.url, "--token-file", "token", "--server", "web-01", "--root", "again"])
        .fails(1, &["punch server join-token SERVER"]);
    assert!(!world.path("again/etc/geppetto/punch.yaml").exists());
}

#[test]
fn revoked_credential_asks_to_join_again() {
    let world = World::new();
    let Some(plane) = ControlPlane::with_shop(&world) else { return };
    world.write(
        "root/etc/geppetto/punch.yaml",
        &format!("url: {}\nserver: web-01\ncredential: gpc_wrong\n", plane.url),
    );
    world.punch(&RESTORE).fails(1, &["join again with a new token"]);
}

#[test]
fn unsigned_package_is_not_published() {
    let world = World::new();
    let Some(_plane) = ControlPlane::with_shop(&world) else { return };
    packaged(&world, "2.0.0", None);
    world.punch(&["publish", "dist/shop-2.0.0-1.noarch.rpm"]).fails(1, &["not signed"]);
    let versions = world.ok(&["component", "show", "shop"]).stdout;
    assert_eq!(versions, "VERSION  CHANNELS  SUMMARY\n1.0.0-1  dev prod  Sells things\n");
    world.punch(&["component", "show", "shpo"]);
}

#[test]
fn unreachable_package_is_reported_before_any_change() {
    let world = World::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(plane) = ControlPlane::with_shop(&world) else { return };
    world.ok(&RESTORE);
    plane.stop();
    // The payload must come again; how it is deployed is still known on the host.
    let mut rpm = std::process::Command::new("rpm");
    rpm.env("HOME", "/root").arg("--root").arg(world.path("root")).args(["--erase", "shop"]);
    if std::path::Path::new("/etc/debian_version").exists() {
        rpm.arg("--force-debian");
    }
    assert!(rpm.status().unwrap().success());
    fs::remove_dir_all(world.path("root/var/lib/geppetto/punch/cache")).unwrap();
    world.write("root/etc/shop/shop.conf", "spoilt");
    world
        .punch(&["restore", "--cached", "--root", "root"])
        .fails(6, &["could not be reached", "nothing was changed"]);
    assert_eq!(world.read("root/etc/shop/shop.conf"), "spoilt");
    let history = world.ok(&["history", "--root", "root", "--json"]).json();
    assert_eq!(history[0]["outcome"], "blocked");
    assert_eq!(history[0]["entries"][0]["action"], "fetch packages");
}
