//! A component that a user of the host makes impossible to deploy, beside one that is deployed.

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::{
    components::{packaged, shop},
    skip::{has_tool, skip},
    test_folder::TestFolder,
};

const APPLY: [&str; 6] = ["apply", "node.yaml", "--repository", "dist", "--root", "root"];
const PLAN: [&str; 6] = ["plan", "node.yaml", "--repository", "dist", "--root", "root"];

/// The components `shop` and `vic` in `dist/`, of which the second has a folder of user 1234 with a file
/// of this many bytes; not where that cannot be.
fn shop_and_vic(bytes: usize) -> Option<TestFolder> {
    if !has_tool("rpm") {
        return None;
    }
    if !nix::unistd::Uid::effective().is_root() {
        skip("only root can give a folder to another user");
        return None;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    shop(&test, "1.0.0");
    fs::rename(test.path("shop"), test.path("vic")).unwrap();
    let description =
        test.read("vic/component.yaml").replace("shop", "vic").replace("source: vic.sh", "source: shop.sh");
    test.write("vic/component.yaml", &description);
    let content = "x".repeat(bytes);
    test.write(
        "vic/deploy/manifest.yaml",
        &format!(
            "format: geppetto/manifest/1\nresources:\n  - directory: /srv/vic\n    owner: \"1234\"\n  \
             - file: /srv/vic/conf\n    owner: \"1234\"\n    content: {content}\n"
        ),
    );
    fs::remove_dir_all(test.path("vic/deploy/templates")).unwrap();
    test.ok(&["package", "vic", "--out", "dist", "--source-date", "1700000000"]);
    node(&test, "hello");
    Some(test)
}

fn node(test: &TestFolder, greeting: &str) {
    test.write(
        "node.yaml",
        &format!(
            "format: geppetto/node/1\ncomponents:\n  vic:\n    version: 1.0.0\n  shop:\n    version: 1.0.0\n    \
             values: {{greeting: {greeting}}}\n"
        ),
    );
}

#[test]
fn folder_of_a_user_replaced_by_a_link_blocks_its_component_and_the_other_is_deployed() {
    let Some(test) = shop_and_vic(1) else { return };
    test.ok(&APPLY);
    fs::remove_dir_all(test.path("root/srv/vic")).unwrap();
    symlink("/etc", test.path("root/srv/vic")).unwrap();
    node(&test, "bonjour");

    let planned = test.punch(&PLAN);
    assert_eq!(planned.code, 3, "{}", planned.stderr);
    assert!(planned.stdout.contains("blocked directory:/srv/vic: "), "{}", planned.stdout);
    assert!(planned.stdout.contains("component vic stays as it is"), "{}", planned.stdout);

    let applied = test.punch(&APPLY);
    assert_eq!(applied.code, 3, "{}", applied.stderr);
    assert!(applied.stderr.contains("generation 0: partly"), "{}", applied.stderr);
    assert!(test.read("root/etc/shop/shop.conf").contains("greeting=bonjour"));
    assert!(!test.path("root/etc/conf").exists());

    let again = test.punch(&APPLY);
    assert_eq!(again.code, 3, "{}", again.stderr);
    assert!(!again.stderr.contains("[1/"), "nothing is left to be done: {}", again.stderr);
    let status = test.ok(&["status", "--root", "root"]).stdout;
    assert!(status.contains(", partly, ") && status.contains("not complete vic; "), "{status}");
    let json: serde_json::Value =
        serde_json::from_str(&test.ok(&["status", "--root", "root", "--json"]).stdout).unwrap();
    assert_eq!(json["last_run"]["not_completed"], serde_json::json!(["vic"]));

    fs::remove_file(test.path("root/srv/vic")).unwrap();
    test.ok(&APPLY);
    assert!(test.path("root/srv/vic/conf").exists());
}

#[test]
fn failure_in_a_folder_of_a_user_ends_5_and_the_other_component_is_deployed() {
    let Some(test) = shop_and_vic(200_000) else { return };
    let folder = test.path("root/srv/vic");
    fs::create_dir_all(&folder).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k,uid=1234,mode=0755", "tmpfs"])
        .arg(&folder)
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        return skip("a small file system cannot be mounted here");
    }
    let applied = test.punch(&APPLY);
    Command::new("umount").arg(&folder).status().unwrap();
    assert_eq!(applied.code, 5, "{}", applied.stderr);
    assert!(
        applied.stderr.contains("FAILED: /srv/vic/conf: cannot write it: the disk is full"),
        "{}",
        applied.stderr
    );
    assert!(applied.stderr.contains("generation 0: partly"), "{}", applied.stderr);
    assert!(test.path("root/etc/shop/shop.conf").exists());
    let status = test.ok(&["status", "--root", "root"]).stdout;
    assert!(status.contains("(no run has succeeded yet)"), "{status}");
}
