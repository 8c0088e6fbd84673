//! Runs in which some components are blocked or fail alone, and the rest goes on.

use converge::{PunchStateFolder, SecretMaskingHost, memory_host::MemoryHost};
use model::{
    report::{Report, ReportEntryResult, RunOutcome},
    resource::ResourceId,
};
use tempfile::TempDir;

use crate::story::{self, Component, PackageFolder};

const VIC: Component<'_> = Component {
    name: "vic",
    version: "1.0",
    says: "",
    manifest: "format: geppetto/manifest/1\nresources:\n  - user: vic\n  - file: /srv/vic/conf\n    content: x\n",
    templates: &[],
    payload: &[],
};
/// It requires `vic`.
const WEB: Component<'_> = Component {
    name: "web",
    says: r#""requires": {"vic": "*"},"#,
    manifest: "format: geppetto/manifest/1\nresources: [{file: /etc/web, content: x}]\nhealth: [{tcp: \"127.0.0.1:80\"}]\n",
    ..VIC
};
const FREE: Component<'_> = Component {
    name: "free",
    manifest: "format: geppetto/manifest/1\nresources:\n  - file: /etc/free\n    content: x\n    notify: [\"service:free\"]\n  - service: free\n    running: true\n",
    ..VIC
};
const ALL: &str = " {vic: {version: \"1.0\"}, web: {version: \"1.0\"}, free: {version: \"1.0\"}}";

struct Fixture {
    _folder: TempDir,
    state: PunchStateFolder,
    packages: PackageFolder,
    host: MemoryHost,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            state: PunchStateFolder::from_root_path(folder.path()),
            _folder: folder,
            packages: PackageFolder::new().with(&VIC).with(&WEB).with(&FREE),
            host: MemoryHost { booted: true, ..MemoryHost::default() },
        }
    }

    fn run(&mut self, components: &str) -> story::Run {
        self.host.done.clear();
        story::run(&story::node(components), &mut self.host, &self.state, &mut self.packages)
    }

    fn managed(&self) -> Vec<String> {
        let managed = self.state.load_managed_state().unwrap();
        managed.resources.into_iter().map(|made| made.id.to_string()).collect()
    }
}

fn id(text: &str) -> ResourceId {
    ResourceId::try_from(text.to_owned()).unwrap()
}

fn results(report: &Report) -> Vec<(&str, ReportEntryResult)> {
    report.entries.iter().map(|entry| (entry.action.as_str(), entry.result)).collect()
}

fn not_completed(report: &Report) -> Vec<String> {
    report.components_left_by_partial_run().into_iter().map(|name| name.to_string()).collect()
}

#[test]
fn unsafe_path_blocks_its_component_and_dependents_and_the_rest_goes_on() {
    let mut test = Fixture::new();
    test.host.unsafe_paths.insert(id("file:/srv/vic/conf"), "vic can change /srv/vic".to_owned());
    let run = test.run(ALL);
    assert_eq!(run.report.outcome, RunOutcome::Partly);
    assert_eq!(
        test.host.done,
        [
            "install free-deployment-1.0-1",
            "install free-1.0-1",
            "create file:/etc/free",
            "create service:free"
        ]
    );
    assert_eq!(not_completed(&run.report), ["vic", "web"]);
    assert_eq!(
        results(&run.report)[..2],
        [("file:/srv/vic/conf", ReportEntryResult::Blocked), ("component web", ReportEntryResult::Blocked),]
    );
    assert!(test.host.asked.borrow().is_empty(), "checks of blocked components are not run");

    let again = test.run(ALL);
    assert_eq!(again.report.outcome, RunOutcome::Partly);
    assert_eq!(test.host.done, Vec::<String>::new(), "{}", again.plan);

    test.host.unsafe_paths.clear();
    let healed = test.run(ALL);
    assert_eq!(healed.report.outcome, RunOutcome::Changed);
    assert_eq!(
        test.host.done,
        [
            "install vic-deployment-1.0-1 web-deployment-1.0-1",
            "create user:vic",
            "install vic-1.0-1 web-1.0-1",
            "create file:/srv/vic/conf",
            "create file:/etc/web"
        ]
    );
}

#[test]
fn run_without_any_unblocked_component_is_blocked() {
    let mut test = Fixture::new();
    test.host.unsafe_paths.insert(id("file:/srv/vic/conf"), "vic can change /srv/vic".to_owned());
    let run = test.run(" {vic: {version: \"1.0\"}, web: {version: \"1.0\"}}");
    assert_eq!(run.report.outcome, RunOutcome::Blocked);
    assert_eq!(test.host.done, Vec::<String>::new());
}

#[test]
fn what_belongs_to_a_blocked_component_stays_managed() {
    let mut test = Fixture::new();
    test.run(ALL);
    let before = test.managed();
    // It is no longer wanted, and cannot be removed safely.
    test.host.unsafe_paths.insert(id("file:/srv/vic/conf"), "vic can change /srv/vic".to_owned());
    let run = test.run(" {}");
    assert_eq!(run.report.outcome, RunOutcome::Partly);
    assert_eq!(not_completed(&run.report), ["vic"]);
    assert_eq!(test.managed(), ["user:vic", "file:/srv/vic/conf"], "of {before:?}");
    let managed = test.state.load_managed_state().unwrap();
    assert_eq!(managed.packages.into_keys().collect::<Vec<_>>(), ["vic", "vic-deployment"]);
    test.host.unsafe_paths.clear();
    assert_eq!(test.run(" {}").report.outcome, RunOutcome::Changed);
    assert_eq!(test.managed(), Vec::<String>::new());
}

#[test]
fn unsafe_path_met_while_applying_fails_its_component_and_the_rest_goes_on() {
    let mut test = Fixture::new();
    // Before the payloads: those of the failed component are taken out of their transaction.
    test.host.fails_unsafe.insert("create user:vic".to_owned());
    let run = test.run(ALL);
    assert_eq!(run.report.outcome, RunOutcome::Partly);
    assert_eq!(
        results(&run.report),
        [
            (
                "install free-deployment-1.0-1 vic-deployment-1.0-1 web-deployment-1.0-1",
                ReportEntryResult::Done
            ),
            ("create user:vic", ReportEntryResult::Failed),
            ("install vic-1.0-1 web-1.0-1", ReportEntryResult::Skipped),
            ("install free-1.0-1", ReportEntryResult::Done),
            ("create file:/etc/free", ReportEntryResult::Done),
            ("create service:free", ReportEntryResult::Done),
            ("create file:/srv/vic/conf", ReportEntryResult::Skipped),
            ("create file:/etc/web", ReportEntryResult::Skipped),
            ("check tcp 127.0.0.1:80 accepts", ReportEntryResult::Skipped),
        ]
    );
    assert!(!test.host.packages.contains_key("vic"));
    assert_eq!(not_completed(&run.report), ["vic", "web"]);
    test.host.fails_unsafe.clear();
    assert_eq!(test.run(ALL).report.outcome, RunOutcome::Changed);
}

#[test]
fn unsafe_path_fails_only_its_component_when_secrets_are_masked_too() {
    let mut test = Fixture::new();
    test.host.fails_unsafe.insert("create user:vic".to_owned());
    let node = story::node(ALL);
    let mut host = SecretMaskingHost::new(test.host, [&node]);
    let run = story::run(&node, &mut host, &test.state, &mut test.packages);
    assert_eq!(run.report.outcome, RunOutcome::Partly, "{:#?}", run.report);
}

#[test]
fn what_an_installed_blocked_component_needs_in_its_old_version_is_not_changed() {
    let mut test = Fixture::new();
    // Version 0.9 of `vic` is installed, and needs `free` in a version below the wanted one.
    let vic = Component { version: "0.9", says: r#""requires": {"free": "<1.0"},"#, ..VIC };
    test.packages = PackageFolder::new().with(&vic).with(&Component { version: "0.9", ..FREE });
    test.run(" {vic: {version: \"0.9\"}, free: {version: \"0.9\"}}");
    test.packages = PackageFolder::new().with(&VIC).with(&WEB).with(&FREE);
    test.host.unsafe_paths.insert(id("file:/srv/vic/conf"), "vic can change /srv/vic".to_owned());
    let run = test.run(ALL);
    assert_eq!(test.host.done, Vec::<String>::new());
    let because = "component free: component `vic`, which stays at 0.9-1, needs it in a version <1.0";
    assert!(run.plan.to_string().contains(because), "{}", run.plan);
}

#[test]
fn failure_in_a_folder_of_a_user_fails_its_component_alone() {
    let manifest = |owner: &str| {
        format!(
            "format: geppetto/manifest/1\nresources:\n  - directory: /srv/vic\n    owner: \"{owner}\"\n  - file: /srv/vic/conf\n    content: x\n"
        )
    };
    for (owner, outcome) in [("1000", RunOutcome::Partly), ("0", RunOutcome::Failed)] {
        let mut test = Fixture::new();
        let manifest = manifest(owner);
        test.packages = PackageFolder::new().with(&Component { manifest: &manifest, ..VIC }).with(&FREE);
        test.host.fails.insert("create file:/srv/vic/conf".to_owned());
        let run = test.run(" {vic: {version: \"1.0\"}, free: {version: \"1.0\"}}");
        assert_eq!(run.report.outcome, outcome, "{owner}: {:#?}", run.report);
    }
}

#[test]
fn path_that_becomes_unsafe_with_a_package_blocks_its_component() {
    let mut test = Fixture::new();
    test.run(ALL);
    let free = Component { version: "1.1", ..FREE };
    test.packages = PackageFolder::new().with(&VIC).with(&WEB).with(&free);
    test.host.unsafe_after.insert(
        "install free-1.1-1".to_owned(),
        (id("file:/srv/vic/conf"), "vic can change /srv/vic".to_owned()),
    );
    let run = test.run(&ALL.replace("free: {version: \"1.0\"}", "free: {version: \"1.1\"}"));
    assert_eq!(run.report.outcome, RunOutcome::Partly, "{:#?}", run.report);
    assert_eq!(not_completed(&run.report), ["vic", "web"]);
    assert_eq!(test.host.done.last().unwrap(), "restart service:free");
}

#[test]
fn leaving_user_with_a_running_process_fails_only_its_component() {
    let mut test = Fixture::new();
    test.run(ALL);
    test.host.at_work.insert("vic".to_owned(), "process 7 (sleep)".to_owned());
    let run = test.run(" {}");
    assert_eq!(run.report.outcome, RunOutcome::Partly, "{:#?}", run.report);
    assert_eq!(not_completed(&run.report), ["vic"]);
    let told = format!("{:#?}", run.report);
    assert!(told.contains("user vic is not removed while process 7 (sleep) of his still runs"), "{told}");
    assert_eq!(test.managed(), ["user:vic"], "the next run removes him");
    test.host.at_work.clear();
    assert_eq!(test.run(" {}").report.outcome, RunOutcome::Changed);
    assert_eq!(test.managed(), Vec::<String>::new());
}
