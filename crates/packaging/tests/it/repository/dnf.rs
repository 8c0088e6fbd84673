//! What real `dnf` makes of a channel.

use crate::skip::has_tool;
use std::{fs, path::Path, process::Command};

use super::TestRepository;
use crate::{
    shipped::package_own_program,
    tools::{Rpm, fails, run},
};

/// A `dnf` that knows one repository, `channel` at `url`, and trusts only the repository's keys.
pub(super) fn dnf(test: &TestRepository, url: &str) -> Command {
    let home = test.folder.path().join("dnf");
    for folder in ["repos", "log"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    fs::write(home.join("dnf.conf"), "[main]\n").unwrap();
    fs::write(
        home.join("repos/channel.repo"),
        format!(
            "[channel]\nname=channel\nbaseurl={url}\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://{}\n",
            test.root().join("keys.asc").display()
        ),
    )
    .unwrap();
    let mut dnf = Command::new("dnf");
    dnf.arg("--config").arg(home.join("dnf.conf"));
    for (option, folder) in
        [("reposdir", "repos"), ("cachedir", "cache"), ("logdir", "log"), ("persistdir", "persist")]
    {
        dnf.arg(format!("--setopt={option}={}", home.join(folder).display()));
    }
    dnf.arg("--installroot").arg(home.join("root")).args(["--releasever=1", "--assumeyes"]);
    dnf
}

pub(super) fn file_url(path: &Path) -> String {
    format!("file://{}", path.display())
}

#[test]
fn dnf_installs_from_a_channel_with_both_signature_checks_on() {
    if !has_tool("dnf") {
        return;
    }
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    test.publish("dev", &files);
    let other = test.take(Rpm::new("tool", "2.0"));
    test.publish("dev", &[other]);
    let url = file_url(&test.channel("dev"));
    let message = run(dnf(&test, &url).arg("makecache"));
    assert!(message.contains("Metadata cache created."), "{message}");
    let message = run(dnf(&test, &url).args(["repoquery", "--quiet", "--list", "shop"]));
    assert!(message.contains("/usr/share/shop/hello"), "{message}");
    let message = run(dnf(&test, &url).args(["repoquery", "--quiet"]));
    let mut names: Vec<&str> = message.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["shop-0:1.0-1.noarch", "shop-deployment-0:1.0-1.noarch", "tool-0:2.0-1.noarch"]);
    run(dnf(&test, &url).args(["install", "shop", "shop-deployment"]));
    let hello = test.folder.path().join("dnf/root/usr/share/shop/hello");
    assert_eq!(fs::read_to_string(hello).unwrap(), "shop 1.0\n");
}

#[test]
fn dnf_installs_our_own_two_programs_and_their_deployments_from_a_signed_channel() {
    if !has_tool("dnf") {
        return;
    }
    let test = TestRepository::new();
    let mut files = Vec::new();
    for program in ["punch", "geppetto"] {
        let packages = package_own_program(program, &test.built(), &test.packager);
        for package in [&packages.payload, &packages.deployment] {
            files.push(test.receive(package).unwrap().file);
        }
    }
    test.publish("dev", &files);
    let url = file_url(&test.channel("dev"));
    let own = ["punch", "punch-deployment", "geppetto", "geppetto-deployment"];
    run(dnf(&test, &url).arg("install").args(own));
    let root = test.folder.path().join("dnf/root");
    for path in [
        "usr/bin/punch",
        "usr/lib/systemd/system/punch-restore.timer",
        "usr/share/bash-completion/completions/punch",
        "usr/bin/geppetto",
        "usr/lib/systemd/system/geppetto.service",
        "usr/lib/sysusers.d/geppetto.conf",
        "usr/share/geppetto/components/geppetto/manifest.yaml",
    ] {
        assert!(root.join(path).is_file(), "{path} is not installed");
    }
    run(dnf(&test, &url).arg("remove").args(own));
    assert!(!root.join("usr/bin/punch").exists() && !root.join("usr/bin/geppetto").exists());
}

#[test]
fn dnf_refuses_a_channel_whose_repomd_was_tampered_with() {
    if !has_tool("dnf") {
        return;
    }
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    test.publish("dev", &files);
    let repomd = test.channel("dev").join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).unwrap();
    fs::write(&repomd, text.replace("<revision>2<", "<revision>9<")).unwrap();
    let message = fails(dnf(&test, &file_url(&test.channel("dev"))).arg("makecache"));
    assert!(message.contains("GPG"), "{message}");
}
