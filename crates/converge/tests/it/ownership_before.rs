//! What was there before punch has its owner, group and mode again when no version states others.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
};

use converge::{PunchStateFolder, RealHost};
use model::report::RunOutcome;

use crate::{
    skip::has_tool,
    story::{self, Component, PackageFolder},
};

const STATES_ALL: &str = "format: geppetto/manifest/1\nresources:
  - {directory: /srv/data, mode: \"0700\"}
  - {file: /etc/app, content: one, mode: \"0600\"}
";
const STATES_NOTHING: &str = "format: geppetto/manifest/1\nresources:
  - {directory: /srv/data}
  - {file: /etc/app, content: two}
";
const APP: Component<'_> =
    Component { name: "app", version: "1.0", says: "", manifest: STATES_ALL, templates: &[], payload: &[] };
const ONE: &str = " {app: {version: \"1.0\"}}";
const TWO: &str = " {app: {version: \"2.0\"}}";
const NOTHING: &str = " {}";

struct TestHost {
    root: tempfile::TempDir,
    packages: PackageFolder,
}

impl TestHost {
    /// A host with a directory of mode 0751 and a file of mode 0640.
    fn new(first_manifest: &str) -> Option<Self> {
        let packages = PackageFolder::new()
            .with(&Component { manifest: first_manifest, ..APP })
            .with(&Component { version: "2.0", manifest: STATES_NOTHING, ..APP });
        let host = has_tool("rpm").then(|| Self { root: tempfile::tempdir().unwrap(), packages })?;
        fs::create_dir_all(host.path("srv/data")).unwrap();
        fs::create_dir_all(host.path("etc")).unwrap();
        fs::write(host.path("etc/app"), "administrator's").unwrap();
        host.set_mode("srv/data", 0o751);
        host.set_mode("etc/app", 0o640);
        Some(host)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().mode() & 0o7777
    }

    /// Runs, and looks whether anything is left to do; returns what the plan said.
    fn run(&mut self, components: &str) -> String {
        let mut machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let state = PunchStateFolder::from_root_path(self.root.path());
        let node = story::node(components);
        let run = story::run(&node, &mut machine, &state, &mut self.packages);
        assert_eq!(run.report.outcome, RunOutcome::Changed, "{}\n{:#?}", run.plan, run.report);
        let again = story::plan(&node, &machine, &state, &mut self.packages);
        assert!(again.has_no_changes_or_blocks(), "{again}");
        run.plan.to_string()
    }
}

#[test]
fn mode_that_is_no_longer_stated_is_what_it_was_before_punch() {
    let Some(mut host) = TestHost::new(STATES_ALL) else { return };
    host.run(ONE);
    assert_eq!((host.mode("srv/data"), host.mode("etc/app")), (0o700, 0o600));
    let plan = host.run(TWO);
    assert_eq!((host.mode("srv/data"), host.mode("etc/app")), (0o751, 0o640), "{plan}");
    assert!(plan.contains("mode: 0700 -> 0751"), "{plan}");
}

#[test]
fn mode_that_somebody_sets_after_punch_gave_it_back_stays() {
    let Some(mut host) = TestHost::new(STATES_ALL) else { return };
    host.run(ONE);
    host.run(TWO);
    host.set_mode("srv/data", 0o770);
    fs::write(host.path("etc/app"), "edited").unwrap();
    host.run(TWO);
    assert_eq!((host.mode("srv/data"), host.mode("etc/app")), (0o770, 0o640));
}

#[test]
fn directory_of_a_component_that_leaves_has_its_mode_again_and_a_file_keeps_all_it_has() {
    let Some(mut host) = TestHost::new(STATES_ALL) else { return };
    host.run(ONE);
    host.run(NOTHING);
    assert_eq!((host.mode("srv/data"), host.mode("etc/app")), (0o751, 0o600));
    assert_eq!(fs::read_to_string(host.path("etc/app")).unwrap(), "one");
    let managed = fs::read_to_string(host.path("var/lib/geppetto/punch/managed.json")).unwrap();
    assert!(!managed.contains("ownership_before"), "{managed}");
}

#[test]
fn owner_and_group_that_are_no_longer_stated_are_what_they_were_before_punch() {
    let states_owner = STATES_ALL.replace("mode: \"0700\"", "owner: \"4711\", group: \"4712\"");
    let Some(mut host) = TestHost::new(&states_owner) else { return };
    if chown(host.path("srv/data"), Some(12), Some(34)).is_err() {
        crate::skip::skip("only root can give folders to others");
        return;
    }
    let owners = |host: &TestHost| {
        let data = fs::metadata(host.path("srv/data")).unwrap();
        (data.uid(), data.gid())
    };
    host.run(ONE);
    assert_eq!(owners(&host), (4711, 4712));
    host.run(TWO);
    assert_eq!(owners(&host), (12, 34));
    host.run(ONE);
    host.run(NOTHING);
    assert_eq!(owners(&host), (12, 34));
}

#[test]
fn file_that_was_removed_and_made_again_has_the_mode_of_a_new_one() {
    let Some(mut host) = TestHost::new(STATES_ALL) else { return };
    host.run(ONE);
    fs::remove_file(host.path("etc/app")).unwrap();
    host.run(ONE);
    host.run(TWO);
    assert_eq!(host.mode("etc/app"), 0o644);
}
