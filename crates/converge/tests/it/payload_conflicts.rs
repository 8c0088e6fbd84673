//! What packages would replace on a host: whose it is, what blocks, what is kept and put back.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
};

use converge::{PunchStateFolder, RealHost};
use model::report::RunOutcome;

use crate::{
    skip::{has_tool, skip},
    story::{self, Component, PackageFolder},
};

const EMPTY: &str = "format: geppetto/manifest/1\n";
const SHOP: Component<'_> = Component {
    name: "shop",
    version: "1.0",
    says: "",
    manifest: EMPTY,
    templates: &[],
    payload: &[("/usr/bin/crontab", "shop's", "root")],
};
const REPLACES: &str = r#""replaces": ["/usr/bin/crontab", "/usr/share/shop/*"],"#;
const NODE: &str = " {shop: {version: \"1.0\"}}";

struct TestHost {
    root: tempfile::TempDir,
    packages: PackageFolder,
}

impl TestHost {
    /// A root with a file `/usr/bin/crontab` of mode 02755; nothing where there is no rpm.
    fn new(components: &[Component<'_>]) -> Option<Self> {
        if !has_tool("rpm") {
            return None;
        }
        let packages = components.iter().fold(PackageFolder::new(), PackageFolder::with);
        let host = Self { root: tempfile::tempdir().unwrap(), packages };
        host.write("usr/bin/crontab", "cron's");
        host.chmod("usr/bin/crontab", 0o2755);
        Some(host)
    }

    /// The same on which dpkg says that the file is of its package `cron`.
    fn with_dpkg(components: &[Component<'_>]) -> Option<Self> {
        let host = Self::new(components)?;
        host.write("var/lib/dpkg/info/cron.list", "/.\n/usr\n/usr/bin\n/usr/bin/crontab\n");
        Some(host)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }
    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
    fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().mode() & 0o7777
    }
    fn state(&self) -> PunchStateFolder {
        PunchStateFolder::from_root_path(self.root.path())
    }
    fn run(&mut self, node: &str) -> story::Run {
        let mut machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let state = self.state();
        story::run(&story::node(node), &mut machine, &state, &mut self.packages)
    }
    fn ok(&mut self, node: &str) -> story::Run {
        let run = self.run(node);
        assert_eq!(run.report.outcome, RunOutcome::Changed, "{}\n{:#?}", run.plan, run.report);
        run
    }
    /// A run that must be blocked; its plan.
    fn blocked(&mut self, node: &str) -> String {
        let run = self.run(node);
        assert_eq!(run.report.outcome, RunOutcome::Blocked, "{}", run.plan);
        run.plan.to_string()
    }
    fn details(run: &story::Run) -> String {
        run.report.entries.iter().map(|entry| format!("{}\n", entry.detail)).collect()
    }
}

#[test]
fn file_of_a_debian_package_blocks_the_run_and_is_named_with_its_owner() {
    let Some(mut host) = TestHost::with_dpkg(&[SHOP]) else { return };
    let plan = host.blocked(NODE);
    let sentence = "blocked package shop: file /usr/bin/crontab of version 1.0-1: it belongs to the Debian package cron; if shop is meant to replace it, write `replaces: [/usr/bin/crontab]` in its component.yaml: then it is saved, and put back when shop is removed";
    assert!(plan.contains(sentence), "{plan}");
    assert_eq!(host.read("usr/bin/crontab"), "cron's");
    assert!(!host.path("usr/share/geppetto").exists(), "nothing is installed");
}

#[test]
fn file_of_a_debian_package_that_was_deleted_is_not_taken_over() {
    let Some(mut host) = TestHost::with_dpkg(&[SHOP]) else { return };
    fs::remove_file(host.path("usr/bin/crontab")).unwrap();
    assert!(host.blocked(NODE).contains("it belongs to the Debian package cron"));
}

#[test]
fn file_of_nobody_blocks_the_run() {
    let Some(mut host) = TestHost::new(&[SHOP]) else { return };
    let plan = host.blocked(NODE);
    assert!(plan.contains("what is there belongs to no package and no component"), "{plan}");
    assert_eq!(host.read("usr/bin/crontab"), "cron's");
}

#[test]
fn declared_replacement_is_kept_and_put_back_on_removal() {
    let Some(mut host) = TestHost::with_dpkg(&[Component { says: REPLACES, ..SHOP }]) else { return };
    let run = host.ok(NODE);
    let note = "note: /usr/bin/crontab of the Debian package cron is saved before it is replaced, and put back when shop is removed";
    assert!(run.plan.to_string().contains(note), "{}", run.plan);
    assert!(TestHost::details(&run).contains("/usr/bin/crontab is saved"), "{:#?}", run.report);
    assert_eq!(host.read("usr/bin/crontab"), "shop's");
    let run = host.ok(" {}");
    assert!(TestHost::details(&run).contains("/usr/bin/crontab is put back"), "{:#?}", run.report);
    assert_eq!(host.read("usr/bin/crontab"), "cron's");
    assert_eq!(host.mode("usr/bin/crontab"), 0o2755);
}

#[test]
fn kept_file_is_put_back_by_the_version_that_no_longer_replaces_it() {
    let one = Component { says: REPLACES, ..SHOP };
    let two = Component { version: "2.0", payload: &[("/usr/bin/shop", "2", "root")], ..SHOP };
    let between = Component { version: "1.5", payload: &[("/usr/bin/crontab", "1.5", "root")], ..one };
    let Some(mut host) = TestHost::with_dpkg(&[one, between, two]) else { return };
    host.ok(NODE);
    host.ok(" {shop: {version: \"1.5\"}}");
    assert_eq!(host.read("usr/bin/crontab"), "1.5", "an upgrade needs no second permission");
    host.ok(" {shop: {version: \"2.0\"}}");
    assert_eq!(host.read("usr/bin/crontab"), "cron's");
}

#[test]
fn kept_link_is_put_back_and_file_of_a_removed_debian_package_is_not() {
    let payload = &[("/usr/bin/crontab", "shop's", "root"), ("/usr/share/shop/link", "file", "root")];
    let Some(mut host) = TestHost::with_dpkg(&[Component { says: REPLACES, payload, ..SHOP }]) else {
        return;
    };
    fs::create_dir_all(host.path("usr/share/shop")).unwrap();
    symlink("/nowhere", host.path("usr/share/shop/link")).unwrap();
    host.ok(NODE);
    assert_eq!(host.read("usr/share/shop/link"), "file");
    fs::remove_file(host.path("var/lib/dpkg/info/cron.list")).unwrap();
    let run = host.ok(" {}");
    let said = TestHost::details(&run);
    assert!(
        said.contains("/usr/bin/crontab is not put back: its Debian package cron has been removed"),
        "{said}"
    );
    assert!(!host.path("usr/bin/crontab").exists());
    assert_eq!(fs::read_link(host.path("usr/share/shop/link")).unwrap(), PathBuf::from("/nowhere"));
}

#[test]
fn content_that_others_wrote_over_a_replacement_is_kept_aside() {
    let Some(mut host) = TestHost::with_dpkg(&[Component { says: REPLACES, ..SHOP }]) else { return };
    host.ok(NODE);
    fs::write(host.path("usr/bin/crontab"), "newer cron's").unwrap();
    let said = TestHost::details(&host.ok(" {}"));
    let (_, at) = said.split_once("what /usr/bin/crontab held is saved in /").unwrap();
    let at = at.split([';', '\n']).next().unwrap();
    assert_eq!(host.read(at), "newer cron's");
    assert_eq!(host.read("usr/bin/crontab"), "cron's");
}

#[test]
fn interrupted_installation_is_completed_and_its_own_files_are_no_conflict() {
    let one = Component { says: REPLACES, ..SHOP };
    let Some(mut host) = TestHost::with_dpkg(&[one]) else { return };
    host.ok(NODE);
    // As if rpm had been killed after it wrote the file and before it noted the package.
    for database in ["root/.rpmdb", "var/lib/rpm", "usr/lib/sysimage/rpm"] {
        let _absent = fs::remove_dir_all(host.path(database));
    }
    let begun = r#"{"shop": {"version": "1.0-1", "paths": {"/usr/bin/crontab": "SHA"}}}"#;
    let sha256 = model::observe::sha256_hex(b"shop's");
    host.write("var/lib/geppetto/punch/installing.json", &begun.replace("SHA", &sha256));
    fs::remove_dir_all(host.path("usr/share/geppetto")).unwrap();
    // As if the power had failed before the file's content was on the disk.
    host.write("usr/bin/crontab", "");
    host.ok(NODE);
    assert_eq!(host.read("usr/bin/crontab"), "shop's");
    assert!(!host.path("var/lib/geppetto/punch/installing.json").exists());
    host.ok(" {}");
    assert_eq!(host.read("usr/bin/crontab"), "cron's", "what was there first is put back");
}

#[test]
fn run_killed_between_removal_and_putting_back_is_completed() {
    let Some(mut host) = TestHost::with_dpkg(&[Component { says: REPLACES, ..SHOP }]) else { return };
    host.ok(NODE);
    let kept = host.read("var/lib/geppetto/punch/kept.json");
    let object = host.path("var/lib/geppetto/punch/objects");
    let copy = host.path("objects");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(&object).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    host.ok(" {}");
    // As it was before the file was put back.
    fs::remove_file(host.path("usr/bin/crontab")).unwrap();
    host.write("var/lib/geppetto/punch/kept.json", &kept);
    for entry in fs::read_dir(&copy).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), object.join(entry.file_name())).unwrap();
    }
    let run = host.ok(" {}");
    assert!(run.plan.has_no_changes_or_blocks(), "{}", run.plan);
    assert_eq!(run.report.entries[0].action, "put back what an interrupted run left out");
    assert_eq!(host.read("usr/bin/crontab"), "cron's");
    assert_eq!(host.run(" {}").report.outcome, RunOutcome::Unchanged);
}

#[test]
fn accounts_and_state_of_punch_are_never_brought_by_a_package() {
    let payload = &[("/etc/passwd", "x", "root"), ("/var/lib/geppetto/punch/managed.json", "{}", "root")];
    let says = r#""replaces": ["/etc/passwd", "/var/lib/geppetto"],"#;
    let Some(mut host) = TestHost::new(&[Component { payload, says, ..SHOP }]) else { return };
    let plan = host.blocked(NODE);
    assert!(plan.contains("/etc/passwd of version 1.0-1: no package may install it"), "{plan}");
    assert!(plan.contains("managed.json of version 1.0-1: punch keeps its own state there"), "{plan}");
}

#[test]
fn file_of_another_rpm_package_or_component_blocks_and_an_equal_one_is_shared() {
    let payload = &[("/usr/lib/x", "one", "root")];
    let one = Component { name: "one", payload, ..SHOP };
    let same = Component { name: "same", ..one };
    let other = Component { name: "other", payload: &[("/usr/lib/x", "other", "root")], ..SHOP };
    let manifest = "format: geppetto/manifest/1\nresources: [{file: /usr/lib/x, content: hello}]\n";
    let file = Component { name: "file", manifest, payload: &[], ..SHOP };
    let Some(mut host) = TestHost::new(&[one, same, other, file]) else { return };
    let plan = host.blocked(" {one: {version: \"1.0\"}, other: {version: \"1.0\"}}");
    assert!(plan.contains("package one brings another file of that path"), "{plan}");
    host.ok(" {one: {version: \"1.0\"}, same: {version: \"1.0\"}}");
    let plan =
        host.blocked(" {one: {version: \"1.0\"}, same: {version: \"1.0\"}, other: {version: \"1.0\"}}");
    assert!(plan.contains("it belongs to the RPM package"), "{plan}");
    host.ok(" {same: {version: \"1.0\"}}");
    host.ok(" {file: {version: \"1.0\"}}");
    let plan = host.blocked(" {file: {version: \"1.0\"}, other: {version: \"1.0\"}}");
    assert!(plan.contains("it is file:/usr/lib/x of component file"), "{plan}");
}

#[test]
fn undeclared_set_user_id_file_is_refused_and_a_declared_one_installed() {
    let Some(mut host) = TestHost::new(&[]) else { return };
    let with_bit = |says: &'static str| {
        let component = Component { says, payload: &[], ..SHOP };
        PackageFolder::new().with_payload(&component, |package| {
            let options = rpm::FileOptions::new("/usr/bin/su2").permissions(0o4755);
            package.with_file_contents(b"su".as_slice(), options).unwrap();
        })
    };
    host.packages = with_bit("");
    let plan = host.blocked(NODE);
    assert!(plan.contains("its mode is 4755") && plan.contains("add `setuid: true`"), "{plan}");
    host.packages = with_bit(r#""setuid": ["/usr/bin/su2"],"#);
    host.ok(NODE);
    assert_eq!(host.mode("usr/bin/su2"), 0o4755);
}

#[test]
fn payload_below_a_folder_of_a_user_is_refused() {
    if !nix::unistd::Uid::effective().is_root() {
        return skip("it needs root to give a folder to another user");
    }
    let payload = &[("/var/lib/vic/conf/app.conf", "x", "root")];
    let Some(mut host) = TestHost::new(&[Component { payload, ..SHOP }]) else { return };
    host.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nvic:x:4242:4242::/:/bin/sh\n");
    fs::create_dir_all(host.path("var/lib/vic")).unwrap();
    std::os::unix::fs::chown(host.path("var/lib/vic"), Some(4242), Some(4242)).unwrap();
    fs::create_dir_all(host.path("etc/tmpfiles.d")).unwrap();
    symlink("/etc/tmpfiles.d", host.path("var/lib/vic/conf")).unwrap();
    let plan = host.blocked(NODE);
    assert!(plan.contains("rpm writes there as root, and vic can change /var/lib/vic"), "{plan}");
}

#[test]
fn payload_whose_path_leads_through_a_folder_of_a_user_is_refused() {
    if !nix::unistd::Uid::effective().is_root() {
        return skip("it needs root to give a folder to another user");
    }
    let payload = &[("/opt/x/run", "x", "root")];
    let Some(mut host) = TestHost::new(&[Component { payload, ..SHOP }]) else { return };
    for folder in ["home/vic", "opt/z"] {
        fs::create_dir_all(host.path(folder)).unwrap();
    }
    std::os::unix::fs::chown(host.path("home/vic"), Some(4242), Some(4242)).unwrap();
    symlink("/opt/z", host.path("home/vic/y")).unwrap();
    symlink("/home/vic/y", host.path("opt/x")).unwrap();
    let plan = host.blocked(NODE);
    assert!(plan.contains("/opt/x/run of version 1.0-1: rpm writes there as root, and"), "{plan}");
}

#[test]
fn payload_below_a_folder_whose_access_control_list_lets_others_write_is_refused() {
    if !has_tool("setfacl") {
        return;
    }
    let payload = &[("/opt/app/run", "x", "root")];
    let Some(mut host) = TestHost::new(&[Component { payload, ..SHOP }]) else { return };
    fs::create_dir_all(host.path("opt/app")).unwrap();
    let set = Command::new("setfacl").args(["--modify", "user:4242:rwx"]).arg(host.path("opt/app")).status();
    assert!(set.unwrap().success());
    let plan = host.blocked(NODE);
    assert!(plan.contains("and whoever its access control list names can change /opt/app"), "{plan}");
}

#[test]
fn directory_that_was_there_stays_when_the_package_leaves_and_is_not_changed() {
    let Some(mut host) = TestHost::new(&[]) else { return };
    let with_mode = |mode: u16, says: &'static str| {
        PackageFolder::new().with_payload(&Component { payload: &[], says, ..SHOP }, |package| {
            let options = rpm::FileOptions::dir("/opt/app").permissions(mode);
            package.with_dir_entry(options).unwrap();
        })
    };
    fs::create_dir_all(host.path("opt/app")).unwrap();
    host.chmod("opt/app", 0o700);
    host.packages = with_mode(0o755, "");
    let plan = host.blocked(NODE);
    assert!(plan.contains("it is there with mode 0700 of root:root"), "{plan}");
    host.packages = with_mode(0o700, "");
    host.ok(NODE);
    host.ok(" {}");
    assert_eq!(host.mode("opt/app"), 0o700);
    // With a file of its own it is not removed: its mode is put back.
    host.write("opt/app/mine", "");
    host.packages = with_mode(0o755, r#""replaces": ["/opt/app"],"#);
    host.ok(NODE);
    assert_eq!(host.mode("opt/app"), 0o755);
    host.ok(" {}");
    assert_eq!(host.mode("opt/app"), 0o700);
}
