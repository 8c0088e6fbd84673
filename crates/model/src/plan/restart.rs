//! Who is notified by what changes, and the one restart each notified service gets.

use super::{PlannedAction, order::OwnedResource, planner::Planner};
use crate::{
    name::Name,
    observe::{Fact, FactName, Observation},
    resource::{Resource, ResourceBody, ResourceId, ResourceKind},
};

impl Planner<'_> {
    /// Marks what the change just planned notifies.
    pub(super) fn notify(&mut self, resource: &Resource) {
        self.notify_all(resource.notify.clone());
    }

    pub(super) fn notify_all(&mut self, notify: Vec<ResourceId>) {
        for id in &notify {
            self.notified.entry(id.clone()).or_insert(false);
        }
        if let Some(change) = self.plan.changes.last_mut() {
            change.notifies = notify;
        }
    }

    /// Services of components whose payload changed run the old program until they are restarted, and
    /// commands' guards may answer differently.
    pub(super) fn notify_payload_services(&mut self, changed: &[Name], resources: &[OwnedResource<'_>]) {
        let mut notifies = Vec::new();
        for (component, resource) in resources {
            if resource.id.kind == ResourceKind::Service && changed.contains(component) {
                self.notified.insert(resource.id.clone(), true);
                notifies.push(resource.id.clone());
            }
        }
        if let Some(change) = self.plan.changes.last_mut().filter(|_| !changed.is_empty()) {
            change.notifies = notifies;
        }
    }

    /// One restart for each notified service that runs and was not just started.
    pub(super) fn plan_restarts(&mut self, resources: &[OwnedResource<'_>]) {
        if !self.seen.booted {
            return;
        }
        let pending: Vec<ResourceId> = self.seen.managed.pending.iter().cloned().collect();
        for id in pending {
            self.notified.entry(id).or_insert(true);
        }
        for (component, resource) in resources {
            let ResourceBody::Service(service) = &resource.body else { continue };
            let Some(restart) = self.notified.get(&resource.id) else { continue };
            let (runs, unit) = match self.seen.resources.get(&resource.id) {
                Some(Observation::Present(facts)) => {
                    (facts.get(&FactName::Running) == Some(&Fact::Flag(true)), true)
                }
                _ => (false, false),
            };
            // Debian's packages start their services as they are installed: before the files of this plan.
            let comes_started = self.os_packages && !unit && service.running == Some(true);
            let just_started = self.started.contains(&resource.id) || !runs;
            if (just_started && !comes_started) || service.running == Some(false) {
                continue;
            }
            let action =
                PlannedAction::Restart { service: resource.id.clone(), reload: service.reload && !restart };
            self.push(action, [(*component).clone()].into(), Vec::new(), false);
        }
    }
}
