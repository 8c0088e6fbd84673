//! Paths that users of the host can change: root follows nothing there, and works only where nobody else
//! can lead it astray. The tests run as root, because only root can act for other users.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    process::Command,
};

use converge::{Host, PunchStateFolder};
use model::{
    observe::Observation,
    plan::{PlannedAction, PlannedChange},
    report::RunOutcome,
    resource::{ResourceBody, ResourceId, SymlinkResourceBody},
};

use crate::{
    host_with_users::{HostWithUsers, VIC, change, directory, file, is_root, names, reason, resource},
    skip::has_tool,
};

#[test]
fn link_in_a_users_folder_is_not_followed_and_blocks_its_component() {
    if !is_root() || !has_tool("rpm") {
        return;
    }
    let host = HostWithUsers::new();
    let manifests = [
        (
            "app",
            "  - {directory: /var/lib/vic, owner: vic}\n  - {file: /var/lib/vic/conf/app.conf, content: x}\n",
        ),
        ("free", "  - {file: /etc/free, content: x}\n"),
    ];
    let (_, report) = host.plan_and_run(&manifests);
    assert_eq!(report.outcome, RunOutcome::Changed, "{report:#?}");
    assert_eq!(host.owner_and_mode("var/lib/vic/conf"), (VIC, 0o755), "the folder on the way is the user's");
    assert_eq!(host.owner_and_mode("var/lib/vic/conf/app.conf"), (VIC, 0o644));

    fs::rename(host.at("var/lib/vic/conf"), host.at("var/lib/vic/away")).unwrap();
    host.link("var/lib/vic/conf", "/etc/tmpfiles.d", VIC);
    fs::remove_file(host.at("etc/free")).unwrap();
    let (plan, report) = host.plan_and_run(&manifests);
    assert_eq!(report.outcome, RunOutcome::Partly, "{plan}");
    let because = &plan.blocked[0].because;
    assert!(because.contains("/var/lib/vic/conf") && because.contains("symbolic link"), "{because}");
    assert_eq!(names(&host.at("etc/tmpfiles.d")), [""; 0]);
    assert!(host.at("etc/free").exists(), "the other component is as it must be");

    // Removal follows the link as little.
    fs::write(host.at("etc/tmpfiles.d/app.conf"), "of root").unwrap();
    host.plan_and_run(&manifests[1..]);
    assert!(host.at("etc/tmpfiles.d/app.conf").exists());
}

#[test]
fn home_that_links_to_a_folder_of_root_gets_no_keys() {
    if !is_root() || !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let host = HostWithUsers::new();
    host.link("home/vic", "/etc", 0);
    let keys = "  - {user: vic, authorized_keys: [ssh-ed25519 AAAA vic]}\n";
    let (plan, report) = host.plan_and_run(&[("app", keys), ("free", "  - {file: /etc/free, content: x}\n")]);
    assert_eq!(report.outcome, RunOutcome::Partly, "{plan}");
    assert!(plan.blocked[0].because.contains("/home/vic is a symbolic link"), "{plan}");
    assert!(!host.at("etc/.ssh").exists());

    // A link to a folder of the user's own is root's choice.
    fs::remove_file(host.at("home/vic")).unwrap();
    host.link("home/vic", "/srv/vic", 0);
    host.folder("srv/vic", VIC, 0o755);
    let (_, report) = host.plan_and_run(&[("app", keys)]);
    assert_eq!(report.outcome, RunOutcome::Changed, "{report:#?}");
    assert_eq!(host.owner_and_mode("srv/vic/.ssh"), (VIC, 0o700));
    assert_eq!(host.owner_and_mode("srv/vic/.ssh/authorized_keys"), (VIC, 0o600));
}

#[test]
fn link_at_the_ssh_folder_blocks_only_its_component() {
    if !is_root() || !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("home/vic", VIC, 0o755);
    host.link("home/vic/.ssh", "/etc", VIC);
    let keys = "  - {user: vic, authorized_keys: [ssh-ed25519 AAAA vic]}\n";
    let (plan, report) = host.plan_and_run(&[("app", keys), ("free", "  - {file: /etc/free, content: x}\n")]);
    assert_eq!(report.outcome, RunOutcome::Partly, "{plan}");
    assert!(plan.blocked[0].because.contains("/home/vic/.ssh is a symbolic link"), "{plan}");
    assert!(!host.at("etc/authorized_keys").exists() && host.at("etc/free").exists());
}

#[test]
fn file_of_root_or_of_another_user_below_a_users_folder_is_refused() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0o755);
    fs::write(host.at("srv/vic/app"), "vic's").unwrap();
    for (owner, whose) in [(None, "root"), (Some("root"), "root"), (Some("bob"), "bob")] {
        let because = format!(
            "vic can change /srv/vic, and what belongs to {whose} cannot be kept safe there; give it `owner: vic`, or put it elsewhere"
        );
        assert_eq!(reason(host.observe_resource(&file("/srv/vic/app", owner))), because);
        let error = host.apply(&file("/srv/vic/app", owner)).unwrap_err();
        assert!(error.is_limited_to_components());
        assert_eq!(error.to_string(), format!("/srv/vic/app: {because}"));
        assert!(host.apply(&file("/srv/vic/new/app", owner)).is_err());
    }
    assert_eq!(names(&host.at("srv/vic")), ["app"]);
    assert_eq!(fs::read_to_string(host.at("srv/vic/app")).unwrap(), "vic's");
}

#[test]
fn what_belongs_to_a_user_is_made_changed_and_removed_in_his_folder() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0o755);
    host.apply(&file("/srv/vic/a/b/app", Some("vic"))).unwrap();
    host.apply(&directory("/srv/vic/a/box", Some("vic"), Some(0o700))).unwrap();
    let link = resource(
        "symlink:/srv/vic/a/link",
        ResourceBody::Symlink(SymlinkResourceBody { target: "b/app".to_owned() }),
    );
    host.apply(&link).unwrap();
    for (path, mode) in [("a", 0o755), ("a/b", 0o755), ("a/b/app", 0o644), ("a/box", 0o700)] {
        assert_eq!(host.owner_and_mode(&format!("srv/vic/{path}")), (VIC, mode), "{path}");
    }
    assert_eq!(fs::read_to_string(host.at("srv/vic/a/link")).unwrap(), "x");
    for id in ["symlink:/srv/vic/a/link", "directory:/srv/vic/a/box", "file:/srv/vic/a/b/app"] {
        let action = PlannedAction::Remove { id: ResourceId::try_from(id.to_owned()).unwrap(), must: true };
        host.machine().apply_change(&PlannedChange { action, ..change(&link) }, &[]).unwrap();
    }
    assert_eq!(
        (names(&host.at("srv/vic/a")), names(&host.at("srv/vic/a/b"))),
        (vec!["b".to_owned()], vec![])
    );
}

#[test]
fn folder_that_a_group_with_members_can_change_is_refused_and_one_without_members_is_passed() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/app", 0, 0o775);
    for (gid, who) in [(64_010, "group team (bob, vic)"), (VIC, "group vic (vic)")] {
        chown(host.at("srv/app"), None, Some(gid)).unwrap();
        let because = format!("{who} can change /srv/app; `chmod g-w /srv/app` if punch is to use it");
        assert_eq!(reason(host.observe("/srv/app/x")), because);
    }
    for gid in [0, 64_011, 64_999] {
        chown(host.at("srv/app"), None, Some(gid)).unwrap();
        assert_eq!(host.observe("/srv/app/x"), Observation::Absent, "group {gid}");
    }
    fs::set_permissions(host.at("srv/app"), fs::Permissions::from_mode(0o757)).unwrap();
    assert!(reason(host.observe("/srv/app/x")).starts_with("every user can change /srv/app; `chmod o-w"));
    // In a sticky folder nobody can replace what belongs to root.
    fs::set_permissions(host.at("srv/app"), fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(host.observe("/srv/app/x"), Observation::Absent);
    host.apply(&file("/srv/app/sub/x", None)).unwrap();
    assert_eq!(host.owner_and_mode("srv/app/sub"), (0, 0o755));
}

#[test]
fn folder_with_an_access_control_list_that_lets_others_write_is_refused() {
    if !is_root() || !has_tool("setfacl") {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/app", 0, 0o755);
    let entry = format!("user:{VIC}:rwx");
    let done = Command::new("setfacl").args(["--modify", &entry]).arg(host.at("srv/app")).status().unwrap();
    assert!(done.success());
    assert!(
        reason(host.observe("/srv/app/x")).starts_with("whoever its access control list names can change")
    );
}

#[test]
fn link_of_root_on_the_way_is_followed_and_one_of_a_user_is_not() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("run", 0, 0o755);
    host.link("var/run", "../../../run", 0);
    host.apply(&file("/var/run/app/x", None)).unwrap();
    assert!(host.at("run/app/x").exists());

    host.folder("tmp", 0, 0o1777);
    host.link("tmp/app", "/etc", VIC);
    let because = reason(host.observe("/tmp/app/x"));
    assert_eq!(because, "/tmp/app is a symbolic link that belongs to vic; remove it, or make it as root");
    assert!(host.apply(&file("/tmp/app/x", None)).is_err());
    assert!(!host.at("etc/x").exists());
}

#[test]
fn folder_that_the_same_run_makes_safe_does_not_block() {
    if !is_root() || !has_tool("rpm") {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/open", 0, 0o777);
    // As when a user left and came again with another number.
    host.folder("srv/vic", 64_500, 0o755);
    let resources = "
  - {directory: /srv/open, mode: \"0755\"}
  - {file: /srv/open/x, content: x}
  - {directory: /srv/vic, owner: vic}
  - {file: /srv/vic/x, content: x}
";
    let (plan, report) = host.plan_and_run(&[("app", resources)]);
    assert_eq!(report.outcome, RunOutcome::Changed, "{plan}{report:#?}");
    assert_eq!(host.owner_and_mode("srv/open/x").0, 0);
    assert_eq!(host.owner_and_mode("srv/vic/x").0, VIC);
    let (_, report) = host.plan_and_run(&[("app", resources)]);
    assert_eq!(report.outcome, RunOutcome::Unchanged, "{report:#?}");
    // What is meant to stay open is unsafe.
    let host = HostWithUsers::new();
    host.folder("srv/open", 0, 0o777);
    let (plan, report) = host.plan_and_run(&[("app", &resources.replace("0755", "0777"))]);
    assert_eq!(report.outcome, RunOutcome::Blocked, "{plan}");
}

#[test]
fn unsafe_folder_of_units_is_refused_before_a_service_is_enabled() {
    if !is_root() || !has_tool("systemctl") {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("usr/lib/systemd/system", 0, 0o755);
    fs::write(
        host.at("usr/lib/systemd/system/app.service"),
        "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    )
    .unwrap();
    host.folder("etc/systemd/system", VIC, 0o755);
    let service = resource(
        "service:app",
        ResourceBody::Service(model::resource::ServiceResourceBody {
            enabled: Some(true),
            ..Default::default()
        }),
    );
    let error = host.apply(&service).unwrap_err();
    assert!(error.to_string().contains("vic can change /etc/systemd/system"), "{error}");
    assert_eq!(names(&host.at("etc/systemd/system")), [""; 0]);
}

#[test]
fn state_folder_that_a_user_can_change_is_not_used() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("var/lib/geppetto", VIC, 0o755);
    let state = PunchStateFolder::from_root_path(host.root.path());
    for error in [state.acquire_run_lock().unwrap_err(), state.load_managed_state().unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("vic can change /var/lib/geppetto, and what belongs to root"), "{error}");
    }
    assert_eq!(names(&host.at("var/lib/geppetto")), [""; 0]);
}

#[test]
fn swapping_folder_and_link_while_files_are_written_never_writes_outside() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("var/lib/vic", VIC, 0o755);
    host.folder("var/lib/vic/conf", VIC, 0o755);
    let etc = names(&host.at("etc"));
    let script = "while :; do mv conf away; ln -s /etc conf; ln -s ../../../etc also; rm conf; mv also conf; rm conf; mv away conf; done";
    let mut vic = Command::new("sh")
        .args(["-c", script])
        .current_dir(host.at("var/lib/vic"))
        .uid(VIC)
        .gid(VIC)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut written = 0;
    for _ in 0..300 {
        match host.apply(&file("/var/lib/vic/conf/app.conf", Some("vic"))) {
            Ok(_) => written += 1,
            // Between two looks the folder may also be gone.
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    vic.kill().unwrap();
    vic.wait().unwrap();
    assert_eq!(names(&host.at("etc")), etc, "{written} files were written");
}
