//! What a manifest leaves open of users, and the groups that they leave.

use std::collections::BTreeSet;

use model::{
    observe::{
        ManagedState, Observation, ObservedHost, ResourceCreatedByPunch, ResourcePropertiesByKind,
        ResourcePropertyKind, ResourcePropertyValue,
    },
    resource::{GroupResourceBody, Resource, ResourceBody, UserResourceBody},
};

use crate::plan::{host, id, make, name, resource, titles, wanted};

/// A host with the user sundry, whose primary group is readers; `made` of it by punch.
fn host_with_user(made: &[&str]) -> ObservedHost {
    let text = |text: &str| ResourcePropertyValue::Text(text.to_owned());
    let groups = ["adm".to_owned(), "writers".to_owned()];
    let user = ResourcePropertiesByKind::from([
        (ResourcePropertyKind::Group, text("readers")),
        (ResourcePropertyKind::Groups, ResourcePropertyValue::Set(BTreeSet::from(groups))),
        (ResourcePropertyKind::Home, text("/srv/sundry")),
        (ResourcePropertyKind::Shell, text("/bin/sh")),
        (ResourcePropertyKind::Comment, text("Sundry")),
    ]);
    let mut host = host();
    host.resources.insert(id("user:sundry"), Observation::Present(user));
    for group in ["group:readers", "group:writers"] {
        host.resources.insert(id(group), Observation::Present(ResourcePropertiesByKind::new()));
    }
    let made = made.iter().map(|made| ResourceCreatedByPunch {
        id: id(made),
        component: name("shop"),
        notify: Vec::new(),
    });
    host.managed = ManagedState { resources: made.collect(), ..ManagedState::default() };
    host
}

fn user(system: bool) -> Resource {
    resource("user:sundry", ResourceBody::User(UserResourceBody { system, ..UserResourceBody::default() }))
}

#[test]
fn user_made_by_punch_gets_the_defaults_of_what_is_no_longer_stated() {
    let host = host_with_user(&["user:sundry", "group:readers", "group:writers"]);
    let plan = make(&wanted(vec![user(true)]), &host);
    // The group leaves after its user has left it.
    assert_eq!(
        titles(&plan),
        ["remove group:writers", "change user:sundry", "remove group:readers"],
        "{plan}"
    );
    let shown = plan.to_string();
    for line in [
        "comment: Sundry -> \n",
        "group: readers -> sundry\n",
        "groups: adm,writers -> adm\n",
        "home: /srv/sundry -> /home/sundry\n",
        "shell: /bin/sh -> /usr/sbin/nologin\n",
    ] {
        assert!(format!("{shown}\n").contains(line), "{line}{shown}");
    }
    // What shell another user has is the host's choice.
    assert!(!make(&wanted(vec![user(false)]), &host).to_string().contains("shell"));
}

#[test]
fn user_that_was_there_before_punch_keeps_what_is_not_stated() {
    let plan = make(&wanted(vec![user(true)]), &host_with_user(&[]));
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
    // A group that such a user has as primary group stays, and that is said.
    let plan = make(&wanted(vec![user(true)]), &host_with_user(&["group:readers"]));
    assert_eq!(titles(&plan), [""; 0], "{plan}");
    assert_eq!(plan.notes, ["group:readers stays: it is the primary group of user:sundry"]);
}

#[test]
fn user_in_its_stated_groups_is_left_alone() {
    let stated = UserResourceBody {
        group: Some("readers".to_owned()),
        groups: Some(vec!["adm".to_owned(), "writers".to_owned()]),
        home: Some("/srv/sundry".to_owned()),
        shell: Some("/bin/sh".to_owned()),
        comment: Some("Sundry".to_owned()),
        ..UserResourceBody::default()
    };
    let group = |name| resource(name, ResourceBody::Group(GroupResourceBody::default()));
    let resources = vec![
        group("group:readers"),
        group("group:writers"),
        resource("user:sundry", ResourceBody::User(stated)),
    ];
    let plan = make(&wanted(resources), &host_with_user(&["user:sundry", "group:readers", "group:writers"]));
    assert!(plan.has_no_changes_or_blocks(), "{plan}");
}
