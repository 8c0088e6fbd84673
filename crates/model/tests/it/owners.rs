//! The owner of what lies in a folder that a user owns.

use std::collections::BTreeMap;

use model::{
    deployment::{DeploymentDescription, evaluate_deployments},
    deployment_manifest::DeploymentFilesByPath,
    format::node,
    name::Name,
    observe::ObservedHost,
    plan::{BlockScope, PlanLimits, plan_host_changes},
    resource::ResourceBody,
};

/// The deployments of components with these resources.
fn deployments(manifests: &[(&str, &str)]) -> BTreeMap<Name, DeploymentDescription> {
    let deployment = |(name, resources): &(&str, &str)| {
        let description =
            format!(r#"{{"name": "{name}", "version": "1.0-1", "kind": "os-config", "summary": "s"}}"#);
        let manifest = format!("format: geppetto/manifest/1\nresources:\n{resources}");
        let files = DeploymentFilesByPath::from([
            ("component.json".to_owned(), description.into_bytes()),
            ("manifest.yaml".to_owned(), manifest.into_bytes()),
        ]);
        let name = Name::new(name).unwrap();
        (name.clone(), DeploymentDescription::parse_deployment_files(&name, "test", files).unwrap())
    };
    manifests.iter().map(deployment).collect()
}

pub(crate) fn desired(manifests: &[(&str, &str)]) -> model::plan::DesiredHost {
    let names: Vec<String> = manifests.iter().map(|(name, _)| format!("{name}: {{version: 1.0}}")).collect();
    let text = format!("format: geppetto/node/1\ncomponents: {{{}}}\n", names.join(", "));
    let node = node::parse_node_yaml("node.yaml", &text).unwrap();
    evaluate_deployments(&node, &deployments(manifests), None).unwrap()
}

/// What blocks a new host with these components.
fn blocked(manifests: &[(&str, &str)]) -> Vec<(String, BlockScope, String)> {
    let plan = plan_host_changes(&desired(manifests), &ObservedHost::default(), &PlanLimits::default());
    plan.blocked.into_iter().map(|item| (item.what.to_string(), item.scope, item.because)).collect()
}

#[test]
fn owner_that_is_not_stated_is_that_of_the_nearest_described_directory() {
    let host = desired(&[(
        "vic",
        "
  - {user: vic}
  - {directory: /srv/vic, owner: vic}
  - {directory: /srv/vic/conf}
  - {file: /srv/vic/conf/app.conf, content: x}
  - {file: /srv/vic/of-bob, content: x, owner: bob}
  - {file: /srv/victor, content: x}
  - {directory: /etc/vic, owner: root}
  - {file: /etc/vic/conf, content: x}
",
    )]);
    let owners: Vec<(&str, Option<&str>)> = host.components[0]
        .resources
        .iter()
        .filter_map(|resource| match &resource.body {
            ResourceBody::File(file) => Some((resource.id.name.as_str(), file.ownership.owner.as_deref())),
            ResourceBody::Directory(directory) => {
                Some((resource.id.name.as_str(), directory.ownership.owner.as_deref()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        owners,
        [
            ("/srv/vic", Some("vic")),
            ("/srv/vic/conf", Some("vic")),
            ("/srv/vic/conf/app.conf", Some("vic")),
            ("/srv/vic/of-bob", Some("bob")),
            ("/srv/victor", None),
            ("/etc/vic", Some("root")),
            ("/etc/vic/conf", None),
        ]
    );
}

#[test]
fn file_of_root_in_a_user_folder_blocks_its_component() {
    let because = "vic can change /srv/vic, and what belongs to root cannot be kept safe there; give it `owner: vic`, or put it elsewhere";
    let expected = vec![("file:/srv/vic/x".to_owned(), BlockScope::Components, because.to_owned())];
    let stated = "
  - {user: vic}
  - {directory: /srv/vic, owner: vic}
  - {file: /srv/vic/x, content: x, owner: root}
";
    assert_eq!(blocked(&[("vic", stated)]), expected);
    // The directory is of another component: nobody says that the file is the user's.
    let folder = "
  - {user: vic}
  - {directory: /srv/vic, owner: vic}
";
    assert_eq!(blocked(&[("a", folder), ("b", "  - {file: /srv/vic/x, content: x}\n")]), expected);
    assert_eq!(blocked(&[("a", folder), ("b", "  - {file: /srv/vic/x, present: false}\n")]), []);
}
