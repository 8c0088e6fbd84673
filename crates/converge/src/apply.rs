//! Applying a plan: dully, in its order, writing down each step before and after it.
//!
//! What a step is about to make is noted before it is made, so that a killed run leaves nothing behind
//! that is not recorded. The next run observes again and completes what is missing.

mod before_images;
mod failed_components;
mod journal;
mod kept;
mod leftovers;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use model::{
    health::HealthCheck,
    name::Name,
    node::Node,
    observe::{Observation, ObservationRequest, ObservedHost},
    plan::{self, Plan, PlannedAction, PlannedChange},
    report::{Report, ReportEntry, ReportEntryResult, RunOutcome},
    resource::{Resource, ResourceId, ResourceKind},
};

use self::{failed_components::FailedComponents, journal::RunJournalAndReport};
use crate::{
    CannotApplyNodeError, Host, HostError, PackageFetcher, PackagePin, PunchStateFolder,
    PunchStateFolderError, RunPurpose, health, inspect::DesiredAndObservedHost,
    payload::InstallationsOfChange,
};

/// How far a run is.
#[derive(Debug)]
pub enum ApplyProgressEvent<'a> {
    /// It begins, with this many steps.
    Started {
        /// Changes and health checks.
        steps: usize,
    },
    /// A step begins.
    Step {
        /// Counted from 1.
        number: usize,
        /// What it does.
        title: &'a str,
    },
    /// Something to know about the run: what was saved or put back, a service without a unit below `--root`.
    Note {
        /// One sentence.
        text: &'a str,
    },
    /// A step ended.
    Finished {
        /// How.
        entry: &'a ReportEntry,
    },
}

/// The package files that each change of a plan installs.
#[derive(Debug, Default)]
pub struct FetchedPackagesByChange {
    pub(crate) files: Vec<Vec<PathBuf>>,
    /// What each change brings and replaces; empty until it was compared with the host.
    pub(crate) installations: Vec<InstallationsOfChange>,
}

/// Fetches all packages that `plan` installs: one that cannot be had must be known before anything is
/// touched. A plan that blocks the run installs nothing.
pub fn fetch_packages_of_plan(
    look: &DesiredAndObservedHost,
    plan: &Plan,
    packages: &mut dyn PackageFetcher,
) -> Result<FetchedPackagesByChange, CannotApplyNodeError> {
    let mut files = Vec::with_capacity(plan.changes.len());
    for change in plan.changes.iter().filter(|_| !plan.blocks_run()) {
        let PlannedAction::InstallPackages(planned) = &change.action else {
            files.push(Vec::new());
            continue;
        };
        let fetched = planned.iter().map(|(name, package)| {
            let bare = PackagePin {
                name: name.clone(),
                version: package.version.clone(),
                file: None,
                sha256: None,
                size: None,
            };
            packages.fetch_and_verify_package(look.pins.get(name).unwrap_or(&bare))
        });
        files.push(fetched.collect::<Result<_, _>>()?);
    }
    Ok(FetchedPackagesByChange { files, installations: Vec::new() })
}

/// Applies `plan`, which was made from `look` and for which `fetched` is, and reports. The report is in
/// the history of `state` too.
///
/// An error means that `state` could not be written; what was done until then is in the report on disk
/// as far as that could be written.
#[expect(
    clippy::too_many_arguments,
    reason = "the two ports, the plan with its sources, and the progress callback"
)]
pub fn apply_plan(
    node: &Node,
    look: &DesiredAndObservedHost,
    plan: &Plan,
    fetched: &FetchedPackagesByChange,
    host: &mut dyn Host,
    state: &PunchStateFolder,
    progress: &mut dyn FnMut(ApplyProgressEvent<'_>),
    clock: &dyn Fn() -> i64,
) -> Result<Report, PunchStateFolderError> {
    let journal = RunJournalAndReport::save_interrupted_run_and_start(node, look, plan, state, clock)?;
    progress(ApplyProgressEvent::Started { steps: plan.changes.len() + plan.health.len() });
    if let Err(error) = kept::remove_temporary_files_of_killed_runs(look, host, state)? {
        // The next run tries again.
        progress(ApplyProgressEvent::Note { text: &error.to_string() });
    }
    if plan.blocks_run() {
        return journal.finish_run_and_save_report(RunOutcome::Blocked);
    }
    let blocked = plan.blocked_components();
    let mut deployments = look.fetched_deployments.clone();
    // Of a component that stays as it is, the package of its installed version is kept.
    deployments.retain(|name, _| !blocked.contains(name));
    state.store_deployments(&deployments)?;
    let written = state.load_written_digests()?;
    let mut run = ApplyRun {
        host,
        journal,
        progress,
        clock,
        look,
        state,
        written,
        installations: None,
        failed: FailedComponents::new(look),
        packages: false,
    };
    if let Some(verified) = &look.verified_payloads {
        state.save_verified_payloads(verified)?;
    }
    run.remove_leftovers_of_killed_installations(plan, fetched)?;
    let completed = run.finish_interrupted_package_changes(plan)? || run.journal.has_repairs();
    for (at, (change, files)) in plan.changes.iter().zip(&fetched.files).enumerate() {
        let Some((change, files)) = run.skip_failed_part_of_change(change, files) else { continue };
        let (change, files) = (change.as_ref(), files.as_ref());
        (run.progress)(ApplyProgressEvent::Step { number: at + 1, title: &change.change_title_line() });
        run.installations = fetched.installations.get(at);
        let done = match &change.action {
            PlannedAction::LookAgain(resources) => run.recheck_after_packages(change, resources)?,
            _ => run.apply_change(change, files)?,
        };
        if !done {
            return run.finish_failed(plan, at + 1, 0);
        }
    }
    if !plan.changes.is_empty() && !run.finish_deferred_work()? {
        return run.finish_failed(plan, plan.changes.len(), 0);
    }
    for (at, (component, check)) in plan.health.iter().enumerate() {
        let title = format!("check {check}");
        if run.failed.contains_component(component) {
            run.add_skipped_entry(&title, &[component.clone()].into());
            continue;
        }
        (run.progress)(ApplyProgressEvent::Step { number: plan.changes.len() + at + 1, title: &title });
        if !run.run_health_check(component, check, &title)? {
            return run.finish_failed(plan, plan.changes.len(), at + 1);
        }
    }
    if look.purpose != RunPurpose::Deploy && !run.put_before_images_back()? {
        return run.finish_failed(plan, plan.changes.len(), plan.health.len());
    }
    let left: BTreeSet<Name> = run.failed.names().union(&blocked).cloned().collect();
    if left.is_empty() {
        state.save_before_images(&[])?;
    }
    run.journal.forget_unwanted_managed_state(&left);
    if completed || !plan.changes.is_empty() || !look.fetched_deployments.is_empty() {
        kept::save_digests_and_prune_kept(look, state, &left)?;
    }
    let all_are_left = look.wanted.components.iter().all(|component| left.contains(&component.name));
    run.journal.finish_run_and_save_report(match (left.is_empty(), plan.changes.is_empty() && !completed) {
        (true, true) => RunOutcome::Unchanged,
        (true, false) => RunOutcome::Changed,
        (false, true) if all_are_left => RunOutcome::Blocked,
        (false, _) => RunOutcome::Partly,
    })
}

/// A run in progress.
struct ApplyRun<'a, 'j> {
    host: &'a mut dyn Host,
    journal: RunJournalAndReport<'j>,
    progress: &'a mut dyn FnMut(ApplyProgressEvent<'_>),
    clock: &'a dyn Fn() -> i64,
    /// The components that failed alone, and those that depend on them.
    failed: FailedComponents<'a>,
    look: &'a DesiredAndObservedHost,
    state: &'a PunchStateFolder,
    /// What punch last wrote to files: path and SHA-256.
    written: BTreeMap<String, String>,
    /// What the step that is being made installs.
    installations: Option<&'a InstallationsOfChange>,
    /// Whether packages came or went so far.
    packages: bool,
}

impl ApplyRun<'_, '_> {
    /// Applies one change; returns whether the run goes on.
    fn apply_change(
        &mut self,
        change: &PlannedChange,
        files: &[PathBuf],
    ) -> Result<bool, PunchStateFolderError> {
        let change = &PlannedChange { creates: self.creates_resource(change), ..change.clone() };
        self.packages |= match &change.action {
            PlannedAction::InstallPackages(_) | PlannedAction::RemovePackages { .. } => true,
            PlannedAction::Apply(resource) => resource.id.kind == ResourceKind::Package,
            _ => false,
        };
        self.journal.record_change_begin_and_managed_state(change)?;
        let started = (self.clock)();
        let (mut kept, result) = match self.keep_files_before_change(change)? {
            Ok(kept) => (kept, self.host.apply_change(change, files)),
            Err(error) => (Vec::new(), Err(error)),
        };
        let failed_scriptlets = match &result {
            Err(HostError::Scriptlets { failed, .. }) => failed.clone(),
            _ => BTreeMap::new(),
        };
        if result.is_ok() || !failed_scriptlets.is_empty() {
            kept.extend(self.put_back_files_after_change(change, &failed_scriptlets)?);
        }
        if result.is_ok() {
            self.note_written_file(change);
        }
        let mut goes_on = true;
        let (result, detail) = match result {
            Ok(Some(note)) => {
                (self.progress)(ApplyProgressEvent::Note { text: &note });
                (ReportEntryResult::Done, note)
            }
            Ok(None) => (ReportEntryResult::Done, change.differences_on_one_line()),
            Err(error) => {
                goes_on = self.failed.is_failure_limited_to_components(change, &error);
                let path = change.changed_or_restarted_resource().and_then(ResourceId::occupied_path);
                let error = error.to_string();
                (
                    ReportEntryResult::Failed,
                    self.state.host_root().with_path_on_this_machine(&error, path.as_deref()),
                )
            }
        };
        match result {
            ReportEntryResult::Done => self.failed.forget_replaced_component_versions(change),
            _ if goes_on && !failed_scriptlets.is_empty() => {
                self.failed.add_packages_of_change(change, &failed_scriptlets);
            }
            _ if goes_on => self.failed.add_failed_change(change),
            _ => (),
        }
        let detail = [detail].into_iter().filter(|detail| !detail.is_empty()).chain(kept);
        let detail = detail.collect::<Vec<_>>().join("; ");
        // Of a transaction only those have failed whose scripts did.
        let components = match &change.action {
            PlannedAction::InstallPackages(packages) if !failed_scriptlets.is_empty() => packages
                .iter()
                .filter(|(name, _)| failed_scriptlets.contains_key(*name))
                .map(|(_, package)| package.component.clone())
                .collect(),
            _ => change.components.clone(),
        };
        let entry =
            self.finish_entry(entry(&change.change_title_line(), &components, result, detail), started);
        self.journal.record_change_result(change, entry)?;
        Ok(goes_on)
    }

    /// Whether the change creates its resource. A path that disappeared with its package since the plan is created again and
    /// punch's own; one that came with a package is the package's.
    fn creates_resource(&self, change: &PlannedChange) -> bool {
        let PlannedAction::Apply(resource) = &change.action else { return change.creates };
        if !self.packages || resource.id.occupied_path().is_none() {
            return change.creates;
        }
        let request = ObservationRequest::request_for_only_these_resources([resource.as_ref()]);
        match self.host.observe_resources(&request).get(&resource.id) {
            Some(Observation::Absent) => true,
            Some(Observation::Present(_)) => false,
            _ => change.creates,
        }
    }

    /// Observes again what was right before packages changed, and corrects what changed; returns whether
    /// the run goes on.
    fn recheck_after_packages(
        &mut self,
        change: &PlannedChange,
        resources: &[(Name, Resource)],
    ) -> Result<bool, PunchStateFolderError> {
        self.journal.record_step_begin(&change.change_title_line(), &change.components, &[])?;
        let started = (self.clock)();
        let request = ObservationRequest::request_for_only_these_resources(
            resources.iter().map(|(_, resource)| resource),
        );
        let observed = ObservedHost {
            resources: self.host.observe_resources(&request),
            booted: self.host.is_systemd_running(),
            managed: self.look.observed.managed.clone(),
            acts_as_root: self.look.observed.acts_as_root,
            cannot_give_files_to_any_user: self.look.observed.cannot_give_files_to_any_user,
            ..ObservedHost::default()
        };
        let plan = plan::replan_resources_after_package_changes(resources, &observed);
        let unsafe_now = self.failed.items_blocking_only_components(&plan);
        let others = plan.blocked.iter().find(|item| !unsafe_now.contains(item));
        let (result, detail) = match (others, plan.changes.len()) {
            (Some(blocked), _) => {
                (ReportEntryResult::Failed, format!("{}: {}", blocked.what, blocked.because))
            }
            (None, 0) => (ReportEntryResult::Done, "all as it must be".to_owned()),
            (None, count) => (ReportEntryResult::Done, format!("{count} to be made right again")),
        };
        let entry = self
            .finish_entry(entry(&change.change_title_line(), &change.components, result, detail), started);
        self.journal.record_step_end(entry, &[])?;
        if result != ReportEntryResult::Done {
            return Ok(false);
        }
        for item in unsafe_now {
            self.add_blocked_entry_and_fail_components(item);
        }
        for change in &plan.changes {
            let Some((change, _)) = self.skip_failed_part_of_change(change, &[]) else { continue };
            self.journal.uncount_unchanged_and_defer_notifications(&change);
            if !self.apply_change(&change, &[])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs the host's deferred work after the last change; returns whether it succeeded.
    fn finish_deferred_work(&mut self) -> Result<bool, PunchStateFolderError> {
        let Err(error) = self.host.finish_deferred_work() else { return Ok(true) };
        let failed = match error {
            HostError::ServicesDoNotStayUp { failed } => failed
                .into_iter()
                .map(|(name, why)| {
                    let id = ResourceId::new(ResourceKind::Service, &name);
                    let components = self.look.wanted.components_describing(&id);
                    entry(&format!("watch {id}"), &components, ReportEntryResult::Failed, why)
                })
                .collect(),
            error => {
                vec![entry("settle", &BTreeSet::new(), ReportEntryResult::Failed, error.to_string())]
            }
        };
        for failed in failed {
            (self.progress)(ApplyProgressEvent::Finished { entry: &failed });
            self.journal.record_step_end(failed, &[])?;
        }
        Ok(false)
    }

    /// Runs one health check; returns whether it succeeded.
    fn run_health_check(
        &mut self,
        component: &Name,
        check: &HealthCheck,
        title: &str,
    ) -> Result<bool, PunchStateFolderError> {
        let components = BTreeSet::from([component.clone()]);
        self.journal.record_step_begin(title, &components, &[])?;
        let started = (self.clock)();
        let (result, detail) = match health::repeat_health_check_until_success(self.host, check, self.clock) {
            Ok(()) => (ReportEntryResult::Done, String::new()),
            Err(answer) => (ReportEntryResult::Failed, check.timed_out_check_message(&answer)),
        };
        let entry = self.finish_entry(entry(title, &components, result, detail), started);
        self.journal.record_step_end(entry, &[])?;
        Ok(result == ReportEntryResult::Done)
    }

    /// Adds the duration to the entry and reports it to the progress callback.
    fn finish_entry(&mut self, entry: ReportEntry, started: i64) -> ReportEntry {
        let entry = ReportEntry { duration_us: (self.clock)().saturating_sub(started).max(0), ..entry };
        (self.progress)(ApplyProgressEvent::Finished { entry: &entry });
        entry
    }

    /// Ends a failed run: the remaining changes are skipped.
    fn finish_failed(
        mut self,
        plan: &Plan,
        changes: usize,
        checks: usize,
    ) -> Result<Report, PunchStateFolderError> {
        let changes = plan
            .changes
            .iter()
            .skip(changes)
            .map(|change| (change.change_title_line(), change.components.clone()));
        let checks = plan
            .health
            .iter()
            .skip(checks)
            .map(|(component, check)| (format!("check {check}"), [component.clone()].into()));
        for (title, components) in changes.chain(checks) {
            self.add_skipped_entry(&title, &components);
        }
        if self.host.is_shutting_down() {
            return self.finish_interrupted_by_shutdown();
        }
        // What this run wrote is nobody's edit.
        self.state.save_written_digests(&self.written)?;
        let irreversible = self.journal.find_irreversible_steps_tried(plan);
        if !irreversible.is_empty() && self.look.purpose == RunPurpose::Deploy {
            self.journal.add_unjournaled_report_entry(ReportEntry {
                action: "go back to the last good generation".to_owned(),
                components: BTreeSet::new(),
                result: ReportEntryResult::Skipped,
                detail: format!("this cannot be taken back: {}", irreversible.join(", ")),
                duration_us: 0,
            });
        }
        self.journal.finish_run_and_save_report(RunOutcome::Failed)
    }

    /// Ends a run in which something failed because the host is shutting down. Going back would fail as well, and the
    /// generation is not to blame: the next run completes it.
    fn finish_interrupted_by_shutdown(mut self) -> Result<Report, PunchStateFolderError> {
        self.state.save_written_digests(&self.written)?;
        self.journal.add_unjournaled_report_entry(entry(
            "wait for the next run",
            &BTreeSet::new(),
            ReportEntryResult::Skipped,
            "the host is shutting down: the next run completes this one".to_owned(),
        ));
        self.journal.finish_run_and_save_report(RunOutcome::Interrupted)
    }
}

fn entry(
    action: &str,
    components: &BTreeSet<Name>,
    result: ReportEntryResult,
    detail: String,
) -> ReportEntry {
    ReportEntry { action: action.to_owned(), components: components.clone(), result, detail, duration_us: 0 }
}
