//! What a resource must be like, as facts, and which of them differ from what was seen.

use super::Difference;
use crate::{
    observe::{Content, Fact, Facts, Observed, Seen},
    resource::{Body, Ownership, Resource},
};

/// The facts a resource must show. What its manifest leaves open is not among them.
pub fn wanted_facts(resource: &Resource) -> Facts {
    let mut facts = Facts::new();
    match &resource.body {
        Body::File(file) => {
            facts.insert("type", text("file"));
            facts.insert("content", Fact::Content(Content::of(&file.content)));
            ownership(&mut facts, &file.ownership);
        }
        Body::Directory(owner) => {
            facts.insert("type", text("directory"));
            ownership(&mut facts, owner);
        }
        Body::Symlink(target) => {
            facts.insert("type", text("symlink"));
            facts.insert("target", text(target));
        }
        Body::User(user) => {
            option(&mut facts, "uid", user.uid.map(|uid| uid.to_string()));
            option(&mut facts, "group", user.group.clone());
            option(&mut facts, "home", user.home.clone());
            option(&mut facts, "shell", user.shell.clone());
            option(&mut facts, "comment", user.comment.clone());
            set(&mut facts, "groups", user.groups.as_ref());
            set(&mut facts, "authorized_keys", user.authorized_keys.as_ref());
        }
        Body::Group(group) => option(&mut facts, "gid", group.gid.map(|gid| gid.to_string())),
        Body::Service(service) => {
            flag(&mut facts, "enabled", service.enabled);
            flag(&mut facts, "running", service.running);
        }
        Body::Cron(cron) => {
            facts.insert("content", Fact::Content(Content::of(cron.file().as_bytes())));
        }
        Body::Package { version } => option(&mut facts, "version", version.clone()),
        Body::Exec(_) => {
            facts.insert("due", Fact::Flag(false));
        }
    }
    facts
}

/// How what was seen of `resource` differs from what it must be. `seen` has it as absent or present.
pub(super) fn differences(resource: &Resource, seen: &Seen<Facts>, host: &Observed) -> Vec<Difference> {
    let nothing = Facts::new();
    let before = match seen {
        Seen::Present(facts) => facts,
        Seen::Absent | Seen::Unreadable(_) => &nothing,
    };
    wanted_facts(resource)
        .into_iter()
        .filter(|(fact, _)| host.booted || *fact != "running")
        .filter(|(fact, after)| before.get(fact) != Some(after))
        .map(|(fact, after)| {
            // What is one of a few words in any case tells nothing of a secret.
            let secret = resource.secret && !matches!(fact, "type" | "mode");
            Difference {
                fact,
                before: before.get(fact).cloned().map(|before| shown(before, secret)),
                after: Some(shown(after, secret)),
                secret,
            }
        })
        .collect()
}

/// A fact fit for a plan: of a secret content not even the text is kept.
fn shown(fact: Fact, secret: bool) -> Fact {
    match fact {
        Fact::Content(content) if secret => Fact::Content(Content { text: None, ..content }),
        fact => fact,
    }
}

fn text(text: &str) -> Fact {
    Fact::Text(text.to_owned())
}

fn option(facts: &mut Facts, fact: &'static str, value: Option<String>) {
    facts.extend(value.map(|value| (fact, Fact::Text(value))));
}

fn flag(facts: &mut Facts, fact: &'static str, value: Option<bool>) {
    facts.extend(value.map(|value| (fact, Fact::Flag(value))));
}

fn set(facts: &mut Facts, fact: &'static str, values: Option<&Vec<String>>) {
    facts.extend(values.map(|values| {
        let mut values = values.clone();
        values.sort();
        values.dedup();
        (fact, Fact::Set(values))
    }));
}

fn ownership(facts: &mut Facts, ownership: &Ownership) {
    option(facts, "owner", ownership.owner.clone());
    option(facts, "group", ownership.group.clone());
    option(facts, "mode", ownership.mode.map(|mode| format!("{mode:04o}")));
}
