//! Keeping what a step replaces before it does, and putting back what a package that leaves had replaced.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    name::Name,
    observe::sha256_hex,
    plan::{Plan, PlannedAction, PlannedChange},
    report::ReportEntryResult,
    resource::{ResourceBody, ResourceId, ResourceKind},
};

use super::{ApplyProgressEvent, ApplyRun, entry};
use crate::{PunchStateFolder, PunchStateFolderError, inspect::DesiredAndObservedHost};

impl ApplyRun<'_, '_> {
    /// Completes what a killed run left of an installation or a removal; returns whether there was something.
    pub(super) fn finish_interrupted_installations(
        &mut self,
        plan: &Plan,
    ) -> Result<bool, PunchStateFolderError> {
        let mut planned = BTreeSet::new();
        for change in &plan.changes {
            if let PlannedAction::InstallPackages(packages) = &change.action {
                planned.extend(packages.keys());
            }
        }
        let installed = &self.look.observed.packages;
        let done = self.state.finish_interrupted_installations(installed, &planned)?;
        if done.is_empty() {
            return Ok(false);
        }
        self.note_all(&done);
        let title = "put back what an interrupted run left out";
        let entry = entry(title, &BTreeSet::new(), ReportEntryResult::Done, done.join("; "));
        self.journal.add_unjournaled_report_entry(entry);
        Ok(true)
    }

    /// Keeps what `change` is about to replace; returns a sentence for each thing that is kept.
    pub(super) fn keep_before_change(
        &mut self,
        change: &PlannedChange,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let kept = match &change.action {
            PlannedAction::InstallPackages(packages) => {
                let names: BTreeSet<&String> = packages.keys().collect();
                match self.installations {
                    Some(installations) => self.state.begin_installation(installations, &names)?,
                    None => Vec::new(),
                }
            }
            PlannedAction::RemovePackages { names, .. } => self.state.begin_removal(names)?,
            PlannedAction::Apply(resource) => {
                if !change.creates {
                    self.keep_before_image(&resource.id)?;
                }
                let wanted = match &resource.body {
                    ResourceBody::File(file) => Some(sha256_hex(&file.content)),
                    _ => None,
                };
                self.keep_edited_file(&resource.id, wanted.as_ref())?.into_iter().collect()
            }
            PlannedAction::Remove { id, .. } => {
                self.keep_before_image(id)?;
                self.keep_edited_file(id, None)?.into_iter().collect()
            }
            PlannedAction::LookAgain(_) | PlannedAction::Restart { .. } => Vec::new(),
        };
        self.note_all(&kept);
        Ok(kept)
    }

    /// Puts back what `change`, which was made, no longer replaces; returns a sentence for each.
    pub(super) fn put_back_after_change(
        &mut self,
        change: &PlannedChange,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let done = match &change.action {
            PlannedAction::InstallPackages(packages) => {
                let all = self.installations.iter().flat_map(|installations| &installations.packages);
                let made = all.filter(|(name, _)| packages.contains_key(*name));
                let made = made.map(|(name, installation)| (name.clone(), installation.clone()));
                self.state.finish_installation(&made.collect())?
            }
            PlannedAction::RemovePackages { names, .. } => self.state.finish_removal(names)?,
            _ => Vec::new(),
        };
        self.note_all(&done);
        Ok(done)
    }

    /// Keeps a file that somebody edited since punch wrote it, or that punch did not make, before it is replaced or
    /// removed.
    fn keep_edited_file(
        &self,
        id: &ResourceId,
        wanted: Option<&String>,
    ) -> Result<Option<String>, PunchStateFolderError> {
        if !matches!(id.kind, ResourceKind::File | ResourceKind::Symlink) {
            return Ok(None);
        }
        let written = self.written.get(&id.name);
        let made = self.look.observed.managed.resources.iter().any(|made| made.id == *id);
        // What punch made before it wrote down what: nobody can tell whether it was edited.
        if made && written.is_none() {
            return Ok(None);
        }
        self.state.keep_file_aside_unless(&id.name, &[written, wanted])
    }

    fn note_all(&mut self, sentences: &[String]) {
        for text in sentences {
            (self.progress)(ApplyProgressEvent::Note { text });
        }
    }
}

/// Writes down what the files of manifests hold after a run, and forgets kept content that is no longer needed. What the
/// components `left` were to hold was not written.
pub(super) fn remember_written_files(
    look: &DesiredAndObservedHost,
    state: &PunchStateFolder,
    left: &BTreeSet<Name>,
) -> Result<(), PunchStateFolderError> {
    let known = state.load_written_digests()?;
    let installed = look.wanted.components.iter().map(|component| &component.name).chain(left);
    state.forget_stored_deployments_except(installed)?;
    let managed = look.observed.managed.resources.iter();
    let leaving = managed.filter(|made| left.contains(&made.component)).map(|made| made.id.name.as_str());
    let (left, completed): (Vec<_>, Vec<_>) =
        look.wanted.components.iter().partition(|component| left.contains(&component.name));
    let stay = left.iter().flat_map(|component| &component.resources);
    let stay = stay.map(|resource| resource.id.name.as_str()).chain(leaving);
    let stay = stay.filter_map(|path| known.get_key_value(path));
    let stay = stay.map(|(path, digest)| (path.clone(), digest.clone()));
    let resources = completed.iter().flat_map(|component| &component.resources);
    let written: BTreeMap<String, String> = resources
        .filter(|resource| resource.present)
        .filter_map(|resource| match &resource.body {
            ResourceBody::File(file) => Some((resource.id.name.to_string(), sha256_hex(&file.content))),
            _ => None,
        })
        .chain(stay)
        .collect();
    if written != known {
        state.save_written_digests(&written)?;
    }
    Ok(())
}
