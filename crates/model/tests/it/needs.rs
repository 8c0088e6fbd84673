//! Plans on hosts where something is not there yet: accounts, programs, units, packages.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    observe::{
        ManagedState, Observation, ObservationRequest, ObservedHost, OsFamily, ResourcePropertiesByKind,
        ResourcePropertyKind, ResourcePropertyValue,
    },
    plan::{self, BlockedSubject, DesiredComponentWithResources, DesiredHost, PlannedAction},
    resource::{
        DirectoryResourceBody, ExecResourceBody, FileResourceBody, Ownership, PackageResourceBody, Resource,
        ResourceBody, ServiceResourceBody, UserResourceBody,
    },
};

use crate::plan::{file, host, id, make, resource, runs, service, titles, visited, wanted};

fn command(user: Option<&str>) -> Resource {
    let exec = ExecResourceBody {
        command: vec!["/bin/migrate".to_owned()],
        only_if: Some(vec!["/usr/bin/tset".to_owned()]),
        user: user.map(str::to_owned),
        ..ExecResourceBody::default()
    };
    resource("exec:migrate", ResourceBody::Exec(exec))
}

/// A host on which the guard of the command cannot be asked.
fn lacking(what: &str) -> ObservedHost {
    let mut host = host();
    let properties = ResourcePropertiesByKind::from([(
        ResourcePropertyKind::Lacks,
        ResourcePropertyValue::Resources(vec![id(what)]),
    )]);
    host.resources.insert(id("exec:migrate"), Observation::Present(properties));
    host.family = Some(OsFamily::Deb);
    host
}

fn package(version: Option<&str>) -> Resource {
    resource(
        "package:coreutils",
        ResourceBody::Package(PackageResourceBody { version: version.map(str::to_owned) }),
    )
}

fn off(name: &str) -> Resource {
    let body = ResourceBody::Service(ServiceResourceBody {
        enabled: Some(false),
        running: Some(false),
        reload: false,
        settle: None,
    });
    resource(&format!("service:{name}"), body)
}

fn owned(owner: &str) -> Resource {
    let ownership = Ownership { owner: Some(owner.to_owned()), ..Ownership::default() };
    resource(
        "file:/etc/shop.conf",
        ResourceBody::File(FileResourceBody { content: b"x".to_vec(), ownership, validate: None }),
    )
}

#[test]
fn refused_downgrade_blocks_the_run_and_is_named() {
    let mut host = host();
    let because = "migration 004 is of the phase contract";
    let properties = ResourcePropertiesByKind::from([
        (ResourcePropertyKind::Due, ResourcePropertyValue::Flag(false)),
        (ResourcePropertyKind::DowngradeRefusal, ResourcePropertyValue::Text(because.to_owned())),
    ]);
    host.resources.insert(id("exec:migrate"), Observation::Present(properties));
    let plan = make(&wanted(vec![command(None), file("/etc/motd", "")]), &host);
    assert!(plan.blocks_run(), "{plan}");
    assert_eq!(plan.blocked[0].what, BlockedSubject::Downgrade("shop".parse().unwrap()));
    assert_eq!(plan.blocked[0].because, because);
    let plan = make(&wanted(vec![Resource { secret: true, ..command(None) }]), &host);
    assert_eq!(
        plan.blocked[0].because,
        "its downgrade guard refuses it; what that printed is not shown, a secret is in it"
    );
}

#[test]
fn downgrade_guard_is_asked_only_where_a_newer_version_is_installed() {
    let exec = |downgrade_guard: Option<Vec<String>>| {
        let body = ExecResourceBody { downgrade_guard, ..ExecResourceBody::default() };
        vec![resource("exec:migrate", ResourceBody::Exec(body))]
    };
    let asked = |desired: &DesiredHost, installed: Option<&str>| {
        let installed = installed.map_or(Observation::Absent, |it| Observation::Present(it.parse().unwrap()));
        let installed = BTreeMap::from([("shop".to_owned(), installed)]);
        ObservationRequest::new(desired, &ManagedState::default())
            .ask_downgrade_guards(desired, &installed)
            .downgraded
    };
    let guarded = wanted(exec(Some(vec!["/bin/migrate".to_owned()])));
    let version = guarded.components[0].version.to_string();
    assert_eq!(asked(&guarded, Some("999.0.0")), [id("exec:migrate")].into());
    for installed in [None, Some(version.as_str()), Some("0.0.1")] {
        assert_eq!(asked(&guarded, installed), BTreeSet::new(), "{installed:?}");
    }
    assert_eq!(asked(&wanted(exec(None)), Some("999.0.0")), BTreeSet::new());
}

#[test]
fn guard_that_needs_a_planned_resource_is_checked_during_the_run() {
    let user = resource("user:shop", ResourceBody::User(UserResourceBody::default()));
    let plan = make(&wanted(vec![command(Some("shop")), user]), &lacking("user:shop"));
    insta::assert_snapshot!(plan, @r"
    1 to create, 1 to change, 0 to remove, 0 to restart; 2 right already
    create user:shop (shop)
    run exec:migrate (shop)
      because: its guard is checked during the run, user:shop must be there first
    ");
    let beneath = file("/srv/shop/data", "");
    let plan = make(&wanted(vec![command(None), beneath]), &lacking("directory:/srv/shop"));
    assert!(plan.blocked.is_empty(), "{plan}");

    let plan = make(&wanted(vec![command(Some("shop"))]), &lacking("user:shop"));
    assert_eq!(plan.blocked[0].because, "there is no user `shop` on this host; add a `user: shop` resource");
}

#[test]
fn missing_guard_program_blocks_unless_a_package_may_install_it() {
    let mut host = lacking("file:/usr/bin/tset");
    let plan = make(&wanted(vec![command(None)]), &host);
    assert!(plan.blocked[0].because.starts_with("there is no /usr/bin/tset on this host"), "{plan}");
    // A package may bring it.
    let with_package = wanted(vec![command(None), package(None)]);
    assert_eq!(titles(&make(&with_package, &host)), ["create package:coreutils", "run exec:migrate"]);
    // And a guard that said no may say yes after it.
    let properties =
        ResourcePropertiesByKind::from([(ResourcePropertyKind::Due, ResourcePropertyValue::Flag(false))]);
    host.resources.insert(id("exec:migrate"), Observation::Present(properties));
    assert_eq!(titles(&make(&with_package, &host)), ["create package:coreutils", "run exec:migrate"]);
    assert!(make(&wanted(vec![command(None)]), &host).has_no_changes_or_blocks());
}

#[test]
fn guard_is_checked_again_when_a_required_resource_changes() {
    let mut migrate = command(None);
    migrate.require = vec![id("file:/etc/shop.conf")];
    let mut host = host();
    host.resources.insert(
        id("exec:migrate"),
        Observation::Present(ResourcePropertiesByKind::from([(
            ResourcePropertyKind::Due,
            ResourcePropertyValue::Flag(false),
        )])),
    );
    host.resources.insert(id("file:/etc/shop.conf"), visited("engine = sqlite"));
    let plan = make(&wanted(vec![migrate.clone(), file("/etc/shop.conf", "engine = postgresql")]), &host);
    assert_eq!(titles(&plan), ["change file:/etc/shop.conf", "run exec:migrate"]);
    assert!(plan.to_string().contains("because: unless its guard prevents it"), "{plan}");
    assert!(
        make(&wanted(vec![migrate, file("/etc/shop.conf", "engine = sqlite")]), &host)
            .has_no_changes_or_blocks()
    );
}

#[test]
fn command_runs_after_its_directory_is_created() {
    let exec = ExecResourceBody {
        command: vec!["/bin/migrate".to_owned()],
        directory: Some("/srv/shop".to_owned()),
        ..ExecResourceBody::default()
    };
    let folder = resource("directory:/srv/shop", ResourceBody::Directory(DirectoryResourceBody::default()));
    let plan = make(&wanted(vec![resource("exec:migrate", ResourceBody::Exec(exec)), folder]), &host());
    assert_eq!(titles(&plan), ["create directory:/srv/shop", "run exec:migrate"]);
}

#[test]
fn missing_service_counts_as_off_unless_a_package_may_install_it() {
    let host = ObservedHost { family: Some(OsFamily::Deb), ..host() };
    let plan = make(&wanted(vec![off("telnet")]), &host);
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
    // Unless a package of this plan may bring it.
    let plan = make(&wanted(vec![package(None), off("telnet")]), &host);
    assert_eq!(titles(&plan), ["create package:coreutils", "change service:telnet"]);
}

#[test]
fn equal_descriptions_of_one_thing_are_joined() {
    let mut both = wanted(vec![package(None), service("a"), service("b")]);
    let second = Resource { notify: vec![id("service:b")], secret: true, ..package(Some("9.1")) };
    both.components.push(DesiredComponentWithResources {
        name: "other".parse().unwrap(),
        resources: vec![second],
        ..both.components[0].clone()
    });
    let mut host = ObservedHost { family: Some(OsFamily::Deb), ..host() };
    for name in ["other", "other-deployment"] {
        host.packages.insert(name.to_owned(), Observation::Present("1.0-1".parse().unwrap()));
    }
    host.resources.insert(id("service:a"), runs());
    host.resources.insert(id("service:b"), runs());
    let properties = ResourcePropertiesByKind::from([(
        ResourcePropertyKind::Version,
        ResourcePropertyValue::Text("9.0".to_owned()),
    )]);
    host.resources.insert(id("package:coreutils"), Observation::Present(properties));
    let plan = make(&both, &host);
    assert_eq!(titles(&plan), ["change package:coreutils", "restart service:b"], "{plan}");
    assert!(plan.changes[0].differences[0].secret);
}

#[test]
fn unknown_owner_blocks_unless_a_user_resource_or_package_may_create_it() {
    let mut host = host();
    host.resources.insert(id("user:shpo"), Observation::Absent);
    let plan = make(&wanted(vec![owned("shpo")]), &host);
    assert_eq!(plan.blocked[0].what, BlockedSubject::Resource(id("file:/etc/shop.conf")));
    assert!(plan.blocked[0].because.contains("there is no user `shpo`"), "{plan}");
    let user = resource("user:shpo", ResourceBody::User(UserResourceBody::default()));
    assert!(make(&wanted(vec![owned("shpo"), user]), &host).blocked.is_empty());
    // Numbers are nobody's names.
    assert!(owned("1000").required_accounts().is_empty());
    // A package may bring its own users.
    host.packages.insert("shop".to_owned(), Observation::Absent);
    assert!(make(&wanted(vec![owned("shpo")]), &host).blocked.is_empty());
}

#[test]
fn unchanged_paths_are_rechecked_after_package_changes() {
    let mut host = host();
    host.resources.insert(id("file:/etc/motd"), visited("hello"));
    let motd = wanted(vec![file("/etc/motd", "hello"), file("/etc/new", "")]);
    assert_eq!(titles(&make(&motd, &host)), ["create file:/etc/new"], "no package, no second look");
    host.packages.insert("shop".to_owned(), Observation::Present("0.9-1".parse().unwrap()));
    let plan = make(&motd, &host);
    insta::assert_snapshot!(plan, @r"
    1 to create, 1 to change, 0 to remove, 0 to restart; 2 right already
    install packages (shop)
      shop 0.9-1 -> 1.0-1
    look again at 1 path that packages may have touched (shop)
    create file:/etc/new (shop)
    ");
    let PlannedAction::LookAgain(resources) = &plan.changes[1].action else { panic!("{plan}") };
    assert!(
        plan::replan_resources_after_package_changes(resources, &host).has_no_changes_or_blocks(),
        "nothing was touched"
    );
    host.resources.insert(id("file:/etc/motd"), Observation::Absent);
    assert_eq!(
        titles(&plan::replan_resources_after_package_changes(resources, &host)),
        ["create file:/etc/motd"]
    );
}
