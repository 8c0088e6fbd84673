//! Users, groups and owners on the real host, in folders that have account files of their own.

use crate::skip::has_tool;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use converge::{PunchStateFolder, RealHost, RepairOccasion, repair_interrupted_work};
use model::{plan::Plan, report::RunOutcome};
use tempfile::TempDir;

use crate::story::{self, Component, PackageFolder};

/// A folder with these accounts, and a component with this manifest.
struct HostWithAccounts {
    root: TempDir,
    package_folder: PackageFolder,
}

impl HostWithAccounts {
    fn new(passwd: &[u8], group: &str, resources: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        let passwd = [b"root:x:0:0:root:/root:/bin/sh\n", passwd].concat();
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), format!("root:x:0:\n{group}")).unwrap();
        let manifest = format!("format: geppetto/manifest/1\nresources:\n{resources}\n");
        let package_folder = PackageFolder::new().with(&Component {
            name: "shop",
            version: "1.0.0",
            says: "",
            manifest: &manifest,
            templates: &[],
            payload: &[],
        });
        Self { root, package_folder }
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    fn plan(&mut self) -> Plan {
        let machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let state = PunchStateFolder::from_root_path(self.root.path());
        story::plan(&story::node(" {shop: {version: 1.0.0}}"), &machine, &state, &mut self.package_folder)
    }

    fn run(&mut self, components: &str) {
        let mut machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let state = PunchStateFolder::from_root_path(self.root.path());
        let run = story::run(&story::node(components), &mut machine, &state, &mut self.package_folder);
        assert_eq!(run.report.outcome, RunOutcome::Changed, "{:#?}", run.report);
    }
}

const HERE: &str = " {shop: {version: 1.0.0}}";

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn link_at_authorized_keys_is_not_read_and_unsafe_modes_are_repaired() {
    let uid = nix::unistd::geteuid();
    let bob = format!("bob:x:{uid}:0::/home/bob:/bin/sh\n");
    let mut host = HostWithAccounts::new(
        bob.as_bytes(),
        "",
        "  - {user: bob, home: /home/bob, authorized_keys: [ssh-ed25519 AAAA bob]}",
    );
    fs::create_dir_all(host.at("home/bob/.ssh")).unwrap();
    mode(&host.at("home/bob/.ssh"), 0o700);
    fs::write(host.at("etc/shadow"), "root:hash:1\n").unwrap();
    let keys = host.at("home/bob/.ssh/authorized_keys");
    symlink("/etc/shadow", &keys).unwrap();
    let plan = host.plan().to_string();
    assert!(plan.contains("authorized_keys: authorized_keys is a symbolic link -> ssh-ed25519"), "{plan}");
    assert!(!plan.contains("hash"), "{plan}");

    // What others may write to is not the user's word.
    fs::remove_file(&keys).unwrap();
    fs::write(&keys, "ssh-ed25519 AAAA bob\n").unwrap();
    for (path, modes) in [(&keys, [0o666, 0o600]), (&host.at("home/bob/.ssh"), [0o777, 0o700])] {
        mode(path, modes[0]);
        let plan = host.plan().to_string();
        assert!(plan.contains(&format!("has mode {:04o} -> ssh-ed25519", modes[0])), "{plan}");
        mode(path, modes[1]);
    }
    if has_tool("rpm") {
        mode(&host.at("home/bob/.ssh"), 0o777);
        host.run(HERE);
        assert_eq!(fs::metadata(host.at("home/bob/.ssh")).unwrap().mode() & 0o7777, 0o700);
        assert!(host.plan().has_no_changes_or_blocks());
    }
}

#[test]
fn owner_given_by_uid_or_by_an_alias_of_the_uid_is_unchanged() {
    let me = nix::unistd::geteuid();
    let my_group = nix::unistd::getegid();
    let passwd = format!("aaron:x:{me}:{my_group}::/:/bin/sh\nzoe:x:{me}:{my_group}::/:/bin/sh\n");
    let resources = format!(
        "  - {{file: /etc/one, content: x, owner: \"{me}\", group: \"{my_group}\"}}\n  - {{file: /etc/two, content: x, owner: zoe, group: zed}}"
    );
    let group = format!("ann:x:{my_group}:\nzed:x:{my_group}:\n");
    let mut host = HostWithAccounts::new(passwd.as_bytes(), &group, &resources);
    if !has_tool("rpm") {
        return;
    }
    host.run(HERE);
    let plan = host.plan();
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
}

#[test]
fn group_that_existed_before_its_user_is_kept_on_removal() {
    if !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let mut host = HostWithAccounts::new(
        b"",
        "shopg:x:777:\n",
        "  - {user: shopg, system: true}\n  - {user: fresh, system: true}",
    );
    fs::write(host.at("etc/login.defs"), "USERGROUPS_ENAB yes\n").unwrap();
    host.run(HERE);
    let groups = |host: &HostWithAccounts| fs::read_to_string(host.at("etc/group")).unwrap();
    assert!(groups(&host).contains("fresh:"), "{}", groups(&host));
    host.run(" {}");
    let left = groups(&host);
    assert!(left.contains("shopg:x:777:") && !left.contains("fresh:"), "{left}");
    assert!(!fs::read_to_string(host.at("etc/passwd")).unwrap().contains("shopg"));
}

#[test]
fn home_that_is_not_stated_is_below_home_whatever_the_host_makes_new_users_with() {
    if !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let mut host = HostWithAccounts::new(b"", "", "  - {user: fresh, system: true}");
    fs::create_dir_all(host.at("etc/default")).unwrap();
    fs::write(host.at("etc/default/useradd"), "HOME=/srv/home\n").unwrap();
    host.run(HERE);
    let passwd = fs::read_to_string(host.at("etc/passwd")).unwrap();
    assert!(passwd.contains(":/home/fresh:/usr/sbin/nologin\n"), "{passwd}");
    let plan = host.plan();
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
}

#[test]
fn own_group_that_a_user_left_when_punch_was_killed_is_removed_by_the_next_run() {
    if !has_tool("rpm") || !has_tool("groupdel") {
        return;
    }
    let mut host = HostWithAccounts::new(
        b"fresh:x:990:777::/home/fresh:/usr/sbin/nologin\n",
        "readers:x:777:\nfresh:x:990:\n",
        "  - {user: fresh, group: readers}\n  - {file: /etc/motd, content: hello}",
    );
    fs::create_dir_all(host.at("var/lib/geppetto/punch/groups")).unwrap();
    fs::write(host.at("var/lib/geppetto/punch/groups/fresh"), "").unwrap();
    let mut machine = RealHost::new(host.root.path(), story::no_http).unwrap();
    let state = PunchStateFolder::from_root_path(host.root.path());
    let repairs = repair_interrupted_work(&mut machine, &state, RepairOccasion::RunBegins).unwrap();
    let what: Vec<&str> = repairs.iter().map(|repair| repair.what.as_str()).collect();
    assert_eq!(what, ["user fresh had got another primary group and had kept its own, which is removed now"]);
    let groups = fs::read_to_string(host.at("etc/group")).unwrap();
    assert!(!groups.contains("fresh") && groups.contains("readers:x:777:"), "{groups}");
    assert!(!host.at("var/lib/geppetto/punch/groups/fresh").exists());
    host.run(HERE);
}

#[test]
fn passwd_entry_in_latin1_is_read() {
    let mut host = HostWithAccounts::new(b"joerg:x:1000:1000:J\xf6rg:/:/bin/sh\n", "", "  - {user: joerg}");
    let plan = host.plan();
    assert_eq!(plan.blocked, [], "{plan}");
    assert!(!plan.to_string().contains("user:joerg"), "{plan}");
}
