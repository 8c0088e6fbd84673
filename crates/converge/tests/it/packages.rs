//! Packages by the real `rpm`: what one needs, what moves between them, what they bring and take along.

use crate::skip::has_tool;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use converge::{PunchStateFolder, RealHost};
use model::report::RunOutcome;

use crate::story::{self, Component, PackageFolder};

const EMPTY: &str = "format: geppetto/manifest/1\n";

const SHOP: Component<'_> = Component {
    name: "shop",
    version: "1.0",
    says: "",
    manifest: EMPTY,
    templates: &[],
    payload: &[("/usr/lib/shop/run", "1", "root")],
};
const LIB: Component<'_> = Component { name: "lib", payload: &[("/usr/lib/lib/so", "1", "root")], ..SHOP };

const NEEDS_LIB: &str = r#""requires": {"lib": "*"},"#;

struct TestHost {
    root: tempfile::TempDir,
    state: PunchStateFolder,
    package_folder: PackageFolder,
}

impl TestHost {
    /// A root and a folder of packages; nothing where there is no rpm.
    fn new(components: &[Component<'_>]) -> Option<Self> {
        if !has_tool("rpm") {
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(root.path());
        let package_folder = components.iter().fold(PackageFolder::new(), PackageFolder::with);
        Some(Self { root, state, package_folder })
    }

    fn run(&mut self, components: &str) -> story::Run {
        let mut machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        story::run(&story::node(components), &mut machine, &self.state, &mut self.package_folder)
    }

    /// A run that must succeed, and leave nothing to do.
    fn ok(&mut self, components: &str) {
        let run = self.run(components);
        assert_eq!(run.report.outcome, RunOutcome::Changed, "{}\n{:#?}", run.plan, run.report);
        let machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let plan = story::plan(&story::node(components), &machine, &self.state, &mut self.package_folder);
        assert!(plan.has_no_changes_or_blocks(), "{plan}");
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn dependency_dropped_by_the_new_version_is_removed_in_the_upgrade() {
    let new = Component { version: "2.0", ..SHOP };
    let Some(mut host) = TestHost::new(&[Component { says: NEEDS_LIB, ..SHOP }, new, LIB]) else { return };
    host.ok(" {shop: {version: \"1.0\"}, lib: {version: \"1.0\"}}");
    host.ok(" {shop: {version: \"2.0\"}}");
    assert!(!host.path("usr/lib/lib/so").exists());
    // And it comes back with the version that needs it.
    host.ok(" {shop: {version: \"1.0\"}, lib: {version: \"1.0\"}}");
}

#[test]
fn dependency_needed_by_an_unmanaged_package_is_kept_and_fails_the_run() {
    let other = Component { name: "other", says: NEEDS_LIB, payload: &[], ..SHOP };
    let new = Component { version: "2.0", ..SHOP };
    let needing = Component { says: NEEDS_LIB, ..SHOP };
    let Some(mut host) = TestHost::new(&[needing, new, LIB, other]) else { return };
    host.ok(" {shop: {version: \"1.0\"}, lib: {version: \"1.0\"}, other: {version: \"1.0\"}}");
    // From now on it is somebody else's.
    let managed = host.path("var/lib/geppetto/punch/managed.json");
    let text = fs::read_to_string(&managed).unwrap().replace("\"other\": \"other\",", "");
    fs::write(&managed, text).unwrap();
    let run = host.run(" {shop: {version: \"2.0\"}}");
    assert_eq!(run.report.outcome, RunOutcome::Failed, "{}", run.plan);
    let failed = run.report.entries.iter().find(|entry| entry.detail.contains("is needed by")).unwrap();
    assert!(failed.detail.contains("lib is needed by (installed) other-1.0-1"), "{}", failed.detail);
    assert!(host.path("usr/lib/lib/so").exists(), "nothing is torn from under it");
}

#[test]
fn renamed_component_keeps_its_files() {
    let renamed = Component { name: "store", ..SHOP };
    let Some(mut host) = TestHost::new(&[SHOP, renamed]) else { return };
    host.ok(" {shop: {version: \"1.0\"}}");
    host.ok(" {store: {version: \"1.0\"}}");
    assert_eq!(host.read("usr/lib/shop/run"), "1");
}

#[test]
fn file_moved_from_payload_to_manifest_exists_after_the_upgrade() {
    let manifest = "format: geppetto/manifest/1\nresources: [{file: /usr/lib/shop/run, content: \"1\"}]\n";
    let changed = "format: geppetto/manifest/1\nresources: [{file: /usr/lib/shop/run, content: \"2\"}]\n";
    for (manifest, content) in [(manifest, "1"), (changed, "2")] {
        let moved = Component { version: "2.0", manifest, payload: &[], ..SHOP };
        let Some(mut host) = TestHost::new(&[SHOP, moved]) else { return };
        host.ok(" {shop: {version: \"1.0\"}}");
        host.ok(" {shop: {version: \"2.0\"}}");
        assert_eq!(host.read("usr/lib/shop/run"), content);
        // It is punch's own: it goes with the component.
        host.ok(" {}");
        assert!(!host.path("usr/lib/shop/run").exists(), "{content}");
    }
}

#[test]
fn mode_reset_by_a_payload_upgrade_is_set_to_that_of_the_manifest() {
    let manifest = "format: geppetto/manifest/1\nresources: [{file: /usr/lib/shop/run, content: \"1\", mode: \"0700\"}]\n";
    let one = Component { manifest, ..SHOP };
    let Some(mut host) = TestHost::new(&[one, Component { version: "2.0", ..one }]) else { return };
    host.ok(" {shop: {version: \"1.0\"}}");
    assert_eq!(mode(&host.path("usr/lib/shop/run")), 0o700);
    host.ok(" {shop: {version: \"2.0\"}}");
    assert_eq!(mode(&host.path("usr/lib/shop/run")), 0o700);
}

#[test]
fn non_empty_directory_to_be_removed_fails_the_run() {
    let manifest = "format: geppetto/manifest/1\nresources: [{directory: /srv/old, present: false}]\n";
    let Some(mut host) = TestHost::new(&[Component { manifest, ..SHOP }]) else { return };
    fs::create_dir_all(host.path("srv/old/mine")).unwrap();
    fs::set_permissions(host.path("srv/old"), fs::Permissions::from_mode(0o755)).unwrap();
    let run = host.run(" {shop: {version: \"1.0\"}}");
    assert_eq!(run.report.outcome, RunOutcome::Failed);
    let detail = &run.report.entries.last().unwrap().detail;
    assert!(
        detail.starts_with("directory:/srv/old is still there: it is not empty (/srv/old is /"),
        "{detail}"
    );
    fs::remove_dir(host.path("srv/old/mine")).unwrap();
    host.ok(" {shop: {version: \"1.0\"}}");
    assert!(!host.path("srv/old").exists());
}

/// A package whose script after the installation fails until `/tmp/ready` is there.
fn with_script(component: &Component<'_>) -> PackageFolder {
    PackageFolder::new().with(&LIB).with_payload(component, |package| {
        package.post_install_script(rpm::Scriptlet::new("test -e /tmp/ready").prog(vec!["/bin/sh"]));
        package.requires(rpm::Dependency::any("/bin/sh"));
    })
}

/// A shell below the root, as a Debian host has one that rpm does not know.
fn copy_shell(root: &Path) {
    let listed = std::process::Command::new("ldd").arg("/bin/sh").output().unwrap();
    let libraries = String::from_utf8(listed.stdout).unwrap();
    for file in libraries.split_whitespace().filter(|word| word.starts_with('/')).chain(["/bin/sh"]) {
        let to = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
    fs::create_dir_all(root.join("tmp")).unwrap();
}

#[test]
fn failed_script_after_an_installation_fails_its_component_and_is_run_again_by_the_next_run() {
    let Some(mut host) = TestHost::new(&[]) else { return };
    host.package_folder = with_script(&SHOP);
    copy_shell(host.root.path());
    let node = " {shop: {version: \"1.0\"}, lib: {version: \"1.0\"}}";
    let run = host.run(node);
    assert_eq!(run.report.outcome, RunOutcome::Partly, "{:#?}", run.report);
    assert_eq!(run.report.components_left_by_partial_run(), ["shop".parse().unwrap()].into());
    let entry = run.report.entries.iter().find(|entry| entry.detail.contains("%post")).unwrap();
    assert!(
        entry.detail.starts_with("scripts of installed packages failed (shop: %post, exit status 1)"),
        "{}",
        entry.detail
    );
    assert!(host.path("usr/lib/lib/so").exists(), "the other component is done");
    let run = host.run(node);
    assert!(
        run.plan.to_string().contains("%post, exit status 1: failed when the package was installed"),
        "{}",
        run.plan
    );
    fs::write(host.path("tmp/ready"), "").unwrap();
    host.ok(node);
}

#[test]
fn installation_waits_for_another_rpm_that_holds_the_lock() {
    let Some(mut host) = TestHost::new(&[SHOP, LIB]) else { return };
    host.ok(" {lib: {version: \"1.0\"}}");
    let lock = host.path("root/.rpmdb/.rpm.lock");
    let script = "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.lockf(f,fcntl.LOCK_EX); print(flush=True); time.sleep(1)";
    let mut holder = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&lock)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    host.ok(" {lib: {version: \"1.0\"}, shop: {version: \"1.0\"}}");
    holder.wait().unwrap();
}
