//! The journal: what punch is about to make, what it made, and the report so far, each on disk in time.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    component::deployment_package_name,
    name::Name,
    node::Node,
    observe::{
        ManagedState, Observation, OwnershipBeforePunch, ResourceCreatedByPunch, ResourcePropertyKind,
        ResourcePropertyValue,
    },
    plan::{self, Plan, PlannedAction, PlannedChange},
    report::{RepairOfInterruptedWork, Report, ReportEntry, ReportEntryResult, RunOutcome},
    resource::{Resource, ResourceBody, ResourceId, ResourceKind},
};

use crate::{
    PunchStateFolder, PunchStateFolderError, RunPurpose,
    inspect::DesiredAndObservedHost,
    punch_state_folder::{ManagedStateChange, RunJournalWriter},
};

pub(super) struct RunJournalAndReport<'a> {
    state: &'a PunchStateFolder,
    clock: &'a dyn Fn() -> i64,
    look: &'a DesiredAndObservedHost,
    managed: ManagedState,
    /// All resources the node file still describes.
    wanted: BTreeMap<&'a ResourceId, &'a Resource>,
    /// Notified so late that their turn is the next run's.
    owed: BTreeSet<ResourceId>,
    report: Report,
    /// The report on disk while the run lasts: only when something changes.
    running: Option<RunJournalWriter>,
}

impl<'a> RunJournalAndReport<'a> {
    pub(super) fn save_interrupted_run_and_start(
        node: &Node,
        look: &'a DesiredAndObservedHost,
        plan: &Plan,
        state: &'a PunchStateFolder,
        clock: &'a dyn Fn() -> i64,
    ) -> Result<Self, PunchStateFolderError> {
        state.save_interrupted_run_and_remove_journal()?;
        let resources = look.wanted.components.iter().flat_map(|component| &component.resources);
        let blocked = plan.blocked.iter().map(|blocked| {
            super::entry(
                &blocked.what.to_string(),
                &blocked.components,
                ReportEntryResult::Blocked,
                blocked.because.clone(),
            )
        });
        let report = Report {
            server: node.server.to_string(),
            generation: node.generation,
            outcome: RunOutcome::Interrupted,
            started_us: look.began_us,
            duration_us: 0,
            unchanged: plan.unchanged,
            entries: blocked.collect(),
            repairs: look.repairs.clone(),
        };
        let changes = !plan.changes.is_empty() && !plan.blocks_run();
        Ok(Self {
            state,
            clock,
            look,
            managed: look.observed.managed.clone(),
            wanted: resources.map(|resource| (&resource.id, resource)).collect(),
            owed: BTreeSet::new(),
            running: if changes { Some(state.create_run_journal(&report)?) } else { None },
            report,
        })
    }

    /// Notes what `change` is about to make and to notify.
    pub(super) fn record_change_begin_and_managed_state(
        &mut self,
        change: &PlannedChange,
    ) -> Result<(), PunchStateFolderError> {
        let mut marks = Vec::new();
        match &change.action {
            PlannedAction::InstallPackages(packages) => {
                let installed = packages.iter();
                marks.extend(installed.map(|(name, package)| {
                    ManagedStateChange::Installed(name.clone(), package.component.clone())
                }));
            }
            PlannedAction::Apply(resource) if change.creates => {
                let id = &resource.id;
                marks.extend(change.components.first().map(|component| {
                    ManagedStateChange::Made(ResourceCreatedByPunch {
                        id: id.clone(),
                        component: component.clone(),
                        notify: resource.notify.clone(),
                    })
                }));
            }
            PlannedAction::Apply(resource) => marks.extend(
                ownership_before_change(resource, change)
                    .filter(|_| !self.managed.resources.iter().any(|made| made.id == resource.id))
                    .map(|before| ManagedStateChange::OwnershipBefore(resource.id.clone(), before)),
            ),
            _ => (),
        }
        if let PlannedAction::Apply(resource) = &change.action
            && (resource.id.occupied_path().is_some() || resource.id.kind == ResourceKind::User)
        {
            marks.push(ManagedStateChange::Written(resource.id.clone()));
        }
        let later = |id: &&ResourceId| matches!(id.kind, ResourceKind::Service | ResourceKind::Exec);
        marks.extend(change.notifies.iter().filter(later).cloned().map(ManagedStateChange::Owed));
        self.apply_state_changes(&marks);
        self.record_step_begin(&change.change_title_line(), &change.components, &marks)
    }

    /// Notes that a step begins.
    pub(super) fn record_step_begin(
        &mut self,
        title: &str,
        components: &BTreeSet<Name>,
        marks: &[ManagedStateChange],
    ) -> Result<(), PunchStateFolderError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        running.write_and_flush_step_begin(
            &super::entry(title, components, ReportEntryResult::Interrupted, String::new()),
            marks,
        )
    }

    /// Notes how `change` went.
    pub(super) fn record_change_result(
        &mut self,
        change: &PlannedChange,
        entry: ReportEntry,
    ) -> Result<(), PunchStateFolderError> {
        let mut marks = Vec::new();
        let done = entry.result == ReportEntryResult::Done;
        match &change.action {
            PlannedAction::RemovePackages { names, .. } if done => {
                marks.extend(names.iter().cloned().map(ManagedStateChange::Uninstalled));
            }
            PlannedAction::Remove { id, .. } if done => marks.push(ManagedStateChange::Unmade(id.clone())),
            PlannedAction::Restart { service, .. } if done => {
                marks.push(ManagedStateChange::Paid(service.clone()))
            }
            PlannedAction::Apply(resource) if done => match &resource.body {
                ResourceBody::Exec(_) => marks.push(ManagedStateChange::Paid(resource.id.clone())),
                // A service this step started runs what is there now.
                ResourceBody::Service(_)
                    if change
                        .differences
                        .iter()
                        .any(|difference| difference.property == ResourcePropertyKind::Running) =>
                {
                    marks.push(ManagedStateChange::Paid(resource.id.clone()));
                }
                _ => (),
            },
            // A package installed by others stays theirs when punch failed to change it.
            PlannedAction::InstallPackages(packages) if !done => {
                let observed = &self.look.observed;
                let theirs = |name: &&String| {
                    !observed.managed.packages.contains_key(*name)
                        && matches!(observed.packages.get(*name), Some(Observation::Present(_)))
                };
                marks.extend(packages.keys().filter(theirs).cloned().map(ManagedStateChange::Uninstalled));
            }
            _ => (),
        }
        self.apply_state_changes(&marks);
        self.record_step_end(entry, &marks)
    }

    /// Notes how a step that makes nothing went.
    pub(super) fn record_step_end(
        &mut self,
        entry: ReportEntry,
        marks: &[ManagedStateChange],
    ) -> Result<(), PunchStateFolderError> {
        if let Some(running) = &mut self.running {
            running.write_step_end_unflushed(&entry, marks)?;
        }
        self.add_unjournaled_report_entry(entry);
        Ok(())
    }

    /// Notes something that was repaired.
    pub(super) fn add_repair(&mut self, repair: RepairOfInterruptedWork) {
        self.report.repairs.push(repair);
    }

    /// Whether something was repaired.
    pub(super) fn has_repairs(&self) -> bool {
        !self.report.repairs.is_empty()
    }

    /// Notes an entry of the report.
    pub(super) fn add_unjournaled_report_entry(&mut self, entry: ReportEntry) {
        self.report.entries.push(entry);
    }

    /// The steps tried so far that cannot be taken back.
    pub(super) fn find_irreversible_steps_tried(&self, plan: &Plan) -> Vec<String> {
        plan::find_irreversible_steps_tried(plan, &self.report)
    }

    /// Notes that something was not right after all, and who is notified of it.
    pub(super) fn uncount_unchanged_and_defer_notifications(&mut self, change: &PlannedChange) {
        self.report.unchanged = self.report.unchanged.saturating_sub(1);
        self.owed.extend(change.notifies.iter().cloned());
    }

    /// Forgets what is recorded as punch's own and no longer wanted, after a successful run. What is of the
    /// components `left`, which stayed as they are, is kept.
    pub(super) fn forget_unwanted_managed_state(&mut self, left: &BTreeSet<Name>) {
        let Self { managed, wanted, owed, look, .. } = self;
        let is_of_left = |id: &ResourceId, made: &[ResourceCreatedByPunch]| {
            let describers = look.wanted.components_describing(id);
            let mut made = made.iter().filter(|made| made.id == *id);
            match describers.is_empty() {
                true => made.any(|made| left.contains(&made.component)),
                false => describers.is_subset(left),
            }
        };
        managed.pending.retain(|id| owed.contains(id) || is_of_left(id, &managed.resources));
        managed.ownership_before.retain(|id, before| {
            if left.contains(&before.component) {
                return true;
            }
            // What is no longer stated is as it was, and from now on its owner's.
            let stated = wanted.get(id).and_then(|resource| resource.body.ownership());
            let stated = stated.cloned().unwrap_or_default();
            before.owner = before.owner.take().filter(|_| stated.owner.is_some());
            before.group = before.group.take().filter(|_| stated.group.is_some());
            before.mode = before.mode.filter(|_| stated.mode.is_some());
            before.owner.is_some() || before.group.is_some() || before.mode.is_some()
        });
        let packages: BTreeSet<String> = look
            .wanted
            .components
            .iter()
            .flat_map(|component| [component.name.to_string(), deployment_package_name(&component.name)])
            .collect();
        managed.packages.retain(|name, component| packages.contains(name) || left.contains(component));
        // What took the place of something punch made is punch's own, under its new name.
        let paths: BTreeMap<String, &ResourceId> = wanted
            .iter()
            .filter(|(_, it)| it.present)
            .filter_map(|(id, _)| Some((id.occupied_path()?, *id)))
            .collect();
        let mut known: BTreeSet<ResourceId> = managed.resources.iter().map(|made| made.id.clone()).collect();
        managed.resources.retain_mut(|made| {
            if left.contains(&made.component) {
                return true;
            }
            if !wanted.contains_key(&made.id)
                && let Some(heir) = made.id.occupied_path().and_then(|path| paths.get(&path))
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
    pub(super) fn finish_run_and_save_report(
        mut self,
        outcome: RunOutcome,
    ) -> Result<Report, PunchStateFolderError> {
        self.report.outcome = self.outcome_of_purpose(outcome);
        self.report.duration_us = (self.clock)().saturating_sub(self.report.started_us).max(0);
        if self.managed != self.look.observed.managed {
            self.state.save_managed_state(&self.managed)?;
        }
        self.state.save_report_to_history(&self.report)?;
        self.state.remove_run_journal()?;
        Ok(self.report)
    }

    /// The outcome of a run that went back to an earlier generation, which the report says first.
    fn outcome_of_purpose(&mut self, outcome: RunOutcome) -> RunOutcome {
        let RunPurpose::RollBack { from, because } = &self.look.purpose else { return outcome };
        let (outcome, result) = match outcome {
            RunOutcome::Unchanged | RunOutcome::Changed => (RunOutcome::RolledBack, ReportEntryResult::Done),
            RunOutcome::Blocked => (outcome, ReportEntryResult::Blocked),
            _ => (outcome, ReportEntryResult::Failed),
        };
        let action = format!("go back from {from} to generation {}", self.report.generation);
        self.report.entries.insert(0, super::entry(&action, &BTreeSet::new(), result, because.clone()));
        outcome
    }

    fn apply_state_changes(&mut self, marks: &[ManagedStateChange]) {
        for mark in marks {
            mark.apply_to_managed_state(&mut self.managed);
        }
    }
}

/// Which owner, group and mode of a file or directory that was there a change replaces.
fn ownership_before_change(resource: &Resource, change: &PlannedChange) -> Option<OwnershipBeforePunch> {
    resource.body.ownership()?;
    let component = change.components.first()?.clone();
    let mut before = OwnershipBeforePunch { component, owner: None, group: None, mode: None };
    for difference in &change.differences {
        match (difference.property, difference.before.clone()) {
            (ResourcePropertyKind::Owner, Some(ResourcePropertyValue::Text(name))) => {
                before.owner = Some(name)
            }
            (ResourcePropertyKind::Group, Some(ResourcePropertyValue::Text(name))) => {
                before.group = Some(name)
            }
            (ResourcePropertyKind::Mode, Some(ResourcePropertyValue::Mode(mode))) => before.mode = Some(mode),
            _ => (),
        }
    }
    (before.owner.is_some() || before.group.is_some() || before.mode.is_some()).then_some(before)
}
