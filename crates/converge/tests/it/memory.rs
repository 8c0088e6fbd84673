//! Stories on a host in memory: what is done, in which order, and what is not.

use converge::{PunchStateFolder, memory_host::MemoryHost};
use model::{
    observe::{ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    report::{ReportEntryResult, RunOutcome},
    resource::ResourceId,
};

use crate::story::{self, Component, PackageFolder};

const SHOP: Component<'_> = Component {
    name: "shop",
    version: "1.0.0",
    says: r#""parameters": {
        "port": {"type": "port", "description": "where it listens", "default": 8080},
        "password": {"type": "string", "description": "of the database", "secret": true, "default": "hunter2"}},"#,
    manifest: "
format: geppetto/manifest/1
resources:
  - service: shop
    enabled: true
    running: true
    require: [file:/etc/shop.conf]
  - user: shop
    system: true
  - template: /etc/shop.conf
    source: shop.conf.j2
    owner: shop
    notify: [service:shop]
health:
  - tcp: \"127.0.0.1:{{ port }}\"
",
    templates: &[("shop.conf.j2", "port={{ port }}\npassword={{ password }}\n")],
    payload: &[("/usr/lib/shop/shop", "#!/bin/sh\n", "root")],
};

fn host() -> MemoryHost {
    MemoryHost { booted: true, ..MemoryHost::default() }
}

fn id(text: &str) -> ResourceId {
    ResourceId::try_from(text.to_owned()).unwrap()
}

#[test]
fn component_is_deployed_changed_and_removed_in_dependency_order() {
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut package_folder = PackageFolder::new().with(&SHOP);
    let mut host = host();
    let first = story::run(&story::node(" {shop: {version: 1.0.0}}"), &mut host, &state, &mut package_folder);
    assert_eq!(first.report.outcome, RunOutcome::Changed);
    assert_eq!(
        host.done,
        [
            "install shop-deployment-1.0.0-1",
            "create user:shop",
            "install shop-1.0.0-1",
            "create file:/etc/shop.conf",
            "create service:shop",
        ]
    );
    assert_eq!(host.asked.borrow().len(), 1);

    let again = story::run(&story::node(" {shop: {version: 1.0.0}}"), &mut host, &state, &mut package_folder);
    assert_eq!(again.plan.to_string(), "nothing to do; 5 things are right already\n");
    assert_eq!(again.report.outcome, RunOutcome::Unchanged);

    host.done.clear();
    let changed = story::run(
        &story::node(" {shop: {version: 1.0.0, values: {port: 80}}}"),
        &mut host,
        &state,
        &mut package_folder,
    );
    assert_eq!(host.done, ["change file:/etc/shop.conf", "restart service:shop"]);
    let text = changed.plan.to_string();
    assert!(text.contains("content: (secret)") && !text.contains("hunter2"), "{text}");
    assert!(!serde_json::to_string(&changed.report).unwrap().contains("hunter2"));

    host.done.clear();
    let gone = story::run(&story::node(" {}"), &mut host, &state, &mut package_folder);
    assert_eq!(gone.report.outcome, RunOutcome::Changed);
    assert_eq!(
        host.done,
        [
            "remove service:shop",
            "remove file:/etc/shop.conf",
            "remove packages shop shop-deployment",
            "remove user:shop"
        ]
    );
    assert!(state.load_managed_state().unwrap().resources.is_empty());
    assert_eq!(state.read_all_reports().unwrap().len(), 4);
}

#[test]
fn payload_upgrade_restarts_its_service_once() {
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut package_folder = PackageFolder::new().with(&SHOP).with(&Component { version: "1.1.0", ..SHOP });
    let mut host = host();
    story::run(&story::node(" {shop: {version: 1.0.0}}"), &mut host, &state, &mut package_folder);
    host.done.clear();
    story::run(
        &story::node(" {shop: {version: 1.1.0, values: {port: 81}}}"),
        &mut host,
        &state,
        &mut package_folder,
    );
    assert_eq!(
        host.done,
        [
            "install shop-deployment-1.1.0-1",
            "install shop-1.1.0-1",
            "change file:/etc/shop.conf",
            "restart service:shop",
        ]
    );
}

#[test]
fn unreadable_resource_blocks_the_run_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    host.unreadable.insert(id("file:/etc/shop.conf"), "permission denied".to_owned());
    let run = story::run(
        &story::node(" {shop: {version: 1.0.0}}"),
        &mut host,
        &state,
        &mut PackageFolder::new().with(&SHOP),
    );
    assert_eq!(run.report.outcome, RunOutcome::Blocked);
    assert!(host.done.is_empty());
    let text = run.plan.to_string();
    assert!(text.contains("blocked file:/etc/shop.conf: permission denied"), "{text}");
    assert!(text.contains("nothing is changed while something is blocked"), "{text}");
}

#[test]
fn after_a_failure_the_rest_is_skipped_and_the_next_run_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut package_folder = PackageFolder::new().with(&SHOP);
    let mut host = host();
    let node = story::node(" {shop: {version: 1.0.0}}");
    host.fails.insert("create file:/etc/shop.conf".to_owned());
    let failed = story::run(&node, &mut host, &state, &mut package_folder).report;
    assert_eq!(failed.outcome, RunOutcome::Failed);
    let results: Vec<ReportEntryResult> = failed.entries.iter().map(|entry| entry.result).collect();
    use ReportEntryResult::{Done, Failed, Skipped};
    assert_eq!(results, [Done, Done, Done, Failed, Skipped, Skipped]);
    host.fails.clear();
    let completed = story::run(&node, &mut host, &state, &mut package_folder).report;
    assert_eq!(completed.outcome, RunOutcome::Changed);
    assert!(story::plan(&node, &host, &state, &mut package_folder).has_no_changes_or_blocks());
}

#[test]
fn service_restart_that_failed_is_repeated_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut package_folder = PackageFolder::new().with(&SHOP);
    let mut host = host();
    story::run(&story::node(" {shop: {version: 1.0.0}}"), &mut host, &state, &mut package_folder);
    let node = story::node(" {shop: {version: 1.0.0, values: {port: 81}}}");
    host.fails.insert("restart service:shop".to_owned());
    assert_eq!(story::run(&node, &mut host, &state, &mut package_folder).report.outcome, RunOutcome::Failed);
    host.fails.clear();
    host.done.clear();
    assert_eq!(story::run(&node, &mut host, &state, &mut package_folder).report.outcome, RunOutcome::Changed);
    assert_eq!(host.done, ["restart service:shop"]);
    assert!(story::plan(&node, &host, &state, &mut package_folder).has_no_changes_or_blocks());
}

#[test]
fn failing_health_check_fails_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "format: geppetto/manifest/1\nhealth: [{tcp: \"127.0.0.1:1\", within: 0}]\n";
    let mut package_folder = PackageFolder::new().with(&Component { manifest, templates: &[], ..SHOP });
    let mut host = MemoryHost { sick: Some("connection refused".to_owned()), ..host() };
    let node = story::node(" {shop: {version: 1.0.0}}");
    let report =
        story::run(&node, &mut host, &PunchStateFolder::from_root_path(folder.path()), &mut package_folder)
            .report;
    assert_eq!(report.outcome, RunOutcome::Failed);
    assert_eq!(report.entries.last().unwrap().detail, "not within 0 s: connection refused");
}

#[test]
fn user_and_package_not_created_by_punch_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut package_folder = PackageFolder::new().with(&SHOP);
    let mut host = host();
    host.resources.insert(
        id("user:shop"),
        ResourcePropertiesByKind::from([(ResourcePropertyKind::Uid, ResourcePropertyValue::Number(7))]),
    );
    host.packages.insert("other".to_owned(), "1-1".parse().unwrap());
    story::run(&story::node(" {shop: {version: 1.0.0}}"), &mut host, &state, &mut package_folder);
    story::run(&story::node(" {}"), &mut host, &state, &mut package_folder);
    assert!(host.resources.contains_key(&id("user:shop")));
    assert!(host.packages.contains_key("other"));
    assert!(!host.resources.contains_key(&id("file:/etc/shop.conf")));
}

#[test]
fn resource_moved_to_another_component_is_kept() {
    let motd = "format: geppetto/manifest/1\nresources: [{file: /etc/motd, content: hello}]\n";
    let empty = "format: geppetto/manifest/1\n";
    let part = |name, version, manifest| Component {
        name,
        version,
        says: "",
        manifest,
        templates: &[],
        payload: &[],
    };
    let mut package_folder = PackageFolder::new()
        .with(&part("one", "1.0", motd))
        .with(&part("one", "1.1", empty))
        .with(&part("two", "1.1", motd));
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut host = host();
    story::run(&story::node(" {one: {version: \"1.0\"}}"), &mut host, &state, &mut package_folder);
    let node = story::node(" {one: {version: \"1.1\"}, two: {version: \"1.1\"}}");
    let moved = story::run(&node, &mut host, &state, &mut package_folder);
    assert!(!moved.plan.to_string().contains("motd"), "{}", moved.plan);
    assert!(host.resources.contains_key(&id("file:/etc/motd")));
    // Its new owner takes it along.
    story::run(&story::node(" {one: {version: \"1.1\"}}"), &mut host, &state, &mut package_folder);
    assert!(!host.resources.contains_key(&id("file:/etc/motd")));
}

#[test]
fn run_that_fails_because_the_host_shuts_down_is_interrupted_and_completed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut package_folder = PackageFolder::new().with(&SHOP);
    let mut host = host();
    host.fails.insert("create service:shop".to_owned());
    host.shutting_down = true;
    let node = story::node(" {shop: {version: 1.0.0}}");
    let first = story::run(&node, &mut host, &state, &mut package_folder);
    assert_eq!(first.report.outcome, RunOutcome::Interrupted, "{:#?}", first.report);
    let last = first.report.entries.last().unwrap();
    assert!(last.detail.contains("the host is shutting down"), "{last:?}");
    host.fails.clear();
    host.shutting_down = false;
    let second = story::run(&node, &mut host, &state, &mut package_folder);
    assert_eq!(second.report.outcome, RunOutcome::Changed, "{:#?}", second.report);
    assert!(story::plan(&node, &host, &state, &mut package_folder).has_no_changes_or_blocks());
}
