//! Files of installed packages that were changed on the host: seen, planned, and made right again by the real `rpm`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use converge::{PayloadVerification, PunchStateFolder, RealHost};
use model::{
    plan::{Plan, PlanLimits, plan_host_changes},
    report::RunOutcome,
};

use crate::{
    skip::has_tool,
    story::{self, Component, PackageFolder},
};

const SHOP: Component<'_> = Component {
    name: "shop",
    version: "1.0",
    says: "",
    manifest: "
format: geppetto/manifest/1
resources:
  - {file: /usr/lib/shop/described, content: described}
",
    templates: &[],
    payload: &[
        ("/usr/lib/shop/run", "run", "root"),
        ("/usr/lib/shop/described", "packaged", "root"),
        ("/usr/lib/systemd/system/shop.service", "[Service]\nExecStart=/usr/lib/shop/run\n", "root"),
    ],
};
const NODE: &str = " {shop: {version: \"1.0\"}}";

struct TestHost {
    root: tempfile::TempDir,
    packages: PackageFolder,
}

impl TestHost {
    /// A host on which the component is installed; nothing where there is no rpm.
    fn installed() -> Option<Self> {
        if !has_tool("rpm") {
            return None;
        }
        let packages = PackageFolder::new().with_payload(&SHOP, |package| {
            let link = rpm::FileOptions::symlink("/usr/lib/shop/link", "run");
            package.with_symlink(link).unwrap();
            let folder = rpm::FileOptions::dir("/usr/lib/shop/folder").permissions(0o750);
            package.with_dir_entry(folder).unwrap();
            let config = rpm::FileOptions::new("/etc/shop.conf").config();
            package.with_file_contents(b"packaged", config.noreplace()).unwrap();
        });
        let mut host = Self { root: tempfile::tempdir().unwrap(), packages };
        assert_eq!(host.run().report.outcome, RunOutcome::Changed);
        assert_eq!(host.run().report.outcome, RunOutcome::Unchanged, "{}", host.plan());
        Some(host)
    }
    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }
    fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().permissions().mode() & 0o7777
    }
    fn state(&self) -> PunchStateFolder {
        PunchStateFolder::from_root_path(self.root.path())
    }
    fn run(&mut self) -> story::Run {
        let mut machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let state = self.state();
        story::run(&story::node(NODE), &mut machine, &state, &mut self.packages)
    }
    fn plan(&mut self) -> Plan {
        self.plan_with(PayloadVerification::Changed)
    }
    fn plan_with(&mut self, verification: PayloadVerification) -> Plan {
        let machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let (node, state) = (story::node(NODE), self.state());
        let now = 1_700_000_000_000_000;
        let look = converge::fetch_deployments_and_observe_host(
            &node,
            &machine,
            &state,
            &mut self.packages,
            verification,
            now,
        )
        .unwrap();
        plan_host_changes(&look.wanted, &look.observed, &PlanLimits::default())
    }
}

#[test]
fn changed_files_of_a_package_are_planned_and_installed_again_and_edited_ones_kept_aside() {
    let Some(mut host) = TestHost::installed() else { return };
    host.write("usr/lib/shop/run", "edited");
    host.chmod("usr/lib/shop/folder", 0o700);
    fs::remove_file(host.path("usr/lib/shop/link")).unwrap();
    symlink("elsewhere", host.path("usr/lib/shop/link")).unwrap();
    fs::remove_file(host.path("usr/lib/systemd/system/shop.service")).unwrap();
    let run = host.run();
    assert_eq!(run.report.outcome, RunOutcome::Changed, "{:#?}", run.report);
    insta::assert_snapshot!(run.plan, @r"
    0 to create, 1 to change, 0 to remove, 0 to restart; 2 right already
    install packages (shop)
      shop 1.0-1 again, to make right what is not as it brought it
        /usr/lib/shop/folder: mode 0700 instead of 0750
        /usr/lib/shop/link: target changed
        /usr/lib/shop/run: content changed
        /usr/lib/systemd/system/shop.service: missing
    look again at 1 path that packages may have touched (shop)
    ");
    assert_eq!(host.read("usr/lib/shop/run"), "run");
    assert_eq!(host.mode("usr/lib/shop/folder"), 0o750);
    assert_eq!(fs::read_link(host.path("usr/lib/shop/link")).unwrap(), PathBuf::from("run"));
    assert!(host.path("usr/lib/systemd/system/shop.service").exists());
    let detail = &run.report.entries[0].detail;
    let kept = detail.split("what /usr/lib/shop/run held is saved in /").nth(1).unwrap();
    assert_eq!(host.read(kept), "edited");
    assert_eq!(host.run().report.outcome, RunOutcome::Unchanged, "{}", host.plan());
}

#[test]
fn edited_configuration_file_and_described_file_of_a_package_are_no_drift() {
    let Some(mut host) = TestHost::installed() else { return };
    host.write("etc/shop.conf", "edited");
    host.chmod("etc/shop.conf", 0o600);
    assert_eq!(host.read("usr/lib/shop/described"), "described");
    assert!(host.plan().has_no_changes_or_blocks(), "{}", host.plan());
}

#[test]
fn missing_configuration_file_is_installed_again() {
    let Some(mut host) = TestHost::installed() else { return };
    fs::remove_file(host.path("etc/shop.conf")).unwrap();
    assert!(host.plan().to_string().contains("/etc/shop.conf: missing"), "{}", host.plan());
    host.run();
    assert_eq!(host.read("etc/shop.conf"), "packaged");
}

#[test]
fn file_that_looks_unchanged_is_read_only_by_a_deep_plan() {
    let Some(mut host) = TestHost::installed() else { return };
    // What punch knows is made to fit the damaged file: only its content tells.
    host.write("usr/lib/shop/run", "rot");
    let known = "var/lib/geppetto/punch/payloads.json";
    let look = fs::metadata(host.path("usr/lib/shop/run")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&host.read(known)).unwrap();
    for file in json["packages"]["shop"]["files"].as_array_mut().unwrap() {
        if file["path"] == "/usr/lib/shop/run" {
            file["seen"] = seen(&look);
        }
    }
    host.write(known, &json.to_string());
    assert!(host.plan().has_no_changes_or_blocks(), "{}", host.plan());
    let deep = host.plan_with(PayloadVerification::Deep).to_string();
    assert!(deep.contains("/usr/lib/shop/run: content changed"), "{deep}");
}

fn seen(meta: &fs::Metadata) -> serde_json::Value {
    use std::os::unix::fs::MetadataExt;
    serde_json::json!({
        "size": meta.size(),
        "inode": meta.ino(),
        "modified_ns": meta.mtime() * 1_000_000_000 + meta.mtime_nsec(),
        "changed_ns": meta.ctime() * 1_000_000_000 + meta.ctime_nsec(),
    })
}

#[test]
fn unit_drop_in_and_override_that_nobody_describes_are_noted() {
    let Some(mut host) = TestHost::installed() else { return };
    host.write("etc/systemd/system/shop.service.d/override.conf", "[Service]\nUser=root\n");
    host.write("etc/systemd/system/shop.service", "[Service]\nExecStart=/bin/true\n");
    let plan = host.plan();
    assert!(plan.has_no_changes_or_blocks());
    assert_eq!(
        plan.notes,
        [
            "/etc/systemd/system/shop.service takes the place of /usr/lib/systemd/system/shop.service, and no component describes it",
            "/etc/systemd/system/shop.service.d/override.conf changes shop.service, and no component describes it",
        ]
    );
}
