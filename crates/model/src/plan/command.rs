//! Commands: whether their turn comes, and why.

use super::{
    FactDifference, PlannedAction, missing::missing_thing_hint, order::OwnedResource, planner::Planner,
};
use crate::{
    name::Name,
    observe::{Fact, Observation, ResourceFacts},
    resource::{ExecResource, ResourceId},
};

impl Planner<'_> {
    /// Plans a command when its guard asks for it, when it was notified, and when packages or what it requires
    /// change before it and may change the result of its guard.
    pub(super) fn plan_command(
        &mut self,
        (component, resource): OwnedResource<'_>,
        exec: &ExecResource,
        seen: &Observation<ResourceFacts>,
        changed: &[Name],
    ) {
        let lacks = missing_prerequisites(seen);
        let due = match seen {
            Observation::Present(facts) => match facts.get("due") {
                Some(Fact::Flag(due)) => Some(*due),
                _ => None,
            },
            _ => Some(true),
        };
        let notified =
            self.notified.contains_key(&resource.id) || self.seen.managed.pending.contains(&resource.id);
        if due != Some(false) || notified {
            let missing: Vec<&ResourceId> = lacks.iter().filter(|id| !self.is_provided_by_plan(id)).collect();
            if let Some(first) = missing.first() {
                let because = match resource.secret {
                    true => "what it needs is not on this host; what that is is not shown, a secret is in it"
                        .to_owned(),
                    false => missing_thing_hint(first),
                };
                return self.block(resource.id.to_string(), because);
            }
        }
        let requires = |id: &ResourceId| self.plan.changes.iter().any(|change| change.touches(id));
        let again = !exec.refresh_only
            && (changed.contains(component) || self.os_packages || resource.require.iter().any(requires));
        let because = |text: String| (Some(Fact::Text(text)), None);
        let (before, after) = match due {
            Some(true) => {
                ((*seen != Observation::Absent).then_some(Fact::Flag(true)), Some(Fact::Flag(false)))
            }
            _ if notified => because("notified".to_owned()),
            None => {
                let names: Vec<String> = lacks.iter().map(ResourceId::to_string).collect();
                because(format!(
                    "its guard is checked during the run, {} must be there first",
                    names.join(" and ")
                ))
            }
            Some(false) if again => because("unless its guard prevents it".to_owned()),
            Some(false) => {
                self.plan.unchanged += 1;
                return;
            }
        };
        let secret = resource.secret && due != Some(false);
        let difference = FactDifference { fact: "due", before, after, secret };
        let action = PlannedAction::Apply(Box::new(resource.clone()));
        self.push(action, component.to_string(), vec![difference], false);
        self.brings = true;
        self.notify(resource);
    }
}

/// What a command needs and was not seen.
fn missing_prerequisites(seen: &Observation<ResourceFacts>) -> Vec<ResourceId> {
    match seen {
        Observation::Present(facts) => match facts.get("lacks") {
            Some(Fact::Set(names)) => {
                names.iter().filter_map(|name| ResourceId::try_from(name.clone()).ok()).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
