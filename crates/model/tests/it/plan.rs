//! Plans: what is wanted and what is seen, to the text people read.

use model::{
    name::Name,
    observe::{
        FileDigestAndText, FileType, ManagedState, Observation, ObservedHost, OsFamily, PathDrift,
        PayloadDrift, ResourceCreatedByPunch, ResourcePropertiesByKind, ResourcePropertyKind,
        ResourcePropertyValue,
    },
    plan::{self, BlockedSubject, DesiredComponentWithResources, DesiredHost, Plan, PlanLimits},
    resource::{
        DirectoryResourceBody, ExecResourceBody, FileResourceBody, Ownership, PackageResourceBody, Resource,
        ResourceBody, ResourceId, ServiceResourceBody,
    },
};

pub(crate) fn id(text: &str) -> ResourceId {
    ResourceId::try_from(text.to_owned()).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn resource(text: &str, body: ResourceBody) -> Resource {
    Resource { id: id(text), present: true, body, require: Vec::new(), notify: Vec::new(), secret: false }
}

pub(crate) fn file(path: &str, content: &str) -> Resource {
    let body = ResourceBody::File(FileResourceBody {
        content: content.into(),
        ownership: Ownership::default(),
        validate: None,
    });
    resource(&format!("file:{path}"), body)
}

pub(crate) fn service(name: &str) -> Resource {
    let body = ResourceBody::Service(ServiceResourceBody {
        enabled: Some(true),
        running: Some(true),
        reload: false,
        settle: None,
    });
    resource(&format!("service:{name}"), body)
}

pub(crate) fn wanted(resources: Vec<Resource>) -> DesiredHost {
    let component = DesiredComponentWithResources {
        name: "shop".parse().unwrap(),
        version: "1.0-1".parse().unwrap(),
        requires: Default::default(),
        resources,
        health: Vec::new(),
    };
    DesiredHost { components: vec![component] }
}

/// A booted host on which the component's packages are installed.
pub(crate) fn host() -> ObservedHost {
    let version = Observation::Present("1.0-1".parse().unwrap());
    ObservedHost {
        packages: [("shop".to_owned(), version.clone()), ("shop-deployment".to_owned(), version)].into(),
        booted: true,
        runs_commands: true,
        ..ObservedHost::default()
    }
}

pub(crate) fn visited(text: &str) -> Observation<ResourcePropertiesByKind> {
    Observation::Present(ResourcePropertiesByKind::from([
        (ResourcePropertyKind::Type, ResourcePropertyValue::Type(FileType::File)),
        (
            ResourcePropertyKind::Content,
            ResourcePropertyValue::Content(FileDigestAndText::from_bytes(text.as_bytes())),
        ),
    ]))
}

pub(crate) fn runs() -> Observation<ResourcePropertiesByKind> {
    Observation::Present(ResourcePropertiesByKind::from([
        (ResourcePropertyKind::Enabled, ResourcePropertyValue::Flag(true)),
        (ResourcePropertyKind::Running, ResourcePropertyValue::Flag(true)),
    ]))
}

pub(crate) fn make(wanted: &DesiredHost, visited: &ObservedHost) -> Plan {
    plan::plan_host_changes(wanted, visited, &PlanLimits::default())
}

pub(crate) fn titles(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(plan::PlannedChange::change_title_line).collect()
}

#[test]
fn plan_shows_content_changes_as_a_line_diff() {
    let mut host = host();
    host.resources.insert(id("file:/etc/motd"), visited("hello\nworld\n"));
    host.resources.insert(id("service:shop"), runs());
    host.packages.insert("shop".to_owned(), Observation::Present("0.9-1".parse().unwrap()));
    let plan = make(&wanted(vec![file("/etc/motd", "hello\nmoon\n"), service("shop")]), &host);
    insta::assert_snapshot!(plan, @r"
    0 to create, 2 to change, 0 to remove, 1 to restart; 2 right already
    install packages (shop)
      shop 0.9-1 -> 1.0-1
    change file:/etc/motd (shop)
        @@ -1,2 +1,2 @@
         hello
        -world
        +moon
    restart service:shop (shop)
    ");
}

#[test]
fn service_started_by_its_package_is_restarted_after_its_files_are_written() {
    let package =
        || resource("package:openssh-server", ResourceBody::Package(PackageResourceBody::default()));
    let settings = || Resource {
        notify: vec![id("service:ssh")],
        ..file("/etc/ssh/sshd_config.d/port.conf", "Port 2222\n")
    };
    let mut host = ObservedHost { family: Some(OsFamily::Deb), ..host() };
    let plan = make(&wanted(vec![package(), settings(), service("ssh")]), &host);
    assert_eq!(
        titles(&plan),
        [
            "create package:openssh-server",
            "create file:/etc/ssh/sshd_config.d/port.conf",
            "create service:ssh",
            "restart service:ssh"
        ]
    );

    // Without a package that could have started it, the start alone is enough.
    host.resources
        .insert(id("package:openssh-server"), Observation::Present(ResourcePropertiesByKind::new()));
    let plan = make(&wanted(vec![package(), settings(), service("ssh")]), &host);
    assert_eq!(titles(&plan), ["create file:/etc/ssh/sshd_config.d/port.conf", "create service:ssh"]);
}

#[test]
fn secret_is_masked_in_plan_text_json_and_debug_output() {
    let mut host = host();
    host.resources.insert(id("file:/etc/key"), visited("hunter1"));
    let secret = Resource { secret: true, ..file("/etc/key", "hunter2") };
    let plan = make(&wanted(vec![secret]), &host);
    insta::assert_snapshot!(plan, @r"
    0 to create, 1 to change, 0 to remove, 0 to restart; 2 right already
    change file:/etc/key (shop)
      content: (secret)
    ");
    let json = serde_json::to_string(&plan::plan_to_view(&plan)).unwrap();
    assert!(!json.contains("hunter") && !json.contains("sha256"), "{json}");
    assert!(!format!("{:?}", plan.changes[0].differences).contains("hunter1"));
}

#[test]
fn control_characters_in_a_file_do_not_reach_the_terminal() {
    let plan = make(&wanted(vec![file("/etc/x", "\u{1b}[2Jgone\n")]), &host());
    assert!(!plan.to_string().contains('\u{1b}'));
}

#[test]
fn required_resources_come_first_and_the_rest_keep_their_order() {
    let first = Resource { require: vec![id("file:/c")], ..file("/a", "") };
    let plan = make(&wanted(vec![first, file("/b", ""), file("/c", "")]), &host());
    assert_eq!(titles(&plan), ["create file:/c", "create file:/a", "create file:/b"]);
}

#[test]
fn requirement_cycle_blocks_and_names_its_resources() {
    let a = Resource { require: vec![id("file:/b")], ..file("/a", "") };
    let b = Resource { require: vec![id("file:/c")], ..file("/b", "") };
    let c = Resource { require: vec![id("file:/b")], ..file("/c", "") };
    let plan = make(&wanted(vec![a, b, c]), &host());
    assert!(plan.changes.is_empty());
    assert_eq!(
        plan.blocked[0].because,
        "they wait for each other: file:/b after file:/c after file:/b; take one `require` or `notify` out"
    );
}

#[test]
fn folders_come_before_what_is_in_them_and_go_after_it() {
    let folder = |path: &str| {
        resource(&format!("directory:{path}"), ResourceBody::Directory(DirectoryResourceBody::default()))
    };
    let plan = make(&wanted(vec![file("/a/b/c", ""), folder("/a/b"), folder("/a")]), &host());
    assert_eq!(titles(&plan), ["create directory:/a", "create directory:/a/b", "create file:/a/b/c"]);

    let absent = |resource: Resource| Resource { present: false, ..resource };
    let mut host = host();
    for path in ["directory:/a", "directory:/a/b", "file:/a/b/c"] {
        host.resources.insert(id(path), Observation::Present(ResourcePropertiesByKind::new()));
    }
    let plan =
        make(&wanted(vec![absent(folder("/a")), absent(folder("/a/b")), absent(file("/a/b/c", ""))]), &host);
    assert_eq!(titles(&plan), ["remove file:/a/b/c", "remove directory:/a/b", "remove directory:/a"]);
}

#[test]
fn too_many_removals_block_and_are_named() {
    let mut host = host();
    for n in 0..11 {
        let id = id(&format!("file:/etc/{n:02}"));
        host.resources.insert(id.clone(), Observation::Present(ResourcePropertiesByKind::new()));
        let component = name(&if n < 5 { "shop".to_owned() } else { format!("old-{}", n % 3) });
        host.managed.resources.push(ResourceCreatedByPunch { id, component, notify: Vec::new() });
    }
    let blocked = |host: &ObservedHost, max_removals| {
        plan::plan_host_changes(&wanted(Vec::new()), host, &PlanLimits { max_removals }).blocked
    };
    // A component that leaves counts once, what one that stays gives up counts each.
    let because = &blocked(&host, 7)[0].because;
    assert!(
        because.starts_with(
            "8 things would be removed, at most 7 may be: component old-0, component old-1, component old-2, file:/etc/04, "
        ),
        "{because}"
    );
    assert!(because.ends_with("`--max-removals 8`"), "{because}");
    assert_eq!(blocked(&host, 8), []);
    host.managed.resources.truncate(1);
    let because = &blocked(&host, 0)[0].because;
    assert!(because.starts_with("1 thing would be removed, at most 0 may be: file:/etc/00. "), "{because}");
}

#[test]
fn only_managed_resources_are_removed() {
    let mut host = host();
    host.resources.insert(id("file:/etc/mine"), visited("x"));
    host.resources.insert(id("file:/etc/theirs"), visited("x"));
    host.managed = ManagedState {
        resources: vec![ResourceCreatedByPunch {
            id: id("file:/etc/mine"),
            component: name("old"),
            notify: Vec::new(),
        }],
        ..ManagedState::default()
    };
    assert_eq!(titles(&make(&wanted(Vec::new()), &host)), ["remove file:/etc/mine"]);
}

#[test]
fn conflicting_resource_in_two_components_blocks() {
    let mut both = wanted(vec![file("/etc/motd", "one")]);
    both.components.push(DesiredComponentWithResources {
        name: "other".parse().unwrap(),
        resources: vec![file("/etc/motd", "two")],
        ..both.components[0].clone()
    });
    let plan = make(&both, &host());
    assert_eq!(plan.blocked[0].what, BlockedSubject::Resource(id("file:/etc/motd")));
    assert_eq!(plan.blocked[0].components, [name("shop"), name("other")].into());
    assert!(plan.blocked[0].because.contains("`shop` and `other`"));
}

#[test]
fn service_without_booted_systemd_is_only_enabled() {
    let host = ObservedHost { booted: false, family: Some(OsFamily::Deb), ..host() };
    let plan = make(&wanted(vec![service("shop")]), &host);
    insta::assert_snapshot!(plan, @r"
    1 to create, 0 to change, 0 to remove, 0 to restart; 2 right already
    create service:shop (shop)
      enabled: yes
    ");
}

#[test]
fn refresh_only_command_runs_only_after_a_notification() {
    let migrate = ExecResourceBody {
        command: vec!["/bin/migrate".to_owned()],
        refresh_only: true,
        ..ExecResourceBody::default()
    };
    let migrate = resource("exec:migrate", ResourceBody::Exec(migrate));
    let source = Resource { notify: vec![id("exec:migrate")], ..file("/etc/schema", "2") };
    let mut host = host();
    host.resources.insert(
        id("exec:migrate"),
        Observation::Present(ResourcePropertiesByKind::from([(
            ResourcePropertyKind::Due,
            ResourcePropertyValue::Flag(false),
        )])),
    );
    host.resources.insert(id("file:/etc/schema"), visited("2"));
    let wanted = wanted(vec![migrate, source]);
    assert!(make(&wanted, &host).has_no_changes_or_blocks());
    host.resources.insert(id("file:/etc/schema"), visited("1"));
    assert_eq!(titles(&make(&wanted, &host)), ["change file:/etc/schema", "run exec:migrate"]);
    // A run that ended in between owes it.
    host.resources.insert(id("file:/etc/schema"), visited("2"));
    host.managed.pending.insert(id("exec:migrate"));
    assert_eq!(titles(&make(&wanted, &host)), ["run exec:migrate"]);
}

#[test]
fn changed_file_of_an_installed_package_is_planned_with_its_service_restarted() {
    let mut host = host();
    host.resources.insert(id("service:shop"), runs());
    let drift = PayloadDrift::from([
        (
            "/usr/bin/shop".to_owned(),
            [PathDrift::Content, PathDrift::Mode { now: 0o700, packaged: 0o755 }].into(),
        ),
        ("/usr/lib/shop".to_owned(), [PathDrift::Missing].into()),
    ]);
    host.payload_drift.insert("shop".to_owned(), drift);
    host.unit_overrides
        .push("unit shop.service is changed by /etc/x, which no component describes".to_owned());
    let plan = make(&wanted(vec![service("shop")]), &host);
    insta::assert_snapshot!(plan, @r"
    0 to create, 1 to change, 0 to remove, 1 to restart; 2 right already
    install packages (shop)
      shop 1.0-1 again, to make right what is not as it brought it
        /usr/bin/shop: content changed, mode 0700 instead of 0755
        /usr/lib/shop: missing
    restart service:shop (shop)
    note: unit shop.service is changed by /etc/x, which no component describes
    ");
    let line = plan.changes[0].differences_on_one_line();
    assert!(line.starts_with("files /usr/bin/shop: content changed, mode 0700 instead of 0755,"), "{line}");
}
