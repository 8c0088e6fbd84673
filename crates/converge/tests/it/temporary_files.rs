//! A killed run leaves no temporary file for longer than until the next run.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use converge::{Host as _, PunchStateFolder, RealHost};
use model::{
    report::RunOutcome,
    resource::{FileResourceBody, Ownership, ResourceBody},
};
use nix::sys::{resource::Resource, signal::Signal};

use crate::{
    host_with_users::{HostWithUsers, VIC, change, is_root, resource},
    killed::SelfKillingHost,
    skip::has_tool,
    story::{self, Component, PackageFolder},
};

const ROOT: &str = "GEPPETTO_TEST_TEMPORARY_FILES_ROOT";

const APP: Component<'_> = Component {
    name: "app",
    version: "1.0",
    says: "",
    manifest: "
format: geppetto/manifest/1
resources:
  - {file: /etc/adopted/app, content: new}
  - {directory: /srv/vic, owner: vic}
  - {file: /srv/vic/app, content: x}
  - {user: vic, authorized_keys: [ssh-ed25519 AAAA vic]}
  - {file: /etc/last, content: x, require: [\"user:vic\", \"file:/srv/vic/app\", \"file:/etc/adopted/app\"]}
",
    templates: &[],
    payload: &[],
};

fn child(test: &str, root: &Path) -> std::process::ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(ROOT, root)
        .output()
        .unwrap()
        .status
}

/// All paths below a folder whose name is one of temporary files.
fn temporary_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with(".punch-") {
            found.push(entry.path());
        } else if entry.file_type().unwrap().is_dir() {
            found.extend(temporary_files(&entry.path()));
        }
    }
    found
}

#[test]
fn temporary_files_of_a_killed_run_are_removed_by_the_next_run_whatever_it_wants() {
    if let Some(root) = std::env::var_os(ROOT) {
        return run_until_killed(Path::new(&root));
    }
    if !is_root() || !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("etc/adopted", 0, 0o755);
    fs::write(host.at("etc/adopted/app"), "administrator's").unwrap();
    host.folder("home/vic", VIC, 0o755);
    let test =
        "temporary_files::temporary_files_of_a_killed_run_are_removed_by_the_next_run_whatever_it_wants";
    let status = child(test, host.root.path());
    assert_eq!(status.signal(), Some(9));

    // As when it is killed between making a temporary file and renaming it.
    let mut left = Vec::new();
    for folder in ["etc/adopted", "srv/vic", "home/vic/.ssh", "var/lib/geppetto/punch/objects", "etc"] {
        left.push(host.at(folder).join(".punch-0123456789abcdef"));
        fs::write(left.last().unwrap(), "secret").unwrap();
    }
    chown(&left[1], Some(VIC), None).unwrap();
    fs::write(host.at("srv/vic/.punch-notes"), "vic's own").unwrap();
    // The next run no longer wants the component.
    let state = PunchStateFolder::from_root_path(host.root.path());
    let run =
        story::run(&story::node(" {}"), &mut host.machine(), &state, &mut PackageFolder::new().with(&APP));
    assert_eq!(run.report.outcome, RunOutcome::Changed, "{:#?}", run.report);
    assert_eq!(temporary_files(host.root.path()), [host.at("srv/vic/.punch-notes")]);

    // Where no run was killed, nothing is looked for.
    fs::write(&left[0], "").unwrap();
    story::run(&story::node(" {}"), &mut host.machine(), &state, &mut PackageFolder::new().with(&APP));
    assert!(left[0].exists());
}

fn run_until_killed(root: &Path) {
    // The packages, the directory, two files and the user come before the last file.
    let mut host = SelfKillingHost { machine: RealHost::new(root, story::no_http).unwrap(), left: 6 };
    let state = PunchStateFolder::from_root_path(root);
    let node = story::node(" {app: {version: \"1.0\"}}");
    story::run(&node, &mut host, &state, &mut PackageFolder::new().with(&APP));
}

#[test]
fn process_killed_while_it_writes_a_file_leaves_nothing_of_it() {
    if let Some(root) = std::env::var_os(ROOT) {
        return write_until_killed(Path::new(&root));
    }
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    host.folder("srv/vic", VIC, 0o755);
    let status = child(
        "temporary_files::process_killed_while_it_writes_a_file_leaves_nothing_of_it",
        host.root.path(),
    );
    assert_eq!(status.signal(), Some(Signal::SIGXFSZ as i32), "{status:?}");
    assert!(temporary_files(host.root.path()).is_empty());
}

/// The kernel ends this process when it has written a part of the file.
fn write_until_killed(root: &Path) {
    nix::sys::resource::setrlimit(Resource::RLIMIT_FSIZE, 64 * 1024, 64 * 1024).unwrap();
    let ownership = Ownership { owner: Some("vic".to_owned()), ..Ownership::default() };
    let body = FileResourceBody { content: vec![b'x'; 1024 * 1024], ownership, validate: None };
    let file = resource("file:/srv/vic/large", ResourceBody::File(body));
    let mut machine = RealHost::new(root, story::no_http).unwrap();
    machine.apply_change(&change(&file), &[]).unwrap();
}

#[test]
fn replaced_file_and_link_have_the_wanted_mode_and_leave_no_temporary_file() {
    if !is_root() {
        return;
    }
    let host = HostWithUsers::new();
    for content in ["one", "two"] {
        for owner in ["root", "vic"] {
            let path = if owner == "root" { "/etc/app" } else { "/srv/vic/app" };
            host.folder("srv/vic", VIC, 0o755);
            let ownership =
                Ownership { owner: Some(owner.to_owned()), mode: Some(0o4750), ..Ownership::default() };
            let body = FileResourceBody { content: content.into(), ownership, validate: None };
            host.apply(&resource(&format!("file:{path}"), ResourceBody::File(body))).unwrap();
            assert_eq!(fs::read_to_string(host.at(&path[1..])).unwrap(), content);
            let mode = fs::metadata(host.at(&path[1..])).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o4750);
            let target = model::resource::SymlinkResourceBody { target: content.to_owned() };
            host.apply(&resource(&format!("symlink:{path}.link"), ResourceBody::Symlink(target))).unwrap();
            let link = fs::read_link(host.at(&format!("{}.link", &path[1..]))).unwrap();
            assert_eq!(link, Path::new(content));
        }
    }
    assert!(temporary_files(host.root.path()).is_empty());
}
