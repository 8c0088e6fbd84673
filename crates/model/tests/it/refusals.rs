//! What is never changed, whatever a manifest says.

use std::collections::BTreeMap;

use model::{
    observe::{
        FileDigestAndText, FileType, Observation, ObservedHost, ResourcePropertiesByKind,
        ResourcePropertyKind, ResourcePropertyValue,
    },
    plan::{BlockScope, PlanLimits, plan_host_changes},
    resource::ResourceId,
};

use crate::owners::desired;

type Facts = Vec<(ResourcePropertyKind, ResourcePropertyValue)>;

/// What blocks a host on which this is observed.
fn blocked(manifest: &str, observed: &[(&str, Facts)]) -> Vec<String> {
    let resources: BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>> = observed
        .iter()
        .map(|(id, facts)| {
            let id = ResourceId::try_from((*id).to_owned()).unwrap();
            (id, Observation::Present(facts.iter().cloned().collect()))
        })
        .collect();
    let host = ObservedHost { resources, ..ObservedHost::default() };
    let desired = desired(&[("app", manifest), ("free", "  - {file: /etc/free, content: x}\n")]);
    let plan = plan_host_changes(&desired, &host, &PlanLimits::default());
    let alone = |scope| scope == BlockScope::Components;
    assert!(plan.blocked.iter().all(|item| alone(item.scope)), "{plan}");
    assert!(plan.to_string().contains("file:/etc/free"), "the rest goes on: {plan}");
    plan.blocked.into_iter().map(|item| format!("{}: {}", item.what, item.because)).collect()
}

fn text(text: &str) -> ResourcePropertyValue {
    ResourcePropertyValue::Text(text.to_owned())
}

#[test]
fn change_of_user_root_is_refused_and_his_keys_are_not() {
    let root = || {
        vec![
            (ResourcePropertyKind::Shell, text("/bin/bash")),
            (ResourcePropertyKind::AuthorizedKeys, ResourcePropertyValue::Set([].into())),
        ]
    };
    let found = blocked("  - {user: root, shell: /bin/zsh}\n", &[("user:root", root())]);
    assert!(found[0].starts_with("user:root: the shell of user root is not changed"), "{found:?}");
    assert_eq!(
        blocked("  - {user: root, shell: /bin/bash, authorized_keys: [a]}\n", &[("user:root", root())]),
        [""; 0]
    );
}

#[test]
fn removal_of_user_or_group_root_and_another_number_of_the_group_are_refused() {
    for (manifest, because) in [
        ("  - {user: root, present: false}\n", "user:root: user root is never removed"),
        ("  - {group: root, present: false}\n", "group:root: group root is never removed"),
        ("  - {group: root, gid: 7}\n", "group:root: the number of group root is always 0"),
    ] {
        let gid = vec![(ResourcePropertyKind::Gid, ResourcePropertyValue::Number(0))];
        let found = blocked(manifest, &[("group:root", gid), ("user:root", Vec::new())]);
        assert!(found[0].starts_with(because), "{found:?}");
    }
}

#[test]
fn what_punch_keeps_on_a_host_is_not_described_by_components() {
    for path in [
        "file: /var/lib/geppetto/punch/managed.json",
        "directory: /var/lib/geppetto/punch",
        "directory: /var/lib/geppetto",
        "file: /etc/geppetto/punch.yaml",
        "symlink: /etc/geppetto/trust/node.pub, target: /x",
    ] {
        let found = blocked(&format!("  - {{{path}}}\n"), &[]);
        assert!(found[0].contains("is what punch itself keeps on this host"), "{path}: {found:?}");
    }
    for path in ["directory: /etc/geppetto", "file: /etc/geppetto/punch.yaml2", "directory: /var/lib"] {
        assert_eq!(blocked(&format!("  - {{{path}}}\n"), &[]), [""; 0], "{path}");
    }
}

#[test]
fn immutable_file_is_refused_only_when_it_differs() {
    let facts = |content: &str| {
        vec![
            (ResourcePropertyKind::Type, ResourcePropertyValue::Type(FileType::File)),
            (
                ResourcePropertyKind::Content,
                ResourcePropertyValue::Content(FileDigestAndText::from_bytes(content.as_bytes())),
            ),
            (
                ResourcePropertyKind::Immutable,
                ResourcePropertyValue::Unusable("/etc/app is immutable (chattr +i)".to_owned()),
            ),
        ]
    };
    let manifest = "  - {file: /etc/app, content: x}\n";
    assert_eq!(
        blocked(manifest, &[("file:/etc/app", facts("y"))]),
        ["file:/etc/app: /etc/app is immutable (chattr +i)"]
    );
    assert_eq!(blocked(manifest, &[("file:/etc/app", facts("x"))]), [""; 0]);
    let absent = "  - {file: /etc/app, present: false}\n";
    assert_eq!(
        blocked(absent, &[("file:/etc/app", facts("x"))]),
        ["file:/etc/app: /etc/app is immutable (chattr +i)"]
    );
}
