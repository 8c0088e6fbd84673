//! What killed programs left half done is made whole by the next run, which says so.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use converge::{
    Host, HostError, ObservedPackagePaths, PackagePathsRequest, PayloadDriftRequest, PunchStateFolder,
    RealHost, RepairOccasion, VerifiedPayloads, repair_interrupted_work,
};
use model::{
    health::HealthProbe,
    observe::{Observation, ObservationRequest, OsFamily, PayloadDrift, ResourcePropertiesByKind},
    plan::{PlannedAction, PlannedChange},
    report::{RepairKind, RepairOfInterruptedWork, RunOutcome},
    resource::ResourceId,
    version::Version,
};

use crate::{
    skip::has_tool,
    story::{self, Component, PackageFolder},
};

const SHOP: Component<'_> = Component {
    name: "shop",
    version: "1.0",
    says: "",
    manifest: "format: geppetto/manifest/1\n",
    templates: &[],
    payload: &[("/usr/lib/shop/run", "1.0", "root")],
};
const NEW: Component<'_> = Component {
    version: "1.1",
    payload: &[("/usr/lib/shop/run", "1.1", "root"), ("/usr/lib/shop/new/only", "1.1", "root")],
    ..SHOP
};
const OLD_NODE: &str = " {shop: {version: \"1.0\"}}";
const NEW_NODE: &str = " {shop: {version: \"1.1\"}}";

/// A host on which rpm is stopped when all files of a payload are there and its database knows nothing of them.
struct RpmStoppedHost {
    machine: RealHost,
    database: PathBuf,
}

impl Host for RpmStoppedHost {
    fn os_family(&self) -> Option<OsFamily> {
        self.machine.os_family()
    }
    fn is_systemd_running(&self) -> bool {
        self.machine.is_systemd_running()
    }
    fn can_run_commands(&self) -> bool {
        self.machine.can_run_commands()
    }
    fn observe_component_packages(&self, names: &[String]) -> BTreeMap<String, Observation<Version>> {
        self.machine.observe_component_packages(names)
    }
    fn observe_package_paths(
        &self,
        request: &PackagePathsRequest<'_>,
    ) -> Result<ObservedPackagePaths, HostError> {
        self.machine.observe_package_paths(request)
    }
    fn observe_payload_drift(
        &self,
        request: &PayloadDriftRequest<'_>,
        known: &mut VerifiedPayloads,
    ) -> BTreeMap<String, Result<PayloadDrift, String>> {
        self.machine.observe_payload_drift(request, known)
    }
    fn observe_resources(
        &self,
        request: &ObservationRequest<'_>,
    ) -> BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>> {
        self.machine.observe_resources(request)
    }
    fn apply_change(
        &mut self,
        change: &PlannedChange,
        packages: &[PathBuf],
    ) -> Result<Option<String>, HostError> {
        let is_payload = match &change.action {
            PlannedAction::InstallPackages(packages) => packages.contains_key("shop"),
            _ => false,
        };
        if !is_payload {
            return self.machine.apply_change(change, packages);
        }
        let before = tempfile::tempdir().unwrap();
        let copy = |from: &Path, to: &Path| {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        };
        copy(&self.database, before.path());
        self.machine.apply_change(change, packages).unwrap();
        fs::remove_dir_all(&self.database).unwrap();
        copy(before.path(), &self.database);
        Err(HostError::Other("rpm was killed".to_owned()))
    }
    fn run_health_probe(&self, probe: &HealthProbe) -> Result<(), String> {
        self.machine.run_health_probe(probe)
    }
}

struct TestHost {
    root: tempfile::TempDir,
    packages: PackageFolder,
}

impl TestHost {
    fn new() -> Self {
        let packages = PackageFolder::new().with(&SHOP).with(&NEW);
        Self { root: tempfile::tempdir().unwrap(), packages }
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
    fn state(&self) -> PunchStateFolder {
        PunchStateFolder::from_root_path(self.root.path())
    }
    fn machine(&self) -> RealHost {
        RealHost::new(self.root.path(), story::no_http).unwrap()
    }
    fn run(&mut self, node: &str) -> story::Run {
        let (mut machine, state) = (self.machine(), self.state());
        story::run(&story::node(node), &mut machine, &state, &mut self.packages)
    }
    fn repair(&self, occasion: RepairOccasion) -> Result<Vec<RepairOfInterruptedWork>, HostError> {
        repair_interrupted_work(&mut self.machine(), &self.state(), occasion)
    }
}

#[test]
fn version_before_a_stopped_upgrade_is_complete_again_and_what_the_upgrade_left_is_removed() {
    if !has_tool("rpm") {
        return;
    }
    let mut host = TestHost::new();
    host.run(OLD_NODE);
    host.run(OLD_NODE);
    let before = story::listing(host.root.path());
    let mut stopped = RpmStoppedHost { machine: host.machine(), database: host.path("root/.rpmdb") };
    let state = host.state();
    let run = story::run(&story::node(NEW_NODE), &mut stopped, &state, &mut host.packages);
    assert_eq!(run.report.outcome, RunOutcome::Failed);
    host.write("usr/lib/shop/run;5f3a9c01", "half of a file");
    assert_eq!(host.read("usr/lib/shop/run"), "1.1");

    let run = host.run(OLD_NODE);
    assert_eq!(run.report.outcome, RunOutcome::Changed, "{}\n{:#?}", run.plan, run.report);
    assert_eq!(story::listing(host.root.path()), before);
    assert!(!host.path("usr/lib/shop/new/only").exists());
    let repairs: Vec<&str> = run.report.repairs.iter().map(|repair| repair.what.as_str()).collect();
    assert_eq!(
        repairs,
        [
            "rpm had been stopped while it installed shop 1.1-1; what it left is removed: /usr/lib/shop/run;5f3a9c01, /usr/lib/shop/new/only"
        ]
    );
    assert_eq!(run.report.repairs[0].kind, RepairKind::RpmTransaction);
    let run = host.run(OLD_NODE);
    assert_eq!(run.report.outcome, RunOutcome::Unchanged, "{}\n{:#?}", run.plan, run.report);
}

#[test]
fn upgrade_that_was_stopped_is_completed_when_it_is_still_wanted() {
    if !has_tool("rpm") {
        return;
    }
    let mut host = TestHost::new();
    host.run(OLD_NODE);
    let mut stopped = RpmStoppedHost { machine: host.machine(), database: host.path("root/.rpmdb") };
    let state = host.state();
    story::run(&story::node(NEW_NODE), &mut stopped, &state, &mut host.packages);
    assert_eq!(host.run(NEW_NODE).report.outcome, RunOutcome::Changed);
    assert_eq!(host.read("usr/lib/shop/new/only"), "1.1");
    assert_eq!(host.run(NEW_NODE).report.outcome, RunOutcome::Unchanged);
}

#[test]
fn rpm_database_that_rpm_did_not_finish_making_is_completed() {
    if !has_tool("rpm") {
        return;
    }
    let mut host = TestHost::new();
    host.write("root/.rpmdb/rpmdb.sqlite", "");
    assert_eq!(host.run(OLD_NODE).report.outcome, RunOutcome::Blocked);
    let repairs = host.repair(RepairOccasion::PackagesUnreadable).unwrap();
    assert_eq!(repairs[0].kind, RepairKind::RpmDatabase);
    assert!(repairs[0].what.contains("`rpm --initdb` has completed it"), "{repairs:?}");
    assert_eq!(host.run(OLD_NODE).report.outcome, RunOutcome::Changed);
    assert_eq!(host.repair(RepairOccasion::PackagesUnreadable).unwrap(), []);
}

#[test]
fn rpm_database_that_cannot_be_repaired_is_an_error_that_says_what_to_do() {
    if !has_tool("rpm") {
        return;
    }
    let host = TestHost::new();
    host.write("root/.rpmdb/rpmdb.sqlite", &"this is no database. ".repeat(500));
    let error = host.repair(RepairOccasion::PackagesUnreadable).unwrap_err().to_string();
    assert!(error.contains("rpm's database in /root/.rpmdb is damaged"), "{error}");
    assert!(error.contains("put back a copy of /root/.rpmdb from a backup"), "{error}");
}

/// A root with a shell and dpkg's database, so that Debian packages can be installed in it.
fn debian_root() -> Option<TestHost> {
    if !has_tool("dpkg") || !has_tool("dpkg-deb") {
        return None;
    }
    let host = TestHost::new();
    for path in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "usr/bin", "etc", "tmp"] {
        fs::create_dir_all(host.path(path)).unwrap();
    }
    host.write("var/lib/dpkg/status", "");
    host.write("etc/os-release", "ID=debian\n");
    host.write("etc/debian_version", "12\n");
    let listed = Command::new("ldd").arg("/bin/sh").output().unwrap();
    let libraries = String::from_utf8(listed.stdout).unwrap();
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain(["/bin/sh", "/bin/rm"]) {
        let to = host.path(file.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
    Some(host)
}

/// A Debian package whose script runs after it is unpacked.
fn debian_package(name: &str, postinst: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("p/DEBIAN");
    fs::create_dir_all(&control).unwrap();
    let text = format!(
        "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a test\n"
    );
    fs::write(control.join("control"), text).unwrap();
    let script = control.join("postinst");
    fs::write(&script, format!("#!/bin/sh\n{postinst}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let file = folder.path().join(format!("{name}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--build", "--root-owner-group"]).arg(folder.path().join("p")).arg(&file);
    assert!(build.output().unwrap().status.success());
    (folder, file)
}

fn dpkg_install(host: &TestHost, file: &Path) -> bool {
    let root = format!("--root={}", host.root.path().display());
    Command::new("dpkg").args([&root, "--install"]).arg(file).output().unwrap().status.success()
}

#[test]
fn dpkg_killed_while_it_configures_is_completed() {
    let Some(host) = debian_root() else { return };
    let (_folder, file) =
        debian_package("fragile", "[ -e /tmp/again ] && exit 0\n: > /tmp/again\nkill -9 $PPID");
    assert!(!dpkg_install(&host, &file));
    assert_ne!(fs::read_dir(host.path("var/lib/dpkg/updates")).unwrap().count(), 0, "it was killed");
    let repairs = host.repair(RepairOccasion::RunBegins).unwrap();
    assert_eq!(repairs.len(), 1);
    assert_eq!(repairs[0].kind, RepairKind::Dpkg);
    assert_eq!(
        repairs[0].what,
        "dpkg had been stopped half-way; `dpkg --configure -a` has completed it: fragile"
    );
    assert!(host.read("var/lib/dpkg/status").contains("install ok installed"));
    assert_eq!(host.repair(RepairOccasion::RunBegins).unwrap(), []);
}

#[test]
fn package_whose_configuration_fails_is_removed_with_its_component() {
    let Some(host) = debian_root() else { return };
    let (_folder, file) = debian_package("broken", "exit 1");
    assert!(!dpkg_install(&host, &file));
    assert!(host.read("var/lib/dpkg/status").contains("half-configured"));
    let mut host = host;
    let manifest = "format: geppetto/manifest/1\nresources: [{package: broken, present: false}]\n";
    host.packages = PackageFolder::new().with(&Component { manifest, ..SHOP });
    let run = host.run(OLD_NODE);
    assert_eq!(run.report.outcome, RunOutcome::Changed, "{}\n{:#?}", run.plan, run.report);
    assert!(run.plan.to_string().contains("remove package:broken"), "{}", run.plan);
    assert!(!host.read("var/lib/dpkg/status").contains("half-configured"));
    assert_eq!(host.run(OLD_NODE).report.outcome, RunOutcome::Unchanged);
}

#[test]
fn group_that_a_killed_useradd_or_userdel_left_out_is_made_or_removed() {
    if !has_tool("groupadd") {
        return;
    }
    let host = TestHost::new();
    host.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nhalf:x:999:998::/home/half:/bin/sh\n");
    host.write("etc/group", "root:x:0:\ngone:x:997:\nother:x:996:\n");
    for name in ["half", "gone"] {
        host.write(&format!("var/lib/geppetto/punch/groups/{name}"), "");
    }
    let repairs = host.repair(RepairOccasion::RunBegins).unwrap();
    let said: Vec<&str> = repairs.iter().map(|repair| repair.what.as_str()).collect();
    assert_eq!(
        said,
        [
            "user gone had been removed without its group gone, which is removed now",
            "user half had been made without its group half (998), which is made now",
        ]
    );
    let groups = host.read("etc/group");
    assert!(
        groups.contains("half:x:998:") && groups.contains("other:") && !groups.contains("gone"),
        "{groups}"
    );
    assert_eq!(host.repair(RepairOccasion::RunBegins).unwrap(), []);
}
