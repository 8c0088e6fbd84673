//! A host in memory: plans are applied to maps. For tests of everything above a real host.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use model::{
    health::HealthProbe,
    observe::{
        Observation, ObservationRequest, OsFamily, ResourcePropertiesByKind, ResourcePropertyKind,
        ResourcePropertyValue,
    },
    plan::{PlannedAction, PlannedChange, desired_resource_properties},
    resource::{Resource, ResourceBody, ResourceId},
    version::Version,
};

use super::{Host, HostError};

/// A host in memory.
#[derive(Debug, Default)]
pub struct MemoryHost {
    /// The family of its distribution.
    pub family: Option<OsFamily>,
    /// Whether services can be started on it.
    pub booted: bool,
    /// Installed packages of ours.
    pub packages: BTreeMap<String, Version>,
    /// What is on it.
    pub resources: BTreeMap<ResourceId, ResourcePropertiesByKind>,
    /// What cannot be looked at, and why.
    pub unreadable: BTreeMap<ResourceId, String>,
    /// What a user of the host can change, and how.
    pub unsafe_paths: BTreeMap<ResourceId, String>,
    /// Whether it is shutting down.
    pub shutting_down: bool,
    /// Titles of changes that fail.
    pub fails: BTreeSet<String>,
    /// Titles of changes that fail because a user of the host can change what their path leads to.
    pub fails_unsafe: BTreeSet<String>,
    /// What a user of the host can change once a change is made, by its title.
    pub unsafe_after: BTreeMap<String, (ResourceId, String)>,
    /// Users who cannot be removed, with the processes they run.
    pub at_work: BTreeMap<String, String>,
    /// Titles of the changes that were made, in order.
    pub done: Vec<String>,
    /// Probes that were asked, in order.
    pub asked: RefCell<Vec<HealthProbe>>,
    /// What changes bring (with properties) or take along (without), by their titles: packages do.
    pub along: BTreeMap<String, Vec<(ResourceId, Option<ResourcePropertiesByKind>)>>,
    /// What a health check is answered, when it is not a yes.
    pub sick: Option<String>,
}

impl Host for MemoryHost {
    fn os_family(&self) -> Option<OsFamily> {
        self.family
    }

    fn is_systemd_running(&self) -> bool {
        self.booted
    }

    fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    fn can_run_commands(&self) -> bool {
        true
    }

    fn observe_component_packages(&self, names: &[String]) -> BTreeMap<String, Observation<Version>> {
        let observed = |name: &String| match self.packages.get(name) {
            Some(version) => Observation::Present(version.clone()),
            None => Observation::Absent,
        };
        names.iter().map(|name| (name.clone(), observed(name))).collect()
    }

    fn observe_resources(
        &self,
        request: &ObservationRequest<'_>,
    ) -> BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>> {
        let ids = request.wanted.iter().map(|resource| &resource.id).chain(&request.others);
        ids.map(|id| {
            if let Some(because) = self.unsafe_paths.get(id) {
                return (id.clone(), Observation::Unsafe(because.clone()));
            }
            let observed = match (self.unreadable.get(id), self.resources.get(id)) {
                (Some(because), _) => Observation::Unreadable(because.clone()),
                (None, Some(properties)) => Observation::Present(properties.clone()),
                (None, None) => Observation::Absent,
            };
            (id.clone(), observed)
        })
        .collect()
    }

    fn apply_change(&mut self, change: &PlannedChange, _: &[PathBuf]) -> Result<Option<String>, HostError> {
        let title = change.change_title_line();
        if self.fails.contains(&title) {
            return Err(HostError::Other(format!("`{title}` fails on this host")));
        }
        if self.fails_unsafe.contains(&title) {
            let because = "vic can change it".to_owned();
            return Err(HostError::UnsafePath { path: title, because });
        }
        if let PlannedAction::Remove { id, .. } = &change.action
            && let Some(processes) = self.at_work.get(&id.name)
        {
            return Err(HostError::AccountInUse { user: id.name.clone(), processes: processes.clone() });
        }
        match &change.action {
            PlannedAction::InstallPackages(packages) => {
                let versions = packages.iter().map(|(name, package)| (name.clone(), package.version.clone()));
                self.packages.extend(versions);
            }
            PlannedAction::RemovePackages { names, .. } => {
                self.packages.retain(|name, _| !names.contains(name))
            }
            PlannedAction::Apply(resource) => {
                let mut properties =
                    self.resources.remove(&resource.id).unwrap_or_else(|| properties_of_new(resource));
                properties.extend(desired_resource_properties(resource));
                if matches!(resource.body, ResourceBody::Exec(_)) {
                    // It ran, so what it needed was there.
                    properties.remove(&ResourcePropertyKind::Lacks);
                }
                self.resources.insert(resource.id.clone(), properties);
            }
            PlannedAction::Remove { id, .. } => _ = self.resources.remove(id),
            PlannedAction::Restart { .. } | PlannedAction::LookAgain(_) => (),
        }
        for (id, properties) in self.along.get(&title).into_iter().flatten() {
            match properties {
                Some(properties) => _ = self.resources.insert(id.clone(), properties.clone()),
                None => _ = self.resources.remove(id),
            }
        }
        self.unsafe_paths.extend(self.unsafe_after.remove(&title));
        self.done.push(title);
        Ok(None)
    }

    fn run_health_probe(&self, probe: &HealthProbe) -> Result<(), String> {
        self.asked.borrow_mut().push(probe.clone());
        self.sick.clone().map_or(Ok(()), Err)
    }
}

/// What something new has when nothing else is stated.
fn properties_of_new(resource: &Resource) -> ResourcePropertiesByKind {
    let mode = match &resource.body {
        ResourceBody::File(_) => 0o644,
        ResourceBody::Directory(_) => 0o755,
        _ => return ResourcePropertiesByKind::new(),
    };
    [(ResourcePropertyKind::Mode, ResourcePropertyValue::Mode(mode))].into()
}
