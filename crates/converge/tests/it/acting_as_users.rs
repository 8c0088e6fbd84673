//! In a folder of a user root works as that user: it makes, changes and looks at no more than he could himself.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        net::UnixListener,
    },
    process::Command,
};

use converge::Host as _;
use model::{
    observe::Observation,
    report::RunOutcome,
    resource::{
        DirectoryResourceBody, FileResourceBody, Ownership, ResourceBody, ResourceId, SymlinkResourceBody,
    },
};

use crate::{
    host_with_users::{HostWithUsers, VIC, directory, file, is_root, resource},
    skip::has_tool,
};

#[test]
fn folder_of_root_that_a_user_moved_is_not_given_to_him() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0o755);
    host.folder("srv/vic/of-root", 0, 0o755);
    fs::write(host.at("srv/vic/of-root/file"), "root's").unwrap();
    // In his own folder he may give anything another name.
    fs::rename(host.at("srv/vic/of-root"), host.at("srv/vic/data")).unwrap();
    let error = host.apply(&directory("/srv/vic/data", Some("vic"), Some(0o777))).unwrap_err();
    assert!(error.is_limited_to_components(), "{error}");
    assert!(error.to_string().contains("is worked on as vic, who may not do that"), "{error}");
    assert_eq!(host.owner_and_mode("srv/vic/data"), (0, 0o755));
    assert!(host.apply(&file("/srv/vic/data/file", Some("vic"))).is_err());
    assert_eq!(fs::read_to_string(host.at("srv/vic/data/file")).unwrap(), "root's");
}

#[test]
fn what_is_made_in_a_users_folder_is_the_users_and_may_get_a_group_he_is_not_in() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0o755);
    let link = SymlinkResourceBody { target: "app".to_owned() };
    host.apply(&resource("symlink:/srv/vic/link", ResourceBody::Symlink(link))).unwrap();
    assert_eq!(host.owner_and_mode("srv/vic/link").0, VIC);
    for (group, gid) in [("team", 64_010), ("nobodys", 64_011)] {
        let ownership =
            Ownership { owner: Some("vic".to_owned()), group: Some(group.to_owned()), mode: Some(0o2750) };
        let body = DirectoryResourceBody { ownership: ownership.clone() };
        host.apply(&resource("directory:/srv/vic/folder", ResourceBody::Directory(body))).unwrap();
        let body = FileResourceBody { content: "x".into(), ownership, validate: None };
        host.apply(&resource("file:/srv/vic/folder/app", ResourceBody::File(body))).unwrap();
        for path in ["srv/vic/folder", "srv/vic/folder/app"] {
            let made = fs::metadata(host.at(path)).unwrap();
            assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (VIC, gid, 0o2750), "{path}");
        }
    }
}

#[test]
fn file_that_its_user_made_unreadable_is_made_right_again() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0o755);
    let wanted = file("/srv/vic/app", Some("vic"));
    host.apply(&wanted).unwrap();
    fs::set_permissions(host.at("srv/vic/app"), fs::Permissions::from_mode(0o0)).unwrap();
    assert_eq!(host.observe_resource(&wanted), Observation::Present(()));
    // What others made unreadable for him is not looked at as root.
    chown(host.at("srv/vic/app"), Some(0), None).unwrap();
    let Observation::Unsafe(because) = host.observe_resource(&wanted) else { panic!("root has read it") };
    assert!(because.contains("worked on as vic, who may not do that"), "{because}");
}

#[test]
fn folder_that_its_user_closed_blocks_its_component_unless_the_run_opens_it() {
    if !is_root() || !has_tool("rpm") {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0);
    host.folder("srv/vic/sub", VIC, 0o755);
    let file = "  - {file: /srv/vic/x, owner: vic, content: x}\n  - {file: /srv/vic/sub/x, owner: vic, content: x}\n";
    let free = ("free", "  - {file: /etc/free, content: x}\n");
    let (plan, report) = host.plan_and_run(&[("app", file), free]);
    assert_eq!(report.outcome, RunOutcome::Partly, "{plan}{report:#?}");
    let opening = format!("  - {{directory: /srv/vic, owner: vic, mode: \"0755\"}}\n{file}");
    let (plan, report) = host.plan_and_run(&[("app", &opening), free]);
    assert_eq!(report.outcome, RunOutcome::Changed, "{plan}{report:#?}");
    assert_eq!(host.owner_and_mode("srv/vic/sub/x").0, VIC);
}

#[test]
fn authorized_keys_that_is_no_file_is_replaced_or_fails_only_its_component() {
    if !is_root() || !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let keys = ("app", "  - {user: vic, authorized_keys: [ssh-ed25519 AAAA vic]}\n");
    let free = ("free", "  - {file: /etc/free, content: x}\n");
    for kind in ["folder", "fifo", "socket"] {
        let host = HostWithUsers::new();
        host.folder("home/vic", VIC, 0o755);
        host.folder("home/vic/.ssh", VIC, 0o700);
        let at = host.at("home/vic/.ssh/authorized_keys");
        match kind {
            "folder" => host.folder("home/vic/.ssh/authorized_keys", VIC, 0o755),
            "fifo" => assert!(Command::new("mkfifo").arg(&at).status().unwrap().success()),
            _ => drop(UnixListener::bind(&at).unwrap()),
        }
        chown(&at, Some(VIC), Some(VIC)).unwrap();
        let (plan, report) = host.plan_and_run(&[keys, free]);
        assert!(host.at("etc/free").exists(), "{kind}: {plan}");
        if kind == "folder" {
            assert_eq!(report.outcome, RunOutcome::Partly, "{plan}{report:#?}");
            let told = format!("{report:#?}");
            assert!(told.contains("/home/vic/.ssh/authorized_keys is a folder; remove it"), "{told}");
        } else {
            assert_eq!(report.outcome, RunOutcome::Changed, "{kind}: {plan}{report:#?}");
            assert_eq!(fs::read_to_string(&at).unwrap(), "ssh-ed25519 AAAA vic\n");
        }
    }
}

#[test]
fn file_behind_a_link_that_a_user_put_on_the_way_is_not_saved() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0o755);
    host.link("srv/vic/conf", "/etc", VIC);
    fs::write(host.at("etc/shadow"), "root's").unwrap();
    let id = ResourceId::try_from("file:/srv/vic/conf/shadow".to_owned()).unwrap();
    let error = host.machine().open_file_to_save(&id).unwrap_err();
    assert!(error.is_limited_to_components() && error.to_string().contains("symbolic link"), "{error}");
    // As little as one that only root may read, and that the user gave another name.
    let id = ResourceId::try_from("file:/srv/vic/app".to_owned()).unwrap();
    fs::write(host.at("srv/vic/app"), "root's").unwrap();
    fs::set_permissions(host.at("srv/vic/app"), fs::Permissions::from_mode(0o600)).unwrap();
    let error = host.machine().open_file_to_save(&id).unwrap_err();
    assert!(error.is_limited_to_components() && error.to_string().contains("worked on as vic"), "{error}");
}
