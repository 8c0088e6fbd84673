//! Failures that a user of the host can cause: they end the work on their components, not the run.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use model::{
    component::Component,
    name::Name,
    plan::{
        BlockScope, BlockedItem, FoldersOfUsers, Plan, PlannedAction, PlannedChange,
        find_dependents_of_components,
    },
    report::ReportEntryResult,
};

use super::{ApplyProgressEvent, ApplyRun, entry};
use crate::{HostError, inspect::DesiredAndObservedHost};

/// The components that a run does no more for: a change of theirs, or of one they depend on, has failed.
pub(super) struct FailedComponents<'a> {
    look: &'a DesiredAndObservedHost,
    /// Those that failed, and those that depend on them.
    names: BTreeSet<Name>,
    /// What the installed versions of components need, as far as they are not the wanted ones.
    installed: BTreeMap<Name, Component>,
}

impl<'a> FailedComponents<'a> {
    pub(super) fn new(look: &'a DesiredAndObservedHost) -> Self {
        Self { look, names: BTreeSet::new(), installed: look.observed.installed.clone() }
    }

    pub(super) fn names(&self) -> &BTreeSet<Name> {
        &self.names
    }

    pub(super) fn contains_component(&self, name: &Name) -> bool {
        self.names.contains(name)
    }

    /// Whether only the components of `change` have failed with it.
    pub(super) fn is_failure_limited_to_components(&self, change: &PlannedChange, error: &HostError) -> bool {
        let id = change.changed_or_restarted_resource();
        let folders = || FoldersOfUsers::find_folders_of_users(&self.look.wanted, &self.look.observed);
        !change.components.is_empty()
            && (error.is_limited_to_components() || id.is_some_and(|id| folders().contains_resource(id)))
    }

    /// Gives up the components of a change, and those that depend on them.
    pub(super) fn add_failed_change(&mut self, change: &PlannedChange) {
        let describing = |id| self.look.wanted.components_describing(id);
        let described = change.changed_or_restarted_resource().map(describing).unwrap_or_default();
        self.add_components(change.components.iter().cloned().chain(described));
    }

    /// Gives up the components of those packages that are `failed`: the others were installed.
    pub(super) fn add_packages_of_change(
        &mut self,
        change: &PlannedChange,
        failed: &BTreeMap<String, Vec<String>>,
    ) {
        self.forget_replaced_component_versions(change);
        if let PlannedAction::InstallPackages(packages) = &change.action {
            let packages = packages.iter().filter(|(name, _)| failed.contains_key(*name));
            let components: Vec<Name> = packages.map(|(_, package)| package.component.clone()).collect();
            self.add_components(components);
        }
    }

    /// Notes that what these packages were before needs nothing any more.
    pub(super) fn forget_replaced_component_versions(&mut self, change: &PlannedChange) {
        if let PlannedAction::InstallPackages(packages) = &change.action {
            self.installed.retain(|name, _| !packages.contains_key(name.as_str()));
        }
    }

    /// What a second look blocked for its components alone.
    pub(super) fn items_blocking_only_components<'p>(&self, plan: &'p Plan) -> Vec<&'p BlockedItem> {
        plan.blocked.iter().filter(|item| item.scope == BlockScope::Components).collect()
    }

    fn add_components(&mut self, components: impl IntoIterator<Item = Name>) {
        self.names.extend(components);
        let DesiredAndObservedHost { wanted, observed, .. } = self.look;
        let dependents = find_dependents_of_components(wanted, observed, &self.installed, &self.names);
        self.names.extend(dependents.into_keys());
    }
}

impl ApplyRun<'_, '_> {
    /// The part of `change` that is still to be done, with the package files it needs; the rest is reported
    /// as skipped.
    pub(super) fn skip_failed_part_of_change<'c>(
        &mut self,
        change: &'c PlannedChange,
        files: &'c [PathBuf],
    ) -> Option<(Cow<'c, PlannedChange>, Cow<'c, [PathBuf]>)> {
        if self.failed.names.is_empty() {
            return Some((Cow::Borrowed(change), Cow::Borrowed(files)));
        }
        let DesiredAndObservedHost { wanted, observed, .. } = self.failed.look;
        let (left, skipped) = change.split_off_components(&self.failed.names, wanted, &observed.managed);
        if let Some(skipped) = skipped {
            self.add_skipped_entry(&skipped.change_title_line(), &skipped.components);
        }
        let left = left?;
        let files = match (&change.action, &left.action) {
            (PlannedAction::InstallPackages(all), PlannedAction::InstallPackages(left)) => {
                let files = all.keys().zip(files).filter(|(name, _)| left.contains_key(*name));
                Cow::Owned(files.map(|(_, file)| file.clone()).collect())
            }
            _ => Cow::Borrowed(files),
        };
        Some((Cow::Owned(left), files))
    }

    /// Reports something that is not tried.
    pub(super) fn add_skipped_entry(&mut self, title: &str, components: &BTreeSet<Name>) {
        let entry = entry(title, components, ReportEntryResult::Skipped, String::new());
        (self.progress)(ApplyProgressEvent::Finished { entry: &entry });
        self.journal.add_unjournaled_report_entry(entry);
    }

    /// Reports what a second look found blocked, and gives up its components.
    pub(super) fn add_blocked_entry_and_fail_components(&mut self, item: &BlockedItem) {
        let because = item.because.clone();
        let entry = entry(&item.what.to_string(), &item.components, ReportEntryResult::Blocked, because);
        (self.progress)(ApplyProgressEvent::Finished { entry: &entry });
        self.journal.add_unjournaled_report_entry(entry);
        self.failed.add_components(item.components.iter().cloned());
    }
}
