//! Plans that take things away: what goes, what stays under another name, and who is told.

use model::{
    observe::{
        FileType, Observation, ObservedHost, ResourceCreatedByPunch, ResourcePropertiesByKind,
        ResourcePropertyKind, ResourcePropertyValue,
    },
    plan::{DesiredHost, Plan, PlannedAction},
    resource::{CronResourceBody, DirectoryResourceBody, Resource, ResourceBody, SymlinkResourceBody},
};

use crate::plan::{file, host, id, make, name, resource, runs, service, titles, visited, wanted};

fn made(text: &str) -> ResourceCreatedByPunch {
    ResourceCreatedByPunch { id: id(text), component: name("shop"), notify: Vec::new() }
}

fn folder(path: &str) -> Resource {
    resource(&format!("directory:{path}"), ResourceBody::Directory(DirectoryResourceBody::default()))
}

fn typed(kind: FileType) -> Observation<ResourcePropertiesByKind> {
    Observation::Present(ResourcePropertiesByKind::from([(
        ResourcePropertyKind::Type,
        ResourcePropertyValue::Type(kind),
    )]))
}

/// A host on which punch made `what`, which is seen as `seen`; also under the names `others`.
fn with(what: &str, visited: &Observation<ResourcePropertiesByKind>, others: &[&str]) -> ObservedHost {
    let mut host = host();
    for name in others.iter().chain([&what]) {
        host.resources.insert(id(name), visited.clone());
    }
    host.managed.resources.push(made(what));
    host
}

#[test]
fn removed_resource_notifies_only_wanted_services() {
    let mut host = with("file:/etc/shop/one.conf", &visited("x"), &[]);
    host.resources.insert(id("service:shop"), runs());
    host.managed.resources[0].notify = vec![id("service:shop"), id("service:gone")];
    let plan = make(&wanted(vec![service("shop")]), &host);
    assert_eq!(titles(&plan), ["remove file:/etc/shop/one.conf", "restart service:shop"]);
    assert_eq!(plan.changes[0].notifies, [id("service:shop")]);
}

#[test]
fn removal_restarts_a_running_service_that_punch_does_not_manage() {
    let mut host = with("file:/etc/ssh/sshd_config.d/shop.conf", &visited("x"), &[]);
    host.resources.insert(id("service:sshd"), runs());
    host.managed.resources[0].notify = vec![id("service:sshd"), id("service:stopped"), id("exec:once")];
    let nothing = DesiredHost::default();
    let plan = make(&nothing, &host);
    let removal = "remove file:/etc/ssh/sshd_config.d/shop.conf";
    assert_eq!(titles(&plan)[..2], [removal, "restart service:sshd"]);
    assert_eq!(plan.changes[0].notifies, [id("service:sshd")]);

    // Killed between the two, the next run owes it still.
    let mut host = with("file:/etc/other", &Observation::Absent, &[]);
    host.resources.insert(id("service:sshd"), runs());
    host.managed.pending.insert(id("service:sshd"));
    assert!(titles(&make(&nothing, &host)).contains(&"restart service:sshd".to_owned()));

    // What punch started itself is stopped, not restarted.
    let mut host = with("file:/etc/shop.conf", &visited("x"), &[]);
    host.resources.insert(id("service:shop"), runs());
    host.managed.resources[0].notify = vec![id("service:shop")];
    let made = ResourceCreatedByPunch { id: id("service:shop"), component: name("shop"), notify: Vec::new() };
    host.managed.resources.push(made);
    assert!(!titles(&make(&nothing, &host)).contains(&"restart service:shop".to_owned()));
}

#[test]
fn managed_path_wanted_as_another_kind_is_not_removed() {
    let cron = CronResourceBody {
        schedule: "@daily".to_owned(),
        user: "root".to_owned(),
        command: "/bin/true".to_owned(),
        environment: Default::default(),
    };
    let text = cron.cron_file_text();
    let host = with("cron:job", &visited(&text), &["file:/etc/cron.d/job"]);
    let plan = make(&wanted(vec![file("/etc/cron.d/job", &text)]), &host);
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
    assert!(!make(&wanted(Vec::new()), &host).has_no_changes_or_blocks());
}

#[test]
fn service_name_with_and_without_suffix_is_the_same_resource() {
    assert_eq!(id("service:shop.service"), id("service:shop"));
    assert_ne!(id("service:shop.timer"), id("service:shop"));
    assert_ne!(id("service:shop.timer.service"), id("service:shop.timer"), "another unit altogether");
    let host = with("service:shop", &runs(), &[]);
    let plan = make(&wanted(vec![service("shop.service")]), &host);
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
}

#[test]
fn managed_directory_is_replaced_by_a_file_and_file_by_a_directory() {
    let host = with("directory:/etc/d", &typed(FileType::Directory), &["file:/etc/d"]);
    let plan = make(&wanted(vec![file("/etc/d", "x")]), &host);
    assert_eq!(titles(&plan), ["remove directory:/etc/d", "create file:/etc/d"]);
    assert!(matches!(plan.changes[0].action, PlannedAction::Remove { must: true, .. }), "it must make way");

    let host = with("file:/etc/d", &typed(FileType::File), &["directory:/etc/d"]);
    let plan = make(&wanted(vec![folder("/etc/d")]), &host);
    assert_eq!(titles(&plan), ["remove file:/etc/d", "create directory:/etc/d"]);

    // What somebody else made still stands in the way.
    let mut theirs = with("directory:/etc/d", &typed(FileType::Directory), &["file:/etc/d"]);
    theirs.managed.resources.clear();
    assert_eq!(make(&wanted(vec![file("/etc/d", "x")]), &theirs).blocked.len(), 1);
}

#[test]
fn managed_file_replaced_by_a_symlink_stays_managed() {
    let host = with("file:/etc/l", &typed(FileType::File), &["symlink:/etc/l"]);
    let link = resource(
        "symlink:/etc/l",
        ResourceBody::Symlink(SymlinkResourceBody { target: "/etc/m".to_owned() }),
    );
    let plan = make(&wanted(vec![link]), &host);
    assert_eq!(titles(&plan), ["create symlink:/etc/l"]);
    assert!(plan.changes[0].creates);
}

#[test]
fn absent_resource_is_removed_only_when_its_file_type_matches() {
    let absent = |resource: Resource| Resource { present: false, ..resource };
    let of = |resource: Resource, kind: FileType| -> Plan {
        let mut host = host();
        host.resources.insert(resource.id.clone(), typed(kind));
        make(&wanted(vec![absent(resource)]), &host)
    };
    assert_eq!(
        of(file("/etc/dd", ""), FileType::Directory).blocked[0].because,
        "a directory is there, which `file: /etc/dd` does not remove; move it away, or name it by what it is"
    );
    assert_eq!(of(folder("/etc/dd"), FileType::Symlink).blocked.len(), 1);
    assert_eq!(titles(&of(file("/etc/dd", ""), FileType::Symlink)), ["remove file:/etc/dd"]);
    assert_eq!(titles(&of(folder("/etc/dd"), FileType::Directory)), ["remove directory:/etc/dd"]);
}

#[test]
fn path_declared_as_file_and_symlink_blocks() {
    let link =
        resource("symlink:/etc/x", ResourceBody::Symlink(SymlinkResourceBody { target: "y".to_owned() }));
    let plan = make(&wanted(vec![file("/etc/x", ""), link]), &host());
    assert!(plan.blocked[0].because.starts_with("it is file:/etc/x too"), "{plan}");
}
