//! What a resource must be like, as facts, and which of them differ from what was seen.

use super::FactDifference;
use crate::{
    observe::{Fact, FileContent, Observation, ObservedHost, ResourceFacts},
    resource::{Ownership, Resource, ResourceBody},
};

/// The facts a resource must show. What its manifest leaves open is not among them.
pub fn desired_facts(resource: &Resource) -> ResourceFacts {
    let mut facts = ResourceFacts::new();
    match &resource.body {
        ResourceBody::File(file) => {
            facts.insert("type", text("file"));
            facts.insert("content", Fact::Content(FileContent::of(&file.content)));
            ownership(&mut facts, &file.ownership);
        }
        ResourceBody::Directory(owner) => {
            facts.insert("type", text("directory"));
            ownership(&mut facts, owner);
        }
        ResourceBody::Symlink(target) => {
            facts.insert("type", text("symlink"));
            facts.insert("target", text(target));
        }
        ResourceBody::User(user) => {
            option(&mut facts, "uid", user.uid.map(|uid| uid.to_string()));
            option(&mut facts, "group", user.group.clone());
            option(&mut facts, "home", user.home.clone());
            option(&mut facts, "shell", user.shell.clone());
            option(&mut facts, "comment", user.comment.clone());
            set(&mut facts, "groups", user.groups.as_ref());
            set(&mut facts, "authorized_keys", user.authorized_keys.as_ref());
        }
        ResourceBody::Group(group) => option(&mut facts, "gid", group.gid.map(|gid| gid.to_string())),
        ResourceBody::Service(service) => {
            flag(&mut facts, "enabled", service.enabled);
            flag(&mut facts, "running", service.running);
        }
        ResourceBody::Cron(cron) => {
            facts.insert("content", Fact::Content(FileContent::of(cron.file().as_bytes())));
        }
        ResourceBody::Package { version } => option(&mut facts, "version", version.clone()),
        ResourceBody::Exec(_) => {
            facts.insert("due", Fact::Flag(false));
        }
    }
    facts
}

/// How what was seen of `resource` differs from what it must be. `seen` has it as absent or present.
pub(super) fn fact_differences(
    resource: &Resource,
    seen: &Observation<ResourceFacts>,
    host: &ObservedHost,
) -> Vec<FactDifference> {
    let nothing = ResourceFacts::new();
    let before = match seen {
        Observation::Present(facts) => facts,
        Observation::Absent | Observation::Unreadable(_) => &nothing,
    };
    desired_facts(resource)
        .into_iter()
        .filter(|(fact, _)| host.booted || *fact != "running")
        .filter(|(fact, after)| before.get(fact) != Some(after))
        .map(|(fact, after)| {
            // Facts with a few possible words reveal nothing about a secret.
            let secret = resource.secret && !matches!(fact, "type" | "mode");
            FactDifference {
                fact,
                before: before.get(fact).cloned().map(|before| displayable_fact(before, secret)),
                after: Some(displayable_fact(after, secret)),
                secret,
            }
        })
        .collect()
}

/// A fact fit for a plan: of a secret content not even the text is kept.
fn displayable_fact(fact: Fact, secret: bool) -> Fact {
    match fact {
        Fact::Content(content) if secret => Fact::Content(FileContent { text: None, ..content }),
        fact => fact,
    }
}

fn text(text: &str) -> Fact {
    Fact::Text(text.to_owned())
}

fn option(facts: &mut ResourceFacts, fact: &'static str, value: Option<String>) {
    facts.extend(value.map(|value| (fact, Fact::Text(value))));
}

fn flag(facts: &mut ResourceFacts, fact: &'static str, value: Option<bool>) {
    facts.extend(value.map(|value| (fact, Fact::Flag(value))));
}

fn set(facts: &mut ResourceFacts, fact: &'static str, values: Option<&Vec<String>>) {
    facts.extend(values.map(|values| {
        let mut values = values.clone();
        values.sort();
        values.dedup();
        (fact, Fact::Set(values))
    }));
}

fn ownership(facts: &mut ResourceFacts, ownership: &Ownership) {
    option(facts, "owner", ownership.owner.clone());
    option(facts, "group", ownership.group.clone());
    option(facts, "mode", ownership.mode.map(|mode| format!("{mode:04o}")));
}
