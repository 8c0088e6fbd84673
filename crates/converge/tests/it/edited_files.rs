//! Files that somebody edited, or that were there before: what they held is saved and reported.

use std::{fs, path::PathBuf};

use converge::{PunchStateFolder, RealHost};
use model::report::RunOutcome;

use crate::{
    skip::has_tool,
    story::{self, Component, PackageFolder},
};

const MANIFEST: &str = "format: geppetto/manifest/1\nresources: [{file: /etc/app, content: \"one\"}]\n";
const APP: Component<'_> =
    Component { name: "app", version: "1.0", says: "", manifest: MANIFEST, templates: &[], payload: &[] };
const ONE: &str = " {app: {version: \"1.0\"}}";

struct TestHost {
    root: tempfile::TempDir,
    packages: PackageFolder,
}

impl TestHost {
    fn new() -> Option<Self> {
        let other = MANIFEST.replace("one", "two");
        let packages =
            PackageFolder::new().with(&APP).with(&Component { version: "2.0", manifest: &other, ..APP });
        has_tool("rpm").then(|| Self { root: tempfile::tempdir().unwrap(), packages })
    }
    fn file(&self) -> PathBuf {
        self.root.path().join("etc/app")
    }
    /// What the entries of a run that changes something say.
    fn run(&mut self, node: &str) -> String {
        let mut machine = RealHost::new(self.root.path(), story::no_http).unwrap();
        let state = PunchStateFolder::from_root_path(self.root.path());
        let run = story::run(&story::node(node), &mut machine, &state, &mut self.packages);
        assert_eq!(run.report.outcome, RunOutcome::Changed, "{}\n{:#?}", run.plan, run.report);
        run.report.entries.iter().map(|entry| format!("{}\n", entry.detail)).collect()
    }
    /// The content that `said` says is kept.
    fn kept(&self, said: &str) -> String {
        let (_, at) = said.split_once("what /etc/app held is saved in /").unwrap();
        fs::read_to_string(self.root.path().join(at.split([';', '\n']).next().unwrap())).unwrap()
    }
}

#[test]
fn edited_file_is_kept_aside_when_it_is_replaced_or_removed() {
    let Some(mut host) = TestHost::new() else { return };
    host.run(ONE);
    fs::write(host.file(), "edited").unwrap();
    let said = host.run(ONE);
    assert_eq!(host.kept(&said), "edited");
    assert_eq!(fs::read_to_string(host.file()).unwrap(), "one");
    fs::write(host.file(), "edited again").unwrap();
    let said = host.run(" {}");
    assert_eq!(host.kept(&said), "edited again");
    assert!(!host.file().exists());
}

#[test]
fn unedited_file_is_not_kept_aside() {
    let Some(mut host) = TestHost::new() else { return };
    host.run(ONE);
    let said = host.run(" {app: {version: \"2.0\"}}") + &host.run(" {}");
    assert!(!said.contains("is saved in"), "{said}");
}

#[test]
fn file_that_was_there_before_is_kept_aside() {
    let Some(mut host) = TestHost::new() else { return };
    fs::create_dir_all(host.file().parent().unwrap()).unwrap();
    fs::write(host.file(), "administrator's").unwrap();
    let said = host.run(ONE);
    assert_eq!(host.kept(&said), "administrator's");
}

#[test]
fn edited_configuration_file_of_a_payload_is_named_where_rpm_keeps_it() {
    let Some(mut host) = TestHost::new() else { return };
    let with_config = |version, text: &'static str| {
        let component = Component { version, manifest: "format: geppetto/manifest/1\n", ..APP };
        PackageFolder::new().with_payload(&component, |package| {
            let options = rpm::FileOptions::new("/etc/app.conf").config().noreplace();
            package.with_file_contents(text.as_bytes(), options).unwrap();
        })
    };
    host.packages = with_config("1.0", "one");
    host.run(ONE);
    fs::write(host.root.path().join("etc/app.conf"), "edited").unwrap();
    host.packages = with_config("2.0", "two");
    let said = host.run(" {app: {version: \"2.0\"}}");
    assert!(said.contains("created as /etc/app.conf.rpmnew"), "{said}");
    let said = host.run(" {}");
    assert!(said.contains("saved as /etc/app.conf.rpmsave"), "{said}");
}

#[test]
fn edited_file_that_is_too_large_to_save_fails_only_its_component() {
    let Some(mut host) = TestHost::new() else { return };
    let free = Component {
        name: "free",
        manifest: "format: geppetto/manifest/1\nresources: [{file: /etc/free, content: x}]\n",
        ..APP
    };
    host.packages = PackageFolder::new().with(&APP).with(&free);
    fs::create_dir_all(host.file().parent().unwrap()).unwrap();
    // It takes no space, and would be read for hours.
    fs::File::create(host.file()).unwrap().set_len(1 << 42).unwrap();
    let mut machine = RealHost::new(host.root.path(), story::no_http).unwrap();
    let state = PunchStateFolder::from_root_path(host.root.path());
    let node = story::node(" {app: {version: \"1.0\"}, free: {version: \"1.0\"}}");
    let run = story::run(&node, &mut machine, &state, &mut host.packages);
    assert_eq!(run.report.outcome, RunOutcome::Partly, "{}\n{:#?}", run.plan, run.report);
    let told = format!("{:#?}", run.report);
    assert!(told.contains("/etc/app is left as it is") && told.contains("4398046511104 bytes"), "{told}");
    assert!(host.root.path().join("etc/free").exists());
    assert_eq!(fs::metadata(host.file()).unwrap().len(), 1 << 42);
}
