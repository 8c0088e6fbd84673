//! From the files of deployment packages to a plan, without a host: what the control plane previews with.

use std::collections::BTreeMap;

use model::{
    deployment::{DeploymentDescription, check_component_requirements, evaluate_deployments},
    deployment_manifest::DeploymentFilesByPath,
    format::node,
    name::Name,
    node::Node,
    observe::{ManagedState, ObservationRequest, ObservedHost, OsFamily, node_and_managed_package_names},
    plan::{PlanLimits, plan_host_changes},
};

fn deployment(name: &str, more: &str, manifest: &str) -> (Name, DeploymentDescription) {
    let description =
        format!(r#"{{"name": "{name}", "version": "1.0-1", "kind": "os-config", "summary": "s"{more}}}"#);
    let files = DeploymentFilesByPath::from([
        ("component.json".to_owned(), description.into_bytes()),
        ("manifest.yaml".to_owned(), format!("format: geppetto/manifest/1\n{manifest}").into_bytes()),
    ]);
    let name = Name::new(name).unwrap();
    let deployment = DeploymentDescription::parse_deployment_files(&name, "test", files).unwrap();
    (name, deployment)
}

fn node(components: &str) -> Node {
    node::parse_node_yaml("node.yaml", &format!("format: geppetto/node/1\ncomponents: {components}\n"))
        .unwrap()
}

fn faults(node: &Node, deployments: &BTreeMap<Name, DeploymentDescription>) -> Vec<String> {
    let faults = evaluate_deployments(node, deployments, None).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn deployments_and_node_give_the_plan_of_an_empty_host() {
    let deployments = BTreeMap::from([
        deployment(
            "app",
            r#", "requires": {"web": ">=1"}, "parameters": {"port": {"type": "port", "description": "p", "default": 80}}"#,
            "resources:\n  - {file: /etc/app, content: \"{{ port }}\", owner: app}\n",
        ),
        deployment("web", r#", "os_packages": {"deb": ["nginx"]}"#, "resources: [{group: web}]\n"),
    ]);
    let node = node("{app: {version: 1.0, values: {port: 81}}, web: {version: 1.0}}");
    let desired = evaluate_deployments(&node, &deployments, Some(OsFamily::Deb)).unwrap();
    let names: Vec<&str> = desired.components.iter().map(|component| component.name.as_str()).collect();
    assert_eq!(names, ["web", "app"], "what is required comes first");

    let managed = ManagedState {
        packages: [("old".to_owned(), Name::new("old").unwrap())].into(),
        ..Default::default()
    };
    assert_eq!(
        node_and_managed_package_names(&node, &managed),
        ["app", "app-deployment", "old", "web", "web-deployment"]
    );
    let request = ObservationRequest::new(&desired, &managed);
    let wanted: Vec<String> = request.wanted.iter().map(|resource| resource.id.to_string()).collect();
    assert_eq!(wanted, ["package:nginx", "group:web", "file:/etc/app"]);
    let others: Vec<String> = request.others.iter().map(ToString::to_string).collect();
    assert_eq!(others, ["user:app"], "accounts that are only spoken of are asked for too");

    let empty = ObservedHost { family: Some(OsFamily::Deb), ..ObservedHost::default() };
    let text = plan_host_changes(&desired, &empty, &PlanLimits::default()).to_string();
    assert!(text.contains("create package:nginx (web)\n") && text.contains("+81\n"), "{text}");
}

#[test]
fn all_deployment_errors_are_returned_together() {
    let bad = "resources: [{file: /etc/x, content: \"{{ nope }}\"}]\n";
    let deployments = BTreeMap::from([deployment("app", "", bad), deployment("web", "", bad)]);
    let node = node("{app: {version: 1.0}, web: {version: 1.0}}");
    let message = faults(&node, &deployments);
    assert_eq!(message.len(), 2, "{message:?}");
    assert!(message[0].starts_with("app/manifest.yaml:2: "), "{message:?}");
}

#[test]
fn requirement_out_of_range_missing_or_cyclic_is_refused() {
    let app = |range: &str| deployment("app", &format!(r#", "requires": {{"web": "{range}"}}"#), "");
    let web = || deployment("web", r#", "requires": {"app": "*"}"#, "");
    let both = node("{app: {version: 1.0}, web: {version: 1.0}}");
    let alone = node("{app: {version: 1.0}}");
    assert_eq!(faults(&both, &[app(">=2"), web()].into()), ["app needs `web` >=2; the node file has 1.0-1"]);
    assert_eq!(
        faults(&alone, &[app("*")].into()),
        ["app needs component `web` (*), which the node file does not have"]
    );
    assert_eq!(
        faults(&both, &[app("*"), web()].into()),
        ["components require each other in a cycle: app, web"]
    );
    assert_eq!(faults(&both, &[app("*")].into()), ["the deployment of web is not known"]);
    assert!(check_component_requirements(&both, &[app("*")].into()).is_empty());
}
