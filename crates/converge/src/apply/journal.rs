//! The journal: what punch is about to make, what it made, and the report so far, each on disk in time.

use std::collections::BTreeSet;

use model::{
    component::deployment_package,
    node::Node,
    observe::{Managed, ManagedResource},
    plan::{Action, Change, Plan},
    report::{Entry, EntryResult, Outcome, Report},
    resource::{Body, ResourceId, ResourceKind},
};

use super::components;
use crate::{State, StateError, look::Look};

pub(super) struct Journal<'a> {
    state: &'a State,
    clock: &'a dyn Fn() -> i64,
    managed: Managed,
    /// Everything the node file still speaks of.
    wanted: BTreeSet<&'a ResourceId>,
    wanted_packages: BTreeSet<String>,
    report: Report,
    /// Whether the report is kept on disk while the run lasts: only when something changes.
    running: bool,
}

impl<'a> Journal<'a> {
    pub(super) fn start(
        node: &Node,
        look: &'a Look,
        plan: &Plan,
        state: &'a State,
        clock: &'a dyn Fn() -> i64,
    ) -> Result<Self, StateError> {
        state.close_interrupted()?;
        let resources = look.wanted.components.iter().flat_map(|component| &component.resources);
        let packages = look
            .wanted
            .components
            .iter()
            .flat_map(|component| [component.name.to_string(), deployment_package(&component.name)]);
        let journal = Self {
            state,
            clock,
            managed: look.observed.managed.clone(),
            wanted: resources.map(|resource| &resource.id).collect(),
            wanted_packages: packages.collect(),
            report: Report {
                server: node.server.to_string(),
                generation: node.generation,
                outcome: Outcome::Interrupted,
                started_us: clock(),
                duration_us: 0,
                unchanged: plan.unchanged,
                entries: Vec::new(),
            },
            running: !plan.changes.is_empty() && plan.blocked.is_empty(),
        };
        if journal.running {
            journal.state.save_running(&journal.report)?;
        }
        Ok(journal)
    }

    /// Notes what `change` is about to make and to notify.
    pub(super) fn before(&mut self, change: &Change) -> Result<(), StateError> {
        let before = self.managed.clone();
        match &change.action {
            Action::InstallPackages(versions) => {
                let components = components(change);
                for name in versions.keys() {
                    let whose = components
                        .iter()
                        .find(|component| {
                            *name == **component || name.strip_suffix("-deployment") == Some(component)
                        })
                        .map_or_else(|| name.clone(), |component| (*component).to_owned());
                    self.managed.packages.insert(name.clone(), whose);
                }
            }
            Action::Apply(resource)
                if change.creates && !self.managed.resources.iter().any(|made| made.id == resource.id) =>
            {
                let made = ManagedResource { id: resource.id.clone(), component: change.component.clone() };
                self.managed.resources.push(made);
            }
            _ => (),
        }
        let later = |id: &&ResourceId| matches!(id.kind, ResourceKind::Service | ResourceKind::Exec);
        self.managed.pending.extend(change.notifies.iter().filter(later).cloned());
        self.save(&before)?;
        let begun = Entry {
            action: change.title(),
            component: change.component.clone(),
            result: EntryResult::Interrupted,
            detail: "the run ended while this was being done; the next run completes it".to_owned(),
            duration_us: 0,
        };
        self.report.entries.push(begun);
        let saved = self.state.save_running(&self.report);
        self.report.entries.pop();
        saved
    }

    /// Notes how `change` went.
    pub(super) fn after(&mut self, change: &Change, entry: Entry) -> Result<(), StateError> {
        let before = self.managed.clone();
        if entry.result == EntryResult::Done {
            match &change.action {
                Action::RemovePackages(names) => {
                    self.managed.packages.retain(|name, _| !names.contains(name));
                }
                Action::Remove(id) => self.managed.resources.retain(|made| made.id != *id),
                Action::Restart { service, .. } => _ = self.managed.pending.remove(service),
                Action::Apply(resource) => match &resource.body {
                    Body::Exec(_) => _ = self.managed.pending.remove(&resource.id),
                    // A service this step started runs what is there now.
                    Body::Service(_)
                        if change.differences.iter().any(|difference| difference.fact == "running") =>
                    {
                        self.managed.pending.remove(&resource.id);
                    }
                    _ => (),
                },
                Action::InstallPackages(_) => (),
            }
        }
        self.note(entry);
        self.save(&before)
    }

    /// Notes an entry of the report.
    pub(super) fn note(&mut self, entry: Entry) {
        self.report.entries.push(entry);
    }

    /// Forgets what nobody wants and is not there, once everything is as it must be.
    pub(super) fn settle(&mut self) -> Result<(), StateError> {
        let before = self.managed.clone();
        self.managed.pending.clear();
        self.managed.resources.retain(|made| self.wanted.contains(&made.id));
        self.managed.packages.retain(|name, _| self.wanted_packages.contains(name));
        self.save(&before)
    }

    /// Files the report.
    pub(super) fn finish(mut self, outcome: Outcome) -> Result<Report, StateError> {
        self.report.outcome = outcome;
        self.report.duration_us = (self.clock)().saturating_sub(self.report.started_us).max(0);
        self.state.record(&self.report)?;
        Ok(self.report)
    }

    fn save(&self, before: &Managed) -> Result<(), StateError> {
        if *before == self.managed { Ok(()) } else { self.state.save_managed(&self.managed) }
    }
}
