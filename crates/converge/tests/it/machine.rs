//! The real host, on folders: files, accounts, cron, services, packages by the real tools.

use crate::skip::has_tool;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use converge::{PunchStateFolder, RealHost};
use model::report::RunOutcome;

use crate::story::{self, Component, PackageFolder};

const ALL: Component<'_> = Component {
    name: "shop",
    version: "1.0.0",
    says: r#""parameters": {"greeting": {"type": "string", "description": "shown", "default": "hello"}},"#,
    manifest: "
format: geppetto/manifest/1
resources:
  - group: friends
    system: true
  - user: shop
    system: true
    home: /var/lib/shop
    groups: [friends]
    comment: The shop
    authorized_keys: [\"ssh-ed25519 AAAA shop\"]
  - directory: /etc/shop
    mode: \"0750\"
    group: shop
  - template: /etc/shop/shop.conf
    source: shop.conf.j2
    mode: \"0640\"
    owner: shop
    notify: [service:shop]
  - file: /etc/motd
    content: \"{{ greeting }}\\n\"
  - symlink: /etc/shop/current
    target: shop.conf
  - cron: shop-clean
    schedule: \"5 * * * *\"
    user: shop
    command: /usr/lib/shop/clean
    environment: {MAILTO: root}
  - service: shop
    enabled: true
    running: true
",
    templates: &[("shop.conf.j2", "greeting={{ greeting }}\nserver={{ server.name }}\n")],
    payload: &[
        ("/usr/lib/shop/shop", "#!/bin/sh\necho shop\n", "shop"),
        (
            "/usr/lib/systemd/system/shop.service",
            "[Service]\nExecStart=/usr/lib/shop/shop\n[Install]\nWantedBy=multi-user.target\n",
            "root",
        ),
    ],
};

fn machine(root: &Path) -> RealHost {
    RealHost::new(root, story::no_http).unwrap()
}

/// A folder with the account files of a small system.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    fs::write(root.path().join("etc/group"), "root:x:0:\n").unwrap();
    root
}

fn tools() -> bool {
    ["rpm", "useradd", "systemctl"].into_iter().all(has_tool)
}

#[test]
fn every_resource_kind_is_created_left_unchanged_repaired_and_removed() {
    if !tools() {
        return;
    }
    let root = root();
    let before = story::listing(root.path());
    let state = PunchStateFolder::from_root_path(root.path());
    let mut package_folder = PackageFolder::new().with(&ALL);
    let node = story::node(" {shop: {version: 1.0.0}}");
    let first = story::run(&node, &mut machine(root.path()), &state, &mut package_folder);
    assert_eq!(first.report.outcome, RunOutcome::Changed, "{:#?}", first.report);

    let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    assert_eq!(read("etc/shop/shop.conf"), "greeting=hello\nserver=web-01\n");
    assert!(
        read("etc/passwd").contains(":The shop:/var/lib/shop:/usr/sbin/nologin"),
        "{}",
        read("etc/passwd")
    );
    assert!(read("etc/group").lines().any(|line| line.starts_with("friends:") && line.ends_with(":shop")));
    assert_eq!(read("var/lib/shop/.ssh/authorized_keys"), "ssh-ed25519 AAAA shop\n");
    assert!(read("etc/cron.d/shop-clean").ends_with("MAILTO=root\n5 * * * * shop /usr/lib/shop/clean\n"));
    let uid = fs::metadata(root.path().join("usr/lib/shop/shop")).unwrap().uid();
    let conf = fs::metadata(root.path().join("etc/shop/shop.conf")).unwrap();
    assert_eq!((conf.uid(), conf.mode() & 0o7777), (uid, 0o640));
    assert_ne!(uid, 0, "the payload's file belongs to the user made before it");
    let wants = root.path().join("etc/systemd/system/multi-user.target.wants/shop.service");
    assert!(fs::symlink_metadata(&wants).is_ok(), "the service is enabled");

    let plan = story::plan(&node, &machine(root.path()), &state, &mut package_folder);
    assert!(plan.has_no_changes_or_blocks(), "{plan}");

    // Each property that drifts is seen, and only that.
    fs::set_permissions(root.path().join("etc/shop/shop.conf"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::write(root.path().join("etc/motd"), "bye\n").unwrap();
    fs::remove_file(root.path().join("etc/shop/current")).unwrap();
    symlink("/etc/passwd", root.path().join("etc/shop/current")).unwrap();
    let plan = story::run(&node, &mut machine(root.path()), &state, &mut package_folder).plan.to_string();
    for line in ["mode: 0666 -> 0640", "    -bye\n    +hello\n", "target: /etc/passwd -> shop.conf"] {
        assert!(plan.contains(line), "{line} is not in\n{plan}");
    }
    assert!(plan.contains("0 to create, 3 to change, 0 to remove, 0 to restart"), "{plan}");

    let gone = story::run(&story::node(" {}"), &mut machine(root.path()), &state, &mut package_folder);
    assert_eq!(gone.report.outcome, RunOutcome::Changed, "{:#?}", gone.report);
    // The keys are the user's own: its home stays.
    fs::remove_dir_all(root.path().join("var/lib/shop")).unwrap();
    assert_eq!(story::listing(root.path()), before);
}

#[test]
fn missing_unit_without_booted_system_is_noted_in_report_and_plan() {
    if !tools() {
        return;
    }
    let root = root();
    let state = PunchStateFolder::from_root_path(root.path());
    let manifest = "
format: geppetto/manifest/1
resources:
  - service: tomcat10
    enabled: true
    running: true
";
    let mut package_folder = PackageFolder::new().with(&Component { manifest, templates: &[], ..ALL });
    let node = story::node(" {shop: {version: 1.0.0}}");
    let first = story::run(&node, &mut machine(root.path()), &state, &mut package_folder);
    assert_eq!(first.report.outcome, RunOutcome::Changed, "{:#?}", first.report);
    assert!(first.report.entries.iter().any(|entry| entry.detail.contains("there is no such unit")));
    let plan = story::plan(&node, &machine(root.path()), &state, &mut package_folder);
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
    assert!(plan.to_string().contains("service:tomcat10 is not enabled: there is no such unit"), "{plan}");
}

#[test]
fn version_change_upgrades_and_downgrades_the_payload_files() {
    if !tools() {
        return;
    }
    let root = root();
    let state = PunchStateFolder::from_root_path(root.path());
    let plain = Component { manifest: "format: geppetto/manifest/1\n", templates: &[], ..ALL };
    let mut package_folder = PackageFolder::new()
        .with(&Component { payload: &[("/usr/lib/shop/one", "1", "root")], ..plain })
        .with(&Component { version: "2.0.0", payload: &[("/usr/lib/shop/two", "2", "root")], ..plain });
    for (version, there, not_there) in
        [("1.0.0", "one", "two"), ("2.0.0", "two", "one"), ("1.0.0", "one", "two")]
    {
        let node = story::node(&format!(" {{shop: {{version: {version}}}}}"));
        let run = story::run(&node, &mut machine(root.path()), &state, &mut package_folder);
        assert_eq!(run.report.outcome, RunOutcome::Changed, "{:#?}", run.report);
        assert!(root.path().join("usr/lib/shop").join(there).exists());
        assert!(!root.path().join("usr/lib/shop").join(not_there).exists());
        assert!(
            story::plan(&node, &machine(root.path()), &state, &mut package_folder).has_no_changes_or_blocks()
        );
    }
}

#[test]
fn looking_leaves_no_trace() {
    let root = tempfile::tempdir().unwrap();
    let mut package_folder = PackageFolder::new().with(&ALL);
    let plan = story::plan(
        &story::node(" {shop: {version: 1.0.0}}"),
        &machine(root.path()),
        &PunchStateFolder::from_root_path(root.path()),
        &mut package_folder,
    );
    assert!(!plan.changes.is_empty());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn link_to_outside_the_root_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let root = root();
    symlink(outside.path(), root.path().join("etc/shop")).unwrap();
    fs::write(outside.path().join("secret"), "mine").unwrap();
    symlink(outside.path().join("secret"), root.path().join("etc/motd")).unwrap();
    let manifest = "
format: geppetto/manifest/1
resources:
  - {file: /etc/shop/shop.conf, content: x}
  - {file: /etc/motd, content: y}
";
    let mut package_folder =
        PackageFolder::new().with(&Component { manifest, templates: &[], payload: &[], ..ALL });
    if !has_tool("rpm") {
        return;
    }
    let state = PunchStateFolder::from_root_path(root.path());
    let node = story::node(" {shop: {version: 1.0.0}}");
    let run = story::run(&node, &mut machine(root.path()), &state, &mut package_folder);
    // The absolute link means a path beneath the root, where there is no such folder.
    assert_eq!(run.report.outcome, RunOutcome::Failed, "{:#?}", run.report);
    let names: Vec<_> =
        fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["secret"]);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "mine");

    fs::remove_file(root.path().join("etc/shop")).unwrap();
    let run = story::run(&node, &mut machine(root.path()), &state, &mut package_folder);
    assert_eq!(run.report.outcome, RunOutcome::Changed, "{:#?}", run.report);
    assert!(fs::symlink_metadata(root.path().join("etc/motd")).unwrap().is_file(), "the link was replaced");
}

#[test]
fn directory_at_the_path_of_a_file_blocks() {
    let root = root();
    fs::create_dir_all(root.path().join("etc/motd/sub")).unwrap();
    let manifest = "format: geppetto/manifest/1\nresources: [{file: /etc/motd, content: x}]\n";
    let mut package_folder = PackageFolder::new().with(&Component { manifest, templates: &[], ..ALL });
    let plan = story::plan(
        &story::node(" {shop: {version: 1.0.0}}"),
        &machine(root.path()),
        &PunchStateFolder::from_root_path(root.path()),
        &mut package_folder,
    );
    assert_eq!(
        plan.blocked[0].because,
        "a directory is there where a file must be; move it away, punch does not replace it"
    );
}

#[test]
fn rpm_error_is_reported_verbatim() {
    if !has_tool("rpm") {
        return;
    }
    let root = root();
    let state = PunchStateFolder::from_root_path(root.path());
    let mut package_folder = PackageFolder::new().with(&Component {
        manifest: "format: geppetto/manifest/1\n",
        templates: &[],
        ..ALL
    });
    // Cut off the end: the digest of the payload no longer fits.
    let path = package_folder.files[&("shop".to_owned(), "1.0.0".to_owned())].clone();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 40]).unwrap();
    let run = story::run(
        &story::node(" {shop: {version: 1.0.0}}"),
        &mut machine(root.path()),
        &state,
        &mut package_folder,
    );
    assert_eq!(run.report.outcome, RunOutcome::Failed);
    let detail = &run.report.entries[1].detail;
    assert!(detail.starts_with("`rpm --root") && detail.contains("digest"), "{detail}");
}

#[test]
fn package_installed_in_two_versions_is_reinstalled_and_removed() {
    if !has_tool("rpm") {
        return;
    }
    let root = root();
    let state = PunchStateFolder::from_root_path(root.path());
    let plain = Component { manifest: "format: geppetto/manifest/1\n", templates: &[], ..ALL };
    let mut package_folder = PackageFolder::new()
        .with(&Component { payload: &[("/usr/lib/shop/one", "1", "root")], ..plain })
        .with(&Component { version: "2.0.0", payload: &[("/usr/lib/shop/two", "2", "root")], ..plain });
    let node = |version: &str| story::node(&format!(" {{shop: {{version: {version}}}}}"));
    // As when rpm dies after it has put the new one there and before it takes the old one away.
    let half = |package_folder: &PackageFolder, version: &str| {
        let file = &package_folder.files[&("shop".to_owned(), version.to_owned())];
        let mut command = std::process::Command::new("rpm");
        command.env("HOME", "/root").arg("--root").arg(root.path());
        command.args(["--install", "--force", "--nodeps", "--nosignature"]);
        if Path::new("/etc/debian_version").exists() {
            command.arg("--force-debian");
        }
        assert!(command.arg(file).status().unwrap().success());
    };
    story::run(&node("1.0.0"), &mut machine(root.path()), &state, &mut package_folder);
    for version in ["2.0.0", "1.0.0"] {
        half(&package_folder, if version == "2.0.0" { "2.0.0" } else { "1.0.0" });
        let run = story::run(&node(version), &mut machine(root.path()), &state, &mut package_folder);
        assert_eq!(run.report.outcome, RunOutcome::Changed, "{:#?}", run.report);
        assert!(
            story::plan(&node(version), &machine(root.path()), &state, &mut package_folder)
                .has_no_changes_or_blocks()
        );
        assert_eq!(root.path().join("usr/lib/shop/one").exists(), version == "1.0.0");
    }
    half(&package_folder, "2.0.0");
    let gone = story::run(&story::node(" {}"), &mut machine(root.path()), &state, &mut package_folder);
    assert_eq!(gone.report.outcome, RunOutcome::Changed, "{:#?}", gone.report);
    for file in ["one", "two"] {
        assert!(!root.path().join("usr/lib/shop").join(file).exists(), "{file}");
    }
}

#[test]
fn cron_file_with_mode_0666_is_reset_to_0644() {
    let root = root();
    let manifest = "
format: geppetto/manifest/1
resources: [{cron: clean, schedule: \"@daily\", command: /bin/true}]
";
    let mut package_folder =
        PackageFolder::new().with(&Component { manifest, templates: &[], payload: &[], ..ALL });
    if !has_tool("rpm") {
        return;
    }
    let state = PunchStateFolder::from_root_path(root.path());
    let node = story::node(" {shop: {version: 1.0.0}}");
    story::run(&node, &mut machine(root.path()), &state, &mut package_folder);
    let file = root.path().join("etc/cron.d/clean");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let run = story::run(&node, &mut machine(root.path()), &state, &mut package_folder);
    assert_eq!(run.report.outcome, RunOutcome::Changed, "{}", run.plan);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o644);
}

#[test]
fn os_release_takes_precedence_over_the_dpkg_database() {
    use converge::Host;
    use model::observe::OsFamily;
    let root = root();
    fs::create_dir_all(root.path().join("var/lib/dpkg")).unwrap();
    fs::write(root.path().join("var/lib/dpkg/status"), "").unwrap();
    assert_eq!(machine(root.path()).os_family(), Some(OsFamily::Deb));
    // Debian's tools can be installed on another system.
    fs::write(root.path().join("etc/os-release"), "ID=rocky\nID_LIKE=\"rhel centos fedora\"\n").unwrap();
    assert_eq!(machine(root.path()).os_family(), Some(OsFamily::Rpm));
}
