//! Removals: what must not be there, and what punch made or installed in earlier runs and is no longer wanted.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BlockScope, BlockedSubject, DesiredHost, PlanLimits, PlannedAction, order::ComponentAndResource,
    planner::Planner, refusals,
};
use crate::{
    component::deployment_package_name,
    name::Name,
    observe::{
        Observation, ResourceCreatedByPunch, ResourcePropertiesByKind, ResourcePropertyKind,
        ResourcePropertyValue,
    },
    resource::{RemovalStage, Resource, ResourceId, ResourceKind, service},
};

impl<'a> Planner<'a> {
    /// Plans the removal of what a manifest says must not be there.
    pub(super) fn plan_absence(
        &mut self,
        (component, resource): ComponentAndResource<'_>,
        observed: &Observation<ResourcePropertiesByKind>,
    ) {
        if *observed == Observation::Absent {
            self.plan.unchanged += 1;
            return;
        }
        if let Some(because) = refusals::refused_removal_reason(&resource.id, observed) {
            return self.add_refused_resource((component, resource), because);
        }
        let action = PlannedAction::Remove { id: resource.id.clone(), must: true };
        let components = self.components_describing((component, resource));
        self.add_planned_change(action, components, Vec::new(), false);
        self.mark_notified_by_resource(resource);
    }

    /// Plans the removal of what punch made or installed and is no longer wanted.
    pub(super) fn plan_removals_of_unwanted(
        &mut self,
        wanted: &DesiredHost,
        resources: &[ComponentAndResource<'a>],
        limits: &PlanLimits,
    ) {
        let heirs: BTreeMap<String, &Resource> = resources
            .iter()
            .filter_map(|(_, resource)| Some((resource.id.occupied_path()?, *resource)))
            .collect();
        let mut gone: Vec<&'a ResourceCreatedByPunch> = Vec::new();
        let observed = self.observed;
        for managed in observed.managed.resources.iter().rev() {
            if self.wanted.contains_key(&managed.id) || self.blocked.keeps_managed_resource(managed) {
                continue;
            }
            let path = managed.id.occupied_path();
            let heir = path.as_ref().and_then(|path| heirs.get(path).copied());
            let seen = observed.resources.get(&managed.id).unwrap_or(&Observation::Absent);
            if matches!(seen, Observation::Present(_))
                && let Some(because) = refusals::refused_removal_reason(&managed.id, seen)
            {
                let what = BlockedSubject::Resource(managed.id.clone());
                let components = [managed.component.clone()].into();
                self.add_blocked_item(what, components, because, BlockScope::Components);
                continue;
            }
            match seen {
                Observation::Absent => (),
                Observation::Unreadable(because) | Observation::Unsafe(because) => {
                    let what = BlockedSubject::Resource(managed.id.clone());
                    let components = [managed.component.clone()].into();
                    let scope = self.block_scope_of_resource(&managed.id);
                    self.add_blocked_item(what, components, because.clone(), scope);
                }
                Observation::Present(properties)
                    if is_replaced_by_other_type(managed.id.kind, properties) =>
                {
                    // The resource wanted at this path reports what is in its way.
                    if heir.is_none() {
                        let note = format!("{} is left as it is: something else is there now", managed.id);
                        self.plan.notes.push(note);
                    }
                }
                Observation::Present(properties)
                    if (managed.id.kind.definition_of_kind().is_gone)(properties, observed.booted) => {}
                Observation::Present(_) => match (heir, path) {
                    // The same path under another name: it is changed in its place, and not removed.
                    (Some(heir), _) if is_folder(&heir.id) == is_folder(&managed.id) => {
                        self.inherited.insert(heir.id.clone());
                    }
                    (Some(heir), Some(path)) => {
                        self.inherited.insert(heir.id.clone());
                        self.cleared.insert(path);
                        gone.push(managed);
                    }
                    _ => gone.push(managed),
                },
            }
        }
        let packages = self.unwanted_packages(wanted);
        self.check_removal_limit(wanted, &gone, &packages, limits);
        // A stable sort: services first, folders and accounts after the packages that filled them.
        gone.sort_by_key(|managed| managed.id.kind.definition_of_kind().removal_stage);
        let late = gone
            .iter()
            .position(|managed| managed.id.kind.definition_of_kind().removal_stage > RemovalStage::Contents)
            .unwrap_or(gone.len());
        let (early, late) = gone.split_at(late);
        let unmanaged = self.unmanaged_services(&gone);
        for managed in early {
            self.remove_managed(managed, &unmanaged);
        }
        // While their packages, which may go too, are still there.
        for (service, component) in &unmanaged {
            let action = PlannedAction::Restart {
                service: service.clone(),
                reload: false,
                settle: service::DEFAULT_SETTLE_SECONDS,
            };
            self.add_planned_change(action, component.iter().cloned().collect(), Vec::new(), false);
        }
        if !packages.is_empty() {
            let components = packages.iter().map(|(_, component)| (*component).clone()).collect();
            let names = packages.iter().map(|(name, _)| (*name).to_owned()).collect();
            let changing = self.changing_packages(wanted);
            self.packages = true;
            self.add_planned_change(
                PlannedAction::RemovePackages { names, changing },
                components,
                Vec::new(),
                false,
            );
        }
        self.restore_ownership_of_directories_no_longer_described();
        for managed in late {
            match self.is_primary_group_of_staying_user(&managed.id) {
                true => self.groups_to_be_left.push(managed),
                false => self.remove_managed(managed, &unmanaged),
            }
        }
    }

    pub(super) fn remove_managed(
        &mut self,
        managed: &ResourceCreatedByPunch,
        unmanaged: &BTreeMap<ResourceId, Option<Name>>,
    ) {
        let must = managed.id.occupied_path().is_some_and(|path| self.cleared.contains(&path));
        let action = PlannedAction::Remove { id: managed.id.clone(), must };
        self.add_planned_change(action, [managed.component.clone()].into(), Vec::new(), false);
        let is_known = |id: &&ResourceId| {
            self.wanted.contains_key(id)
                || unmanaged.contains_key(id)
                || self.blocked.contains_exclusive_resource(id)
        };
        let notified = managed.notify.iter().filter(is_known);
        self.mark_resources_notified(notified.cloned().collect());
    }

    /// Running services that are no longer described and that punch must not stop, with the component
    /// whose configuration they lose: sshd must forget the port that went with its file.
    fn unmanaged_services(&self, gone: &[&ResourceCreatedByPunch]) -> BTreeMap<ResourceId, Option<Name>> {
        let observed = self.observed;
        let found =
            gone.iter().flat_map(|managed| managed.notify.iter().map(|id| (id, Some(&managed.component))));
        // Notifications that a killed run left pending.
        let owed = observed.managed.pending.iter().map(|id| (id, None));
        let running = |id: &ResourceId| service::is_service_running(observed.resources.get(id));
        owed.chain(found)
            .filter(|(id, _)| id.kind == ResourceKind::Service && observed.booted && running(id))
            .filter(|(id, _)| !self.wanted.contains_key(id) && !self.blocked.contains_exclusive_resource(id))
            .filter(|(id, _)| !gone.iter().any(|managed| managed.id == **id))
            .map(|(id, component)| (id.clone(), component.cloned()))
            .collect()
    }

    /// Refuses a plan that takes away more than was allowed: a component that leaves counts once, however many
    /// packages and resources it has, and so does each resource that a component which stays gives up.
    fn check_removal_limit(
        &mut self,
        wanted: &DesiredHost,
        gone: &[&ResourceCreatedByPunch],
        packages: &[(&str, &Name)],
        limits: &PlanLimits,
    ) {
        let stays: BTreeSet<&Name> = wanted.components.iter().map(|component| &component.name).collect();
        let owners = gone.iter().map(|managed| &managed.component);
        let owners: BTreeSet<&Name> =
            owners.chain(packages.iter().map(|(_, component)| *component)).collect();
        let leaving = owners.difference(&stays);
        let given_up = gone.iter().filter(|managed| stays.contains(&managed.component));
        let mut names: Vec<String> = leaving.map(|component| format!("component {component}")).collect();
        names.extend(given_up.map(|managed| managed.id.to_string()));
        let count = names.len();
        if count > limits.max_removals {
            let because = format!(
                "{count} {} would be removed, at most {} may be: {}. If that is meant, run again with `--max-removals {count}`",
                if count == 1 { "thing" } else { "things" },
                limits.max_removals,
                names.join(", ")
            );
            let components = owners.into_iter().cloned().collect();
            self.add_blocked_item(BlockedSubject::Removals, components, because, BlockScope::Run);
        }
    }

    fn unwanted_packages(&mut self, wanted: &DesiredHost) -> Vec<(&'a str, &'a Name)> {
        let keep: BTreeSet<String> = wanted
            .components
            .iter()
            .flat_map(|component| [component.name.to_string(), deployment_package_name(&component.name)])
            .collect();
        let mut unwanted = Vec::new();
        let observed = self.observed;
        for (name, component) in observed.managed.packages.iter().filter(|(name, _)| !keep.contains(*name)) {
            if self.blocked.contains_component(component) {
                continue;
            }
            match observed.packages.get(name).unwrap_or(&Observation::Absent) {
                Observation::Absent => (),
                Observation::Present(_) => unwanted.push((name.as_str(), component)),
                Observation::Unreadable(because) | Observation::Unsafe(because) => self.add_blocked_item(
                    BlockedSubject::Package(name.clone()),
                    [component.clone()].into(),
                    because.clone(),
                    BlockScope::Run,
                ),
            }
        }
        unwanted
    }

    /// Installed payloads that this plan replaces by another version.
    fn changing_packages(&self, wanted: &DesiredHost) -> BTreeSet<String> {
        let changing = self.blocked.unblocked_components(wanted).filter(|component| {
            matches!(self.observed.packages.get(component.name.as_str()),
                Some(Observation::Present(version)) if *version != component.version)
        });
        changing.map(|component| component.name.to_string()).collect()
    }
}

fn is_folder(id: &ResourceId) -> bool {
    id.kind == ResourceKind::Directory
}

/// Whether something of another type now lies where punch made something.
fn is_replaced_by_other_type(kind: ResourceKind, properties: &ResourcePropertiesByKind) -> bool {
    let made = kind.definition_of_kind().file_type;
    made.is_some_and(|made| {
        properties
            .get(&ResourcePropertyKind::Type)
            .is_some_and(|observed| *observed != ResourcePropertyValue::Type(made))
    })
}
