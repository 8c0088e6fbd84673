//! What is blocked: for the whole run, or for a component and those that depend on it.

use std::collections::BTreeMap;

use model::{
    component::Component,
    health::{HealthCheck, HealthProbe},
    observe::{
        FileType, ManagedState, Observation, ObservedHost, ResourceCreatedByPunch, ResourcePropertiesByKind,
        ResourcePropertyKind, ResourcePropertyValue,
    },
    plan::{BlockScope, DesiredComponentWithResources, DesiredHost, Plan, PlannedAction, plan_to_view},
    resource::{DirectoryResourceBody, Ownership, Resource, ResourceBody, UserResourceBody},
};

use crate::plan::{file, host, id, make, name, resource, runs, service, titles, wanted};

/// One component, not installed yet.
fn component(text: &str, resources: Vec<Resource>) -> DesiredComponentWithResources {
    let only = wanted(resources).components.remove(0);
    DesiredComponentWithResources { name: name(text), ..only }
}

fn requiring(text: &str, required: &str, resources: Vec<Resource>) -> DesiredComponentWithResources {
    DesiredComponentWithResources { requires: [name(required)].into(), ..component(text, resources) }
}

fn desired(components: impl IntoIterator<Item = DesiredComponentWithResources>) -> DesiredHost {
    DesiredHost { components: components.into_iter().collect() }
}

fn folder_of(path: &str, owner: &str) -> Resource {
    let ownership = Ownership { owner: Some(owner.to_owned()), ..Ownership::default() };
    resource(&format!("directory:{path}"), ResourceBody::Directory(DirectoryResourceBody { ownership }))
}

fn of_type(file_type: FileType) -> Observation<ResourcePropertiesByKind> {
    Observation::Present([(ResourcePropertyKind::Type, ResourcePropertyValue::Type(file_type))].into())
}

fn unsafe_path(host: &mut ObservedHost, text: &str) {
    host.resources.insert(id(text), Observation::Unsafe("vic can change it".to_owned()));
}

fn blocked(plan: &Plan) -> Vec<String> {
    plan.blocked_components().into_iter().map(|name| name.to_string()).collect()
}

fn installed(text: &str, version: &str, requires: &str) -> BTreeMap<model::name::Name, Component> {
    let json = format!(
        r#"{{"name": "{text}", "version": "{version}", "kind": "os-config", "summary": "a test", "requires": {requires}}}"#
    );
    [(name(text), serde_json::from_str(&json).unwrap())].into()
}

#[test]
fn unsafe_path_blocks_its_component_and_those_that_require_it() {
    let mut host = ObservedHost { packages: BTreeMap::new(), ..host() };
    unsafe_path(&mut host, "file:/srv/vic/conf");
    let desired = desired([
        component("vic", vec![file("/srv/vic/conf", "x")]),
        requiring("web", "vic", vec![file("/etc/web", "x")]),
        requiring("top", "web", vec![file("/etc/top", "x")]),
        component("free", vec![file("/etc/free", "x")]),
    ]);
    let plan = make(&desired, &host);
    insta::assert_snapshot!(plan, @r"
    3 to create, 0 to change, 0 to remove, 0 to restart, 3 blocked; 0 right already; components top, vic, web stay as they are
    install packages (free)
      free-deployment 1.0-1
    install packages (free)
      free 1.0-1
    create file:/etc/free (free)
        @@ -0,0 +1 @@
        +x
        \ No newline at end of file
    blocked file:/srv/vic/conf: vic can change it
    blocked component top: it requires component `web`, which stays as it is
    blocked component web: it requires component `vic`, which stays as it is
    ");
    assert!(!plan.blocks_run());
    let json = serde_json::to_value(plan_to_view(&plan)).unwrap();
    assert_eq!(json["blocked"][0]["scope"], "components");
}

#[test]
fn unreadable_resource_beside_an_unsafe_one_blocks_the_run() {
    let mut host = host();
    unsafe_path(&mut host, "file:/srv/vic/conf");
    host.resources.insert(id("file:/etc/free"), Observation::Unreadable("an input/output error".to_owned()));
    let desired = desired([
        component("vic", vec![file("/srv/vic/conf", "x")]),
        component("free", vec![file("/etc/free", "x")]),
    ]);
    let plan = make(&desired, &host);
    assert!(plan.blocks_run(), "{plan}");
    assert!(plan.to_string().contains("nothing is changed while something is blocked"), "{plan}");
}

#[test]
fn resource_that_requires_one_of_a_blocked_component_blocks_its_component() {
    let mut host = host();
    unsafe_path(&mut host, "file:/srv/vic/conf");
    let needing = |required: &str| Resource { require: vec![id(required)], ..file("/etc/web", "x") };
    let vic = || component("vic", vec![file("/srv/vic/conf", "x"), file("/etc/vic", "x")]);
    let plan = make(&desired([vic(), component("web", vec![needing("file:/etc/vic")])]), &host);
    assert_eq!(blocked(&plan), ["vic", "web"]);
    let because = "its file:/etc/web needs file:/etc/vic of component `vic`, which stays as it is";
    assert!(plan.to_string().contains(because), "{plan}");

    // Another component describes it too, and is not blocked.
    let other = component("other", vec![file("/etc/vic", "x")]);
    let plan = make(&desired([vic(), other, component("web", vec![needing("file:/etc/vic")])]), &host);
    assert_eq!(blocked(&plan), ["vic"], "{plan}");
    assert!(titles(&plan).contains(&"create file:/etc/vic".to_owned()), "{plan}");
}

#[test]
fn owner_that_only_a_blocked_component_creates_blocks_its_files_component() {
    let mut host = host();
    unsafe_path(&mut host, "file:/srv/vic/conf");
    let user = resource("user:shop", ResourceBody::User(UserResourceBody::default()));
    let desired = desired([
        component("vic", vec![file("/srv/vic/conf", "x"), user]),
        component("web", vec![folder_of("/srv/web", "shop")]),
    ]);
    host.resources.insert(id("user:shop"), Observation::Absent);
    assert_eq!(blocked(&make(&desired, &host)), ["vic", "web"]);
    host.resources.insert(id("user:shop"), Observation::Present(ResourcePropertiesByKind::new()));
    assert_eq!(blocked(&make(&desired, &host)), ["vic"], "the user is there already");
}

#[test]
fn resource_of_two_components_blocks_both_when_it_is_unsafe() {
    let mut host = host();
    unsafe_path(&mut host, "file:/srv/both");
    let desired = desired([
        component("one", vec![file("/srv/both", "x")]),
        component("two", vec![file("/srv/both", "x")]),
    ]);
    assert_eq!(blocked(&make(&desired, &host)), ["one", "two"]);
}

#[test]
fn wrong_type_in_a_folder_of_a_user_blocks_only_its_component() {
    let mut host = host();
    let beneath = |folder: Resource| {
        desired([
            component("vic", vec![folder, file("/srv/vic/conf", "x")]),
            component("free", vec![file("/etc/free", "x")]),
        ])
    };
    host.resources.insert(id("file:/srv/vic/conf"), of_type(FileType::Directory));
    for (owner, blocks_run) in [("vic", false), ("root", true)] {
        let plan = make(&beneath(folder_of("/srv/vic", owner)), &host);
        assert_eq!(plan.blocks_run(), blocks_run, "{owner}: {plan}");
        assert_eq!(blocked(&plan), ["vic"]);
    }
    // Described as root's, and vic's until this run.
    let properties = [
        (ResourcePropertyKind::Type, ResourcePropertyValue::Type(FileType::Directory)),
        (ResourcePropertyKind::Owner, ResourcePropertyValue::Text("vic".to_owned())),
    ];
    host.resources.insert(id("directory:/srv/vic"), Observation::Present(properties.into()));
    assert!(!make(&beneath(folder_of("/srv/vic", "root")), &host).blocks_run());
}

#[test]
fn folder_of_a_user_replaced_by_a_link_blocks_only_its_component() {
    let mut host = host();
    host.resources.insert(id("directory:/srv/vic"), of_type(FileType::Symlink));
    let desired = desired([
        component("vic", vec![folder_of("/srv/vic", "vic")]),
        component("free", vec![file("/etc/free", "x")]),
    ]);
    let plan = make(&desired, &host);
    assert!(!plan.blocks_run(), "{plan}");
    assert_eq!(plan.blocked[0].scope, BlockScope::Components);
    assert!(titles(&plan).contains(&"create file:/etc/free".to_owned()), "{plan}");
}

#[test]
fn blocked_component_keeps_its_packages_resources_and_checks() {
    let old = Observation::Present("0.9-1".parse().unwrap());
    let mut host = host();
    for package in ["vic", "vic-deployment", "left", "left-deployment"] {
        host.packages.insert(package.to_owned(), old.clone());
    }
    unsafe_path(&mut host, "file:/srv/vic/conf");
    unsafe_path(&mut host, "file:/srv/left/conf");
    host.resources.insert(id("file:/etc/vic.old"), of_type(FileType::File));
    host.resources.insert(id("service:vic"), runs());
    let made = |text: &str, component: &str| ResourceCreatedByPunch {
        id: id(text),
        component: name(component),
        notify: Vec::new(),
    };
    host.managed = ManagedState {
        packages: ["vic", "left"]
            .into_iter()
            .flat_map(|text| [(text.to_owned(), name(text)), (format!("{text}-deployment"), name(text))])
            .collect(),
        // One that the new version gives up, and one of a component that is not wanted any more.
        resources: vec![made("file:/etc/vic.old", "vic"), made("file:/srv/left/conf", "left")],
        ownership_before: BTreeMap::new(),
        pending: [id("service:vic")].into(),
    };
    let health = HealthCheck {
        probe: HealthProbe::Tcp { address: "127.0.0.1:80".to_owned() },
        within: 10,
        secret: false,
    };
    let vic = component("vic", vec![file("/srv/vic/conf", "x"), service("vic")]);
    let plan = make(&desired([DesiredComponentWithResources { health: vec![health], ..vic }]), &host);
    assert_eq!(titles(&plan), Vec::<String>::new(), "{plan}");
    assert!(plan.health.is_empty());
    assert_eq!(blocked(&plan), ["left", "vic"]);
}

#[test]
fn what_an_installed_blocked_component_needs_in_its_old_version_is_not_changed() {
    let mut host = host();
    unsafe_path(&mut host, "file:/srv/vic/conf");
    let desired =
        || desired([component("lib", Vec::new()), component("vic", vec![file("/srv/vic/conf", "x")])]);
    host.installed = installed("vic", "0.9-1", r#"{"lib": "<1.0"}"#);
    let plan = make(&desired(), &host);
    assert_eq!(blocked(&plan), ["lib", "vic"]);
    let because = "component `vic`, which stays at 0.9-1, needs it in a version <1.0";
    assert!(plan.to_string().contains(because), "{plan}");
    host.installed = installed("vic", "0.9-1", r#"{"lib": ">=0.5"}"#);
    assert_eq!(blocked(&make(&desired(), &host)), ["vic"]);

    // It is not wanted any more, and still needed.
    host.managed.packages = [("lib".to_owned(), name("lib"))].into();
    host.packages.insert("lib".to_owned(), Observation::Present("0.5-1".parse().unwrap()));
    let only = DesiredHost { components: desired().components.split_off(1) };
    let plan = make(&only, &host);
    assert_eq!(blocked(&plan), ["lib", "vic"]);
    assert!(
        plan.changes.iter().all(|it| !matches!(it.action, PlannedAction::RemovePackages { .. })),
        "{plan}"
    );
}

#[test]
fn service_of_a_blocked_component_is_restarted_for_a_change_of_another() {
    let mut host = host();
    unsafe_path(&mut host, "file:/srv/vic/conf");
    host.resources.insert(id("service:proxy"), runs());
    let notifying = Resource { notify: vec![id("service:proxy")], ..file("/etc/proxy.d/web", "x") };
    let desired = desired([
        component("proxy", vec![file("/srv/vic/conf", "x"), service("proxy")]),
        component("web", vec![notifying]),
    ]);
    let plan = make(&desired, &host);
    assert_eq!(blocked(&plan), ["proxy"]);
    assert_eq!(titles(&plan).last().unwrap(), "restart service:proxy", "{plan}");
}

#[test]
fn change_is_split_between_failed_and_other_components() {
    let host = ObservedHost { packages: BTreeMap::new(), ..host() };
    let desired = desired([
        component("one", vec![file("/etc/both", "x"), file("/etc/one", "x")]),
        component("two", vec![file("/etc/both", "x")]),
    ]);
    let plan = make(&desired, &host);
    let out = [name("one")].into();
    let parts: Vec<_> = plan
        .changes
        .iter()
        .map(|change| {
            let (left, skipped) = change.split_off_components(&out, &desired, &host.managed);
            [left, skipped].map(|part| part.map(|part| part.change_title_line()).unwrap_or_default())
        })
        .collect();
    assert_eq!(
        parts,
        [
            ["install two-deployment-1.0-1", "install one-deployment-1.0-1"],
            ["install two-1.0-1", "install one-1.0-1"],
            ["create file:/etc/both", ""],
            ["", "create file:/etc/one"],
        ]
    );
}
