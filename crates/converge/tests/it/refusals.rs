//! Accounts whose numbers are taken, and what cannot be changed: each blocks its component alone.

use std::{fs, process::Command};

use model::report::RunOutcome;

use crate::{
    host_with_users::{HostWithUsers, VIC, is_root},
    skip::{has_tool, skip},
};

const FREE: (&str, &str) = ("free", "  - {file: /etc/free, content: x}\n");

/// Why a component with this manifest is blocked alone.
fn reason_blocked_alone(host: &HostWithUsers, manifest: &str) -> String {
    let _ = fs::remove_file(host.at("etc/free"));
    let (plan, report) = host.plan_and_run(&[("app", manifest), FREE]);
    assert_eq!(report.outcome, RunOutcome::Partly, "{plan}{report:#?}");
    assert!(host.at("etc/free").exists(), "{plan}");
    plan.blocked[0].because.clone()
}

#[test]
fn number_that_another_account_has_blocks_its_component() {
    if !is_root() || !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let host = HostWithUsers::new();
    assert_eq!(
        reason_blocked_alone(&host, &format!("  - {{user: app, uid: {VIC}}}\n")),
        format!("the number {VIC} is taken by user vic of this host; give app another `uid`, or none")
    );
    assert_eq!(
        reason_blocked_alone(&host, "  - {group: bob, gid: 64010}\n"),
        "the number 64010 is taken by group team of this host; give bob another `gid`, or none"
    );
    let free = "  - {group: app, gid: 64020}\n  - {user: app, uid: 64020, group: app, system: true}\n";
    let (plan, report) = host.plan_and_run(&[("app", free)]);
    assert_eq!(report.outcome, RunOutcome::Changed, "{plan}{report:#?}");
    // It becomes free in the same run.
    let other = free.replace(": app", ": other");
    let (plan, report) = host.plan_and_run(&[("other", &other)]);
    assert_eq!(report.outcome, RunOutcome::Changed, "{plan}{report:#?}");
}

#[test]
fn immutable_file_folder_or_place_blocks_its_component_and_chattr_is_named() {
    if !is_root() || !has_tool("rpm") || !has_tool("chattr") {
        return;
    }
    let host = HostWithUsers::new();
    let chattr = |flag: &str, path: &str| {
        Command::new("chattr").arg(flag).arg(host.at(path)).status().unwrap().success()
    };
    host.folder("srv/closed", 0, 0o755);
    fs::write(host.at("etc/app"), "x").unwrap();
    if !chattr("+i", "etc/app") || !chattr("+i", "srv/closed") {
        return skip("this file system has no immutable files");
    }
    let file = reason_blocked_alone(&host, "  - {file: /etc/app, content: y}\n");
    let new = reason_blocked_alone(&host, "  - {file: /srv/closed/new, content: y}\n");
    let folder = reason_blocked_alone(&host, "  - {directory: /srv/closed, mode: \"0700\"}\n");
    assert!(chattr("-i", "etc/app") && chattr("-i", "srv/closed"));
    assert_eq!(file, "/etc/app is immutable (chattr +i); `chattr -i /etc/app` if punch is to change it");
    for because in [new, folder] {
        assert_eq!(
            because,
            "/srv/closed is immutable (chattr +i); `chattr -i /srv/closed` if punch is to change it"
        );
    }
}
