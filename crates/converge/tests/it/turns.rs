//! Stories of things that change their name, their owner or their place between two runs.

use std::fs;

use converge::{ApplyProgressEvent, PunchStateFolder, memory_host::MemoryHost};
use model::{
    observe::{FileType, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    plan::PlanLimits,
    report::{ReportEntryResult, RunOutcome},
    resource::ResourceId,
};

use crate::story::{self, Component, PackageFolder};

const EMPTY: &str = "format: geppetto/manifest/1\n";

/// As if a component packaged again under the same version were the one that was installed.
fn forget_kept_deployments(root: &tempfile::TempDir) {
    fs::remove_file(root.path().join("var/lib/geppetto/punch/deployments.json")).unwrap();
}

fn part<'a>(version: &'a str, manifest: &'a str) -> Component<'a> {
    Component { name: "part", version, says: "", manifest, templates: &[], payload: &[] }
}

fn id(text: &str) -> ResourceId {
    ResourceId::try_from(text.to_owned()).unwrap()
}

fn host() -> MemoryHost {
    MemoryHost { booted: true, ..MemoryHost::default() }
}

fn node(version: &str) -> model::node::Node {
    story::node(&format!(" {{part: {{version: \"{version}\"}}}}"))
}

/// The results of a run's entries, by their actions.
fn results(report: &model::report::Report) -> Vec<(&str, ReportEntryResult)> {
    report.entries.iter().map(|entry| (entry.action.as_str(), entry.result)).collect()
}

#[test]
fn files_changed_by_a_package_upgrade_are_repaired_in_the_same_run() {
    let manifest = "format: geppetto/manifest/1\nresources: [{file: /etc/part, content: x}, {directory: /etc/d, mode: \"0700\"}, {file: /etc/default, present: false}]\n";
    let mut package_folder = PackageFolder::new().with(&part("1.0", manifest)).with(&part("1.1", manifest));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    story::run(&node("1.0"), &mut host, &state, &mut package_folder);
    let loose = host.resources[&id("directory:/etc/d")].clone().into_iter();
    let loose = loose.chain([(ResourcePropertyKind::Mode, ResourcePropertyValue::Mode(0o755))]).collect();
    host.along.insert(
        "install part-1.1-1".to_owned(),
        vec![
            (id("file:/etc/part"), None),
            (id("directory:/etc/d"), Some(loose)),
            (id("file:/etc/default"), Some(ResourcePropertiesByKind::new())),
        ],
    );
    let run = story::run(&node("1.1"), &mut host, &state, &mut package_folder);
    assert_eq!(
        results(&run.report),
        [
            ("install part-deployment-1.1-1", ReportEntryResult::Done),
            ("install part-1.1-1", ReportEntryResult::Done),
            ("look again at 3 paths that packages may have touched", ReportEntryResult::Done),
            ("create file:/etc/part", ReportEntryResult::Done),
            ("change directory:/etc/d", ReportEntryResult::Done),
            ("remove file:/etc/default", ReportEntryResult::Done),
        ]
    );
    assert_eq!(run.report.unchanged, 0, "none of the three was right");
    let plan = story::plan(&node("1.1"), &host, &state, &mut package_folder);
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
}

#[test]
fn cron_job_taken_over_as_a_file_is_removed_with_its_new_owner() {
    let job = "# Written by punch; changes here are undone by the next restore.\n@daily root /bin/true\n";
    let cron =
        "format: geppetto/manifest/1\nresources: [{cron: job, schedule: \"@daily\", command: /bin/true}]\n";
    let file =
        format!("format: geppetto/manifest/1\nresources:\n  - file: /etc/cron.d/job\n    content: {job:?}\n");
    let mut package_folder =
        PackageFolder::new().with(&part("1.0", cron)).with(&part("1.1", &file)).with(&part("1.2", EMPTY));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    story::run(&node("1.0"), &mut host, &state, &mut package_folder);
    // On a real host both are one file.
    let content = host.resources[&id("cron:job")][&ResourcePropertyKind::Content].clone();
    host.resources.insert(
        id("file:/etc/cron.d/job"),
        ResourcePropertiesByKind::from([
            (ResourcePropertyKind::Content, content),
            (ResourcePropertyKind::Type, ResourcePropertyValue::Type(FileType::File)),
        ]),
    );
    let run = story::run(&node("1.1"), &mut host, &state, &mut package_folder);
    assert!(!run.plan.to_string().contains("job"), "{}", run.plan);
    let made: Vec<ResourceId> =
        state.load_managed_state().unwrap().resources.into_iter().map(|made| made.id).collect();
    assert_eq!(made, [id("file:/etc/cron.d/job")]);
    let gone = story::run(&node("1.2"), &mut host, &state, &mut package_folder);
    assert!(gone.plan.to_string().contains("remove file:/etc/cron.d/job"), "{}", gone.plan);
}

#[test]
fn removed_configuration_file_restarts_its_service() {
    let both = "format: geppetto/manifest/1\nresources: [{file: /etc/part/a, notify: [\"service:part\"]}, {file: /etc/part/b, notify: [\"service:part\"]}, {service: part, running: true}]\n";
    let one = "format: geppetto/manifest/1\nresources: [{file: /etc/part/a, notify: [\"service:part\"]}, {service: part, running: true}]\n";
    let mut package_folder = PackageFolder::new().with(&part("1.0", both));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    story::run(&node("1.0"), &mut host, &state, &mut package_folder);
    forget_kept_deployments(&folder);
    let mut package_folder = PackageFolder::new().with(&part("1.0", one));
    host.done.clear();
    host.fails.insert("restart service:part".to_owned());
    assert_eq!(
        story::run(&node("1.0"), &mut host, &state, &mut package_folder).report.outcome,
        RunOutcome::Failed
    );
    assert_eq!(host.done, ["remove file:/etc/part/b"]);
    // The file is gone, and still nobody told the service.
    host.fails.clear();
    host.done.clear();
    story::run(&node("1.0"), &mut host, &state, &mut package_folder);
    assert_eq!(host.done, ["restart service:part"]);
    assert!(story::plan(&node("1.0"), &host, &state, &mut package_folder).has_no_changes_or_blocks());
}

#[test]
fn notification_removed_from_the_manifest_is_dropped_from_the_state() {
    let found = "format: geppetto/manifest/1\nresources: [{file: /etc/part/a, notify: [\"service:part\"]}, {service: part, running: true}]\n";
    let untold =
        "format: geppetto/manifest/1\nresources: [{file: /etc/part/a}, {service: part, running: true}]\n";
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    story::run(&node("1.0"), &mut host, &state, &mut PackageFolder::new().with(&part("1.0", found)));
    assert_eq!(state.load_managed_state().unwrap().resources[0].notify, [id("service:part")]);
    forget_kept_deployments(&folder);
    let run =
        story::run(&node("1.0"), &mut host, &state, &mut PackageFolder::new().with(&part("1.0", untold)));
    assert_eq!(run.report.outcome, RunOutcome::Unchanged);
    assert!(state.load_managed_state().unwrap().resources[0].notify.is_empty());
}

#[test]
fn failed_upgrade_of_an_unmanaged_package_leaves_it_unmanaged() {
    let mut package_folder = PackageFolder::new().with(&part("1.1", EMPTY));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    host.packages.insert("part".to_owned(), "1.0-1".parse().unwrap());
    host.fails.insert("install part-1.1-1".to_owned());
    let failed = story::run(&node("1.1"), &mut host, &state, &mut package_folder);
    assert_eq!(failed.report.outcome, RunOutcome::Failed);
    let packages: Vec<String> = state.load_managed_state().unwrap().packages.into_keys().collect();
    assert_eq!(packages, ["part-deployment"]);
}

#[test]
fn while_health_is_checked_the_journal_says_that_all_changes_are_done() {
    let manifest =
        "format: geppetto/manifest/1\nresources: [{file: /etc/part}]\nhealth: [{tcp: \"127.0.0.1:1\"}]\n";
    let mut package_folder = PackageFolder::new().with(&part("1.0", manifest));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    let node = node("1.0");
    let look = story::look(&node, &host, &state, &mut package_folder).unwrap();
    let plan = model::plan::plan_host_changes(&look.wanted, &look.observed, &PlanLimits::default());
    let fetched = converge::fetch_packages_of_plan(&look, &plan, &mut package_folder).unwrap();
    let mut found = Vec::new();
    let mut progress = |event: ApplyProgressEvent<'_>| {
        if let ApplyProgressEvent::Step { number: 4, .. } = event {
            found.push(state.read_interrupted_report().unwrap().unwrap());
        }
        if let ApplyProgressEvent::Finished { entry } = event
            && entry.action.starts_with("check")
        {
            found.push(state.read_interrupted_report().unwrap().unwrap());
        }
    };
    converge::apply_plan(&node, &look, &plan, &fetched, &mut host, &state, &mut progress, &|| 0).unwrap();
    let results: Vec<Vec<ReportEntryResult>> =
        found.iter().map(|report| report.entries.iter().map(|entry| entry.result).collect()).collect();
    use ReportEntryResult::{Done, Interrupted};
    assert_eq!(results, [vec![Done, Done, Done], vec![Done, Done, Done, Interrupted]]);
}

#[test]
fn report_duration_includes_the_inspection() {
    let mut package_folder = PackageFolder::new().with(&part("1.0", EMPTY));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    let node = node("1.0");
    let look = converge::fetch_deployments_and_observe_host(
        &node,
        &host,
        &state,
        &mut package_folder,
        Default::default(),
        5_000,
    )
    .unwrap();
    let plan = model::plan::plan_host_changes(&look.wanted, &look.observed, &PlanLimits::default());
    let fetched = converge::fetch_packages_of_plan(&look, &plan, &mut package_folder).unwrap();
    let clock = || 12_000;
    let report =
        converge::apply_plan(&node, &look, &plan, &fetched, &mut host, &state, &mut |_| (), &clock).unwrap();
    assert_eq!((report.started_us, report.duration_us), (5_000, 7_000));
}

#[test]
fn runs_that_find_nothing_to_do_leave_one_report_between_them() {
    let mut package_folder = PackageFolder::new().with(&part("1.0", EMPTY)).with(&part("1.1", EMPTY));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    for version in ["1.0", "1.0", "1.0", "1.0", "1.1", "1.1", "1.1"] {
        story::run(&node(version), &mut host, &state, &mut package_folder);
    }
    let history = state.read_all_reports().unwrap();
    let outcomes: Vec<(u64, RunOutcome)> =
        history.iter().map(|(number, report)| (*number, report.outcome)).collect();
    use RunOutcome::{Changed, Unchanged};
    assert_eq!(outcomes, [(1, Changed), (2, Unchanged), (3, Changed), (4, Unchanged)]);
}

#[test]
fn journal_grows_by_a_constant_size_per_step() {
    let files: String =
        (0..100).map(|n| format!("  - {{file: /etc/part/{n:03}, content: \"{n}\"}}\n")).collect();
    let manifest = format!("format: geppetto/manifest/1\nresources:\n{files}");
    let mut package_folder = PackageFolder::new().with(&part("1.0", &manifest));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    let node = node("1.0");
    let look = story::look(&node, &host, &state, &mut package_folder).unwrap();
    let plan = model::plan::plan_host_changes(&look.wanted, &look.observed, &PlanLimits::default());
    let fetched = converge::fetch_packages_of_plan(&look, &plan, &mut package_folder).unwrap();
    let kept = folder.path().join("var/lib/geppetto/punch");
    let mut sizes = Vec::new();
    let mut progress = |event: ApplyProgressEvent<'_>| {
        if let ApplyProgressEvent::Step { .. } = event {
            assert!(!kept.join("managed.json").exists(), "it is written once, at the end");
            sizes.push(std::fs::metadata(kept.join("running.jsonl")).unwrap().len());
        }
    };
    converge::apply_plan(&node, &look, &plan, &fetched, &mut host, &state, &mut progress, &|| 0).unwrap();
    let steps: Vec<u64> = sizes.windows(2).map(|sizes| sizes[1] - sizes[0]).collect();
    assert_eq!(steps.len(), 101);
    assert!(steps.iter().all(|bytes| (100..1500).contains(bytes)), "{steps:?}");
    assert_eq!(state.load_managed_state().unwrap().resources.len(), 100);
    assert!(!kept.join("running.jsonl").exists());
}
