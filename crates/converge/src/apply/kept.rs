//! Keeping what a step replaces before it does, and putting back what a package that leaves had replaced.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
};

use model::{
    name::Name,
    observe::{PathDrift, sha256_hex},
    plan::{Plan, PlannedAction, PlannedChange, find_owners_that_cannot_be_given},
    report::ReportEntryResult,
    resource::{ResourceBody, ResourceId, ResourceKind},
};

use super::{ApplyProgressEvent, ApplyRun, entry};
use crate::{
    Host, HostError, PunchStateFolder, PunchStateFolderError, inspect::DesiredAndObservedHost,
    punch_state_folder::MOST_KEPT_ASIDE_BYTES,
};

impl ApplyRun<'_, '_> {
    /// Completes what a killed run left of an installation or a removal; returns whether there was something.
    pub(super) fn finish_interrupted_package_changes(
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
        let done = self.state.finish_interrupted_package_changes(installed, &planned)?;
        if done.is_empty() {
            return Ok(false);
        }
        self.note_all(&done);
        let title = "put back what an interrupted run left out";
        let entry = entry(title, &BTreeSet::new(), ReportEntryResult::Done, done.join("; "));
        self.journal.add_unjournaled_report_entry(entry);
        Ok(true)
    }

    /// Keeps what `change` is about to replace; returns a sentence for each thing that is kept, or why the change
    /// cannot be made.
    pub(super) fn keep_files_before_change(
        &mut self,
        change: &PlannedChange,
    ) -> Result<Result<Vec<String>, HostError>, PunchStateFolderError> {
        let kept = match &change.action {
            PlannedAction::InstallPackages(packages) => {
                let names: BTreeSet<&String> = packages.keys().collect();
                let mut kept = self.keep_edited_payload_files(&names)?;
                if let Some(installations) = self.installations {
                    kept.extend(self.state.keep_replaced_files_before_installation(installations, &names)?);
                }
                kept
            }
            PlannedAction::RemovePackages { names, .. } => {
                self.state.keep_edited_files_before_removal(names)?
            }
            PlannedAction::Apply(resource) => {
                if !change.creates
                    && let Err(error) = self.keep_before_image(&resource.id)?
                {
                    return Ok(Err(error));
                }
                let wanted = match &resource.body {
                    ResourceBody::File(file) => Some(sha256_hex(&file.content)),
                    _ => None,
                };
                match self.keep_edited_file(&resource.id, wanted.as_ref())? {
                    Ok(kept) => kept.into_iter().collect(),
                    Err(error) => return Ok(Err(error)),
                }
            }
            PlannedAction::Remove { id, .. } => {
                if let Err(error) = self.keep_before_image(id)? {
                    return Ok(Err(error));
                }
                match self.keep_edited_file(id, None)? {
                    Ok(kept) => kept.into_iter().collect(),
                    Err(error) => return Ok(Err(error)),
                }
            }
            PlannedAction::LookAgain(_) | PlannedAction::Restart { .. } => Vec::new(),
        };
        self.note_all(&kept);
        Ok(Ok(kept))
    }

    /// Puts back what `change`, which was made, no longer replaces; returns a sentence for each. Packages with
    /// `failed` scripts are not done with.
    pub(super) fn put_back_files_after_change(
        &mut self,
        change: &PlannedChange,
        failed: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let done = match &change.action {
            PlannedAction::InstallPackages(packages) => {
                let all = self.installations.iter().flat_map(|installations| &installations.packages);
                let made = all.filter(|(name, _)| packages.contains_key(*name));
                let made = made.map(|(name, installation)| (name.clone(), installation.clone()));
                let (left, made): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    made.partition(|(name, _)| failed.contains_key(name));
                if !left.is_empty() {
                    self.state.note_failed_scriptlets(failed)?;
                }
                self.state.put_back_files_after_installation(&made)?
            }
            PlannedAction::RemovePackages { names, .. } => self.state.put_back_files_after_removal(names)?,
            _ => Vec::new(),
        };
        self.note_all(&done);
        Ok(done)
    }

    /// Keeps files of packages that somebody edited before they are installed again.
    fn keep_edited_payload_files(
        &self,
        packages: &BTreeSet<&String>,
    ) -> Result<Vec<String>, PunchStateFolderError> {
        let drift = &self.look.observed.payload_drift;
        let drift = drift.iter().filter(|(name, _)| packages.contains(name)).flat_map(|(_, drift)| drift);
        let edited = drift.filter(|(_, how)| how.contains(&PathDrift::Content));
        let kept = edited.map(|(path, _)| self.state.keep_file_aside_unless_known(path, &[]));
        kept.filter_map(Result::transpose).collect()
    }

    /// Keeps a file that somebody edited since punch wrote it, or that punch did not make, before it is replaced or
    /// removed.
    fn keep_edited_file(
        &self,
        id: &ResourceId,
        wanted: Option<&String>,
    ) -> Result<Result<Option<String>, HostError>, PunchStateFolderError> {
        if !matches!(id.kind, ResourceKind::File | ResourceKind::Symlink) {
            return Ok(Ok(None));
        }
        let written = self.written.get(&id.name);
        let made = self.look.observed.managed.resources.iter().any(|made| made.id == *id);
        // What punch made before it wrote down what: nobody can tell whether it was edited.
        if made && written.is_none() {
            return Ok(Ok(None));
        }
        let file = match self.open_file_to_save(id) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        };
        self.state.keep_open_file_aside_unless(&id.name, file, &[written, wanted]).map(Ok)
    }

    /// Opens the file at the place of a resource, to save what it holds; one that is too large to be saved is an error.
    pub(super) fn open_file_to_save(&self, id: &ResourceId) -> Result<Option<File>, HostError> {
        let file = self.host.open_file_to_save(id)?;
        let size = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len());
        if size <= MOST_KEPT_ASIDE_BYTES {
            return Ok(file);
        }
        let because = format!(
            "it has {size} bytes, and punch saves at most {MOST_KEPT_ASIDE_BYTES}; move it away, or remove it"
        );
        Err(HostError::NotSaved { path: id.name.clone(), because })
    }

    /// Notes what a file holds that was just written.
    pub(super) fn note_written_file(&mut self, change: &PlannedChange) {
        if let PlannedAction::Apply(resource) = &change.action
            && let ResourceBody::File(file) = &resource.body
        {
            self.written.insert(resource.id.name.clone(), sha256_hex(&file.content));
        }
    }

    fn note_all(&mut self, sentences: &[String]) {
        for text in sentences {
            (self.progress)(ApplyProgressEvent::Note { text });
        }
    }
}

/// Removes the temporary files of killed runs, if there was one, wherever punch writes on this host.
pub(super) fn remove_temporary_files_of_killed_runs(
    look: &DesiredAndObservedHost,
    host: &mut dyn Host,
    state: &PunchStateFolder,
) -> Result<Result<(), HostError>, PunchStateFolderError> {
    let Some(mut resources) = state.load_interrupted_writes()? else { return Ok(Ok(())) };
    let wanted = look.wanted.components.iter().flat_map(|component| &component.resources);
    resources.extend(wanted.map(|resource| resource.id.clone()));
    resources.extend(look.observed.managed.resources.iter().map(|made| made.id.clone()));
    let replaced = state.load_kept_files()?.entries;
    resources.extend(replaced.into_iter().map(|entry| ResourceId::new(ResourceKind::File, &entry.path)));
    match host.remove_temporary_files(&resources) {
        Ok(()) => state.forget_interrupted_writes().map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

/// Writes down what the files of manifests hold after a run, and forgets kept content that is no longer needed. What the
/// components `left` were to hold was not written.
pub(super) fn save_digests_and_prune_kept(
    look: &DesiredAndObservedHost,
    state: &PunchStateFolder,
    left: &BTreeSet<Name>,
) -> Result<(), PunchStateFolderError> {
    state.save_owners_not_given(&find_owners_that_cannot_be_given(&look.wanted, &look.observed))?;
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
