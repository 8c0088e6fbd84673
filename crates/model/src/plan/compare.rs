//! What a resource must be like, as facts, and which of them differ from what was seen.

use super::FactDifference;
use crate::{
    observe::{Fact, FactName, FileContent, FileType, Observation, ObservedHost, ResourceFacts},
    resource::{Ownership, Resource, ResourceBody},
};

/// The facts a resource must show. What its manifest leaves open is not among them.
pub fn desired_facts(resource: &Resource) -> ResourceFacts {
    let mut facts = ResourceFacts::new();
    match &resource.body {
        ResourceBody::File(file) => {
            facts.insert(FactName::Type, Fact::Type(FileType::File));
            facts.insert(FactName::Content, Fact::Content(FileContent::of(&file.content)));
            ownership(&mut facts, &file.ownership);
        }
        ResourceBody::Directory(owner) => {
            facts.insert(FactName::Type, Fact::Type(FileType::Directory));
            ownership(&mut facts, owner);
        }
        ResourceBody::Symlink(target) => {
            facts.insert(FactName::Type, Fact::Type(FileType::Symlink));
            facts.insert(FactName::Target, Fact::Text(target.clone()));
        }
        ResourceBody::User(user) => {
            facts.extend(user.uid.map(|uid| (FactName::Uid, Fact::Number(uid))));
            option(&mut facts, FactName::Group, user.group.clone());
            option(&mut facts, FactName::Home, user.home.clone());
            option(&mut facts, FactName::Shell, user.shell.clone());
            option(&mut facts, FactName::Comment, user.comment.clone());
            set(&mut facts, FactName::Groups, user.groups.as_ref());
            set(&mut facts, FactName::AuthorizedKeys, user.authorized_keys.as_ref());
        }
        ResourceBody::Group(group) => facts.extend(group.gid.map(|gid| (FactName::Gid, Fact::Number(gid)))),
        ResourceBody::Service(service) => {
            flag(&mut facts, FactName::Enabled, service.enabled);
            flag(&mut facts, FactName::Running, service.running);
        }
        ResourceBody::Cron(cron) => {
            facts.insert(FactName::Content, Fact::Content(FileContent::of(cron.file().as_bytes())));
        }
        ResourceBody::Package { version } => option(&mut facts, FactName::Version, version.clone()),
        ResourceBody::Exec(_) => {
            facts.insert(FactName::Due, Fact::Flag(false));
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
        .filter(|(fact, _)| host.booted || *fact != FactName::Running)
        .filter(|(fact, after)| before.get(fact) != Some(after))
        .map(|(fact, after)| {
            // Facts with a few possible words reveal nothing about a secret.
            let secret = resource.secret && !matches!(fact, FactName::Type | FactName::Mode);
            FactDifference {
                fact,
                before: before.get(&fact).cloned().map(|before| displayable_fact(before, secret)),
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

fn option(facts: &mut ResourceFacts, fact: FactName, value: Option<String>) {
    facts.extend(value.map(|value| (fact, Fact::Text(value))));
}

fn flag(facts: &mut ResourceFacts, fact: FactName, value: Option<bool>) {
    facts.extend(value.map(|value| (fact, Fact::Flag(value))));
}

fn set(facts: &mut ResourceFacts, fact: FactName, values: Option<&Vec<String>>) {
    facts.extend(values.map(|values| (fact, Fact::Set(values.iter().cloned().collect()))));
}

fn ownership(facts: &mut ResourceFacts, ownership: &Ownership) {
    option(facts, FactName::Owner, ownership.owner.clone());
    option(facts, FactName::Group, ownership.group.clone());
    facts.extend(ownership.mode.map(|mode| (FactName::Mode, Fact::Mode(mode))));
}
