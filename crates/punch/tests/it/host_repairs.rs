//! What a run finds half done or changed on a host, and what keeps it from lasting for ever.

use std::fs;

use crate::{
    canned::Canned,
    components::{node, packaged},
    skip::has_tool,
    test_folder::TestFolder,
};

const APPLY: [&str; 6] = ["apply", "node.yaml", "--repository", "dist", "--root", "root"];
const PLAN: [&str; 6] = ["plan", "node.yaml", "--repository", "dist", "--root", "root"];

#[test]
fn unfinished_rpm_database_is_completed_and_status_and_history_say_so() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.write("root/root/.rpmdb/rpmdb.sqlite", "");
    let applied = test.ok(&APPLY);
    assert!(applied.stderr.contains("repaired: rpm's database in /root/.rpmdb"), "{}", applied.stderr);
    let status = test.ok(&["status", "--root", "root"]);
    assert!(status.stdout.contains("repaired     rpm's database in /root/.rpmdb"), "{}", status.stdout);
    let json = test.ok(&["status", "--root", "root", "--json"]).json();
    assert_eq!(json["last_run"]["repairs"][0]["kind"], "rpm-database", "{json}");
    let shown = test.ok(&["history", "1", "--root", "root"]);
    assert!(shown.stdout.contains("repaired    rpm's database"), "{}", shown.stdout);
}

#[test]
fn deep_plan_reads_files_that_look_unchanged() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.ok(&APPLY);
    test.ok(&APPLY);
    test.ok(&PLAN);
    test.ok(&[PLAN.as_slice(), &["--deep"]].concat());
    let before = test.read("root/usr/bin/shop");
    test.write("root/usr/bin/shop", "changed");
    let planned = test.punch(&PLAN);
    assert_eq!(planned.code, 10, "{}", planned.stderr);
    assert!(planned.stdout.contains("/usr/bin/shop: content changed"), "{}", planned.stdout);
    test.ok(&APPLY);
    assert_eq!(test.read("root/usr/bin/shop"), before);
}

#[test]
fn node_file_without_an_end_is_refused() {
    let test = TestFolder::new();
    fs::create_dir_all(test.path("dist")).unwrap();
    let ended = test.punch(&["plan", "/dev/zero", "--repository", "dist", "--root", "root"]);
    ended.fails(1, &["/dev/zero: it has more than 64 MiB, which no node file has"]);
}

#[test]
fn repository_that_does_not_answer_is_given_up_when_the_deadline_is_over() {
    let test = TestFolder::new();
    node(&test, "node.yaml", "1.0.0", "hello");
    let silent = Canned::new(vec![Canned::NO_ANSWER.to_owned()]);
    let url = silent.url.clone();
    let ended = test.punch(&["plan", "node.yaml", "--repository", &url, "--root", "root", "--deadline", "1"]);
    ended.fails(6, &["the 1 s that this run may take to fetch are over", "--deadline"]);
}
