//! Commands: whether their turn comes, and why.

use super::{
    FactDifference, PlannedAction, missing::missing_thing_hint, order::OwnedResource, planner::Planner,
};
use crate::{
    name::Name,
    observe::{Fact, FactName, Observation, ResourceFacts, RunReason},
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
            Observation::Present(facts) => match facts.get(&FactName::Due) {
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
        let because = |reason: RunReason| (Some(Fact::RunReason(reason)), None);
        let (before, after) = match due {
            Some(true) => {
                ((*seen != Observation::Absent).then_some(Fact::Flag(true)), Some(Fact::Flag(false)))
            }
            _ if notified => because(RunReason::Notified),
            None => because(RunReason::GuardMustWait(lacks)),
            Some(false) if again => because(RunReason::GuardMayChange),
            Some(false) => {
                self.plan.unchanged += 1;
                return;
            }
        };
        let secret = resource.secret && due != Some(false);
        let difference = FactDifference { fact: FactName::Due, before, after, secret };
        let action = PlannedAction::Apply(Box::new(resource.clone()));
        self.push(action, [component.clone()].into(), vec![difference], false);
        self.brings = true;
        self.notify(resource);
    }
}

/// What a command needs and was not seen.
fn missing_prerequisites(seen: &Observation<ResourceFacts>) -> Vec<ResourceId> {
    match seen {
        Observation::Present(facts) => match facts.get(&FactName::Lacks) {
            Some(Fact::Resources(lacks)) => lacks.clone(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
