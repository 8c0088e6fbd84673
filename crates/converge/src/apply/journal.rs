//! The journal: what punch is about to make, what it made, and the report so far, each on disk in time.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    component::deployment_package,
    node::Node,
    observe::{Managed, ManagedResource, Seen},
    plan::{Action, Change, Plan},
    report::{Entry, EntryResult, Outcome, Report},
    resource::{Body, Resource, ResourceId, ResourceKind},
};

use super::components;
use crate::{
    State, StateError,
    look::Look,
    state::{Mark, Running},
};

pub(super) struct Journal<'a> {
    state: &'a State,
    clock: &'a dyn Fn() -> i64,
    look: &'a Look,
    managed: Managed,
    /// Everything the node file still speaks of.
    wanted: BTreeMap<&'a ResourceId, &'a Resource>,
    /// Notified so late that their turn is the next run's.
    owed: BTreeSet<ResourceId>,
    report: Report,
    /// The report on disk while the run lasts: only when something changes.
    running: Option<Running>,
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
        let report = Report {
            server: node.server.to_string(),
            generation: node.generation,
            outcome: Outcome::Interrupted,
            started_us: look.began_us,
            duration_us: 0,
            unchanged: plan.unchanged,
            entries: Vec::new(),
        };
        let changes = !plan.changes.is_empty() && plan.blocked.is_empty();
        Ok(Self {
            state,
            clock,
            look,
            managed: look.observed.managed.clone(),
            wanted: resources.map(|resource| (&resource.id, resource)).collect(),
            owed: BTreeSet::new(),
            running: if changes { Some(state.start_running(&report)?) } else { None },
            report,
        })
    }

    /// Notes what `change` is about to make and to notify.
    pub(super) fn before(&mut self, change: &Change) -> Result<(), StateError> {
        let mut marks = Vec::new();
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
                    marks.push(Mark::Installed(name.clone(), whose));
                }
            }
            Action::Apply(resource) if change.creates => {
                let component = change.component.clone();
                let notify = resource.notify.clone();
                marks.push(Mark::Made(ManagedResource { id: resource.id.clone(), component, notify }));
            }
            _ => (),
        }
        let later = |id: &&ResourceId| matches!(id.kind, ResourceKind::Service | ResourceKind::Exec);
        marks.extend(change.notifies.iter().filter(later).cloned().map(Mark::Owed));
        self.mark(&marks);
        self.begin(&change.title(), &change.component, &marks)
    }

    /// Notes that a step which makes nothing begins.
    pub(super) fn begin(&mut self, title: &str, component: &str, marks: &[Mark]) -> Result<(), StateError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        running.begin(&super::entry(title, component, EntryResult::Interrupted, String::new()), marks)
    }

    /// Notes how `change` went.
    pub(super) fn after(&mut self, change: &Change, entry: Entry) -> Result<(), StateError> {
        let mut marks = Vec::new();
        let done = entry.result == EntryResult::Done;
        match &change.action {
            Action::RemovePackages { names, .. } if done => {
                marks.extend(names.iter().cloned().map(Mark::Uninstalled));
            }
            Action::Remove { id, .. } if done => marks.push(Mark::Unmade(id.clone())),
            Action::Restart { service, .. } if done => marks.push(Mark::Paid(service.clone())),
            Action::Apply(resource) if done => match &resource.body {
                Body::Exec(_) => marks.push(Mark::Paid(resource.id.clone())),
                // A service this step started runs what is there now.
                Body::Service(_)
                    if change.differences.iter().any(|difference| difference.fact == "running") =>
                {
                    marks.push(Mark::Paid(resource.id.clone()));
                }
                _ => (),
            },
            // What somebody else installed is still theirs when punch could not change it.
            Action::InstallPackages(versions) if !done => {
                let seen = &self.look.observed;
                let theirs = |name: &&String| {
                    !seen.managed.packages.contains_key(*name)
                        && matches!(seen.packages.get(*name), Some(Seen::Present(_)))
                };
                marks.extend(versions.keys().filter(theirs).cloned().map(Mark::Uninstalled));
            }
            _ => (),
        }
        self.mark(&marks);
        self.end(entry, &marks)
    }

    /// Notes how a step that makes nothing went.
    pub(super) fn end(&mut self, entry: Entry, marks: &[Mark]) -> Result<(), StateError> {
        if let Some(running) = &mut self.running {
            running.end(&entry, marks)?;
        }
        self.note(entry);
        Ok(())
    }

    /// Notes an entry of the report.
    pub(super) fn note(&mut self, entry: Entry) {
        self.report.entries.push(entry);
    }

    /// Notes that something was not right after all, and who is notified of it.
    pub(super) fn not_right(&mut self, change: &Change) {
        self.report.unchanged = self.report.unchanged.saturating_sub(1);
        self.owed.extend(change.notifies.iter().cloned());
    }

    /// Forgets what nobody wants and is not there, once everything is as it must be.
    pub(super) fn settle(&mut self) {
        let Self { managed, wanted, owed, look, .. } = self;
        managed.pending.retain(|id| owed.contains(id));
        let packages: BTreeSet<String> = look
            .wanted
            .components
            .iter()
            .flat_map(|component| [component.name.to_string(), deployment_package(&component.name)])
            .collect();
        managed.packages.retain(|name, _| packages.contains(name));
        // What took the place of something punch made is punch's own, under its new name.
        let paths: BTreeMap<String, &ResourceId> = wanted
            .iter()
            .filter(|(_, it)| it.present)
            .filter_map(|(id, _)| Some((id.path()?, *id)))
            .collect();
        let mut known: BTreeSet<ResourceId> = managed.resources.iter().map(|made| made.id.clone()).collect();
        managed.resources.retain_mut(|made| {
            if !wanted.contains_key(&made.id)
                && let Some(heir) = made.id.path().and_then(|path| paths.get(&path))
                && known.insert((*heir).clone())
            {
                made.id = (*heir).clone();
            }
            match wanted.get(&made.id) {
                Some(resource) => made.notify.clone_from(&resource.notify),
                None => return false,
            }
            true
        });
    }

    /// Files the report.
    pub(super) fn finish(mut self, outcome: Outcome) -> Result<Report, StateError> {
        self.report.outcome = outcome;
        self.report.duration_us = (self.clock)().saturating_sub(self.report.started_us).max(0);
        if self.managed != self.look.observed.managed {
            self.state.save_managed(&self.managed)?;
        }
        self.state.record(&self.report)?;
        self.state.end_running()?;
        Ok(self.report)
    }

    fn mark(&mut self, marks: &[Mark]) {
        for mark in marks {
            mark.apply(&mut self.managed);
        }
    }
}
