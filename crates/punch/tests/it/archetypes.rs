//! Every built-in archetype on its whole way: generated, packaged, deployed into a folder, taken away again.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    ordinary_user::{ORDINARY_USER, readable_programs},
    skip::has_tool,
    test_folder::{TestFolder, run},
};

/// Everything below a folder, but for what rpm and punch keep for themselves.
fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            if [
                "var/lib/rpm",
                "root/.rpmdb",
                "var/lib/geppetto",
                "etc/passwd",
                "etc/group",
                "etc/shadow",
                "etc/gshadow",
                "etc/subuid",
                "etc/subgid",
            ]
            .iter()
            .any(|own| shown.starts_with(own))
            {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                found.push(shown);
            }
        }
    }
    found.sort();
    found
}

fn deploys(archetype: &str, expected: &[&str]) {
    if !["rpm", "useradd", "systemctl"].into_iter().all(has_tool) {
        return;
    }
    let test = TestFolder::new();
    test.ok(&["new", archetype, "thing"]);
    test.ok(&["lint", "thing"]);
    test.ok(&["package", "thing", "--out", "dist"]);
    for (path, text) in
        [("root/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("root/etc/group", "root:x:0:\n")]
    {
        test.write(path, text);
    }
    let root = test.path("root");
    let before = listing(&root);
    let apply = |node: &str| test.ok(&["apply", node, "--repository", "dist", "--root", "root"]);
    apply("thing/node.yaml");
    for path in expected {
        assert!(
            test.path("root").join(path).symlink_metadata().is_ok(),
            "{path} is not there: {:#?}",
            listing(&root)
        );
    }
    let again = apply("thing/node.yaml");
    assert!(again.stderr.contains("unchanged"), "{}", again.stderr);
    test.write("empty.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    test.ok(&["apply", "empty.yaml", "--repository", "dist", "--root", "root", "--max-removals", "20"]);
    assert_eq!(listing(&root), before);
    deploys_for_an_ordinary_user(&test, expected);
}

/// The same by an ordinary user below a folder: nothing of it needs the rights of root.
fn deploys_for_an_ordinary_user(test: &TestFolder, expected: &[&str]) {
    let home = test.path("home-of-user");
    fs::create_dir_all(home.join("root")).unwrap();
    fs::set_permissions(test.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    let as_root = nix::unistd::geteuid().is_root();
    if as_root {
        for folder in [home.clone(), home.join("root")] {
            std::os::unix::fs::chown(folder, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
        }
    }
    let apply = |node: &str, more: &[&str]| {
        let mut command = Command::new(readable_programs().join("punch"));
        command.arg("apply").arg(test.path(node)).arg("--repository").arg(test.path("dist"));
        command.args(["--root", "root"]).args(more).current_dir(&home).stdin(Stdio::null()).env_clear();
        command.env("HOME", &home).env("PATH", std::env::var_os("PATH").unwrap());
        if as_root {
            command.uid(ORDINARY_USER).gid(ORDINARY_USER);
        }
        let output = run(&mut command);
        assert_eq!(output.code, 0, "punch apply {node}\n{}\n{}", output.stdout, output.stderr);
        output
    };
    let root = home.join("root");
    let said = apply("thing/node.yaml", &[]).stdout;
    for path in expected {
        assert!(root.join(path).symlink_metadata().is_ok(), "{path} is not there: {:#?}", listing(&root));
    }
    let manifest = test.read("thing/deploy/manifest.yaml");
    if manifest.contains("owner:") {
        assert!(said.contains("note: only root can give owners; here all is yours: /"), "{said}");
        let noted = root.join("var/lib/geppetto/punch/owners-not-given.json");
        let noted: serde_json::Value = serde_json::from_str(&fs::read_to_string(noted).unwrap()).unwrap();
        let owner = noted.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        assert!(owner.contains(':'), "{noted}");
    }
    let again = apply("thing/node.yaml", &[]);
    assert!(again.stderr.contains("unchanged"), "{}", again.stderr);
    apply("empty.yaml", &["--max-removals", "20"]);
    assert_eq!(listing(&root), Vec::<String>::new());
}

#[test]
fn generated_web_service_deploys() {
    deploys(
        "web-service",
        &[
            "usr/share/thing/thing.py",
            "etc/thing/thing.conf",
            "etc/systemd/system/multi-user.target.wants/thing.service",
        ],
    );
}

#[test]
fn generated_processing_deploys() {
    deploys(
        "processing",
        &[
            "usr/lib/systemd/system/thing.timer",
            "etc/systemd/system/thing.timer.d/schedule.conf",
            "etc/systemd/system/timers.target.wants/thing.timer",
            "var/lib/thing/inbox",
        ],
    );
}

#[test]
fn generated_webapp_deploys() {
    if has_tool("mvn") {
        deploys("webapp", &["usr/share/thing/thing.war", "etc/tomcat10/Catalina/localhost/thing.xml"]);
    }
}

#[test]
fn generated_db_schema_deploys() {
    deploys("db-schema", &["usr/share/thing/migrations/001_items.sql", "etc/thing/thing.conf"]);
}

#[test]
fn generated_monitoring_plugin_deploys() {
    deploys("monitoring-plugin", &["usr/lib/nagios/plugins/check_thing", "etc/nagios/nrpe.d/thing.cfg"]);
}

#[test]
fn generated_os_config_deploys() {
    deploys("os-config", &["etc/systemd/journald.conf.d/thing.conf"]);
}
