//! What a blocked or failed component keeps from being changed: itself, and what depends on it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BlockScope, BlockedItem, BlockedSubject, DesiredComponentWithResources, DesiredHost, Plan, PlannedAction,
    PlannedChange,
};
use crate::{
    component::Component,
    name::Name,
    observe::{ManagedState, Observation, ObservedHost, ResourceCreatedByPunch},
    resource::{Resource, ResourceId},
};

/// The components a plan leaves as they are, and what they and no other component describe.
#[derive(Debug, Default)]
pub(crate) struct BlockedComponents<'a> {
    names: BTreeSet<Name>,
    /// Their resources, with the component.
    resources: BTreeMap<&'a ResourceId, (&'a Name, &'a Resource)>,
    /// Where those lie.
    paths: BTreeSet<String>,
}

impl<'a> BlockedComponents<'a> {
    pub(super) fn new(wanted: &'a DesiredHost, names: &BTreeSet<Name>) -> Self {
        let (blocked, others): (Vec<_>, Vec<_>) =
            wanted.components.iter().partition(|component| names.contains(&component.name));
        let of_others: BTreeSet<&ResourceId> =
            others.iter().flat_map(|component| &component.resources).map(|resource| &resource.id).collect();
        let of_blocked = blocked
            .into_iter()
            .flat_map(|component| component.resources.iter().map(|resource| (&component.name, resource)));
        let resources: BTreeMap<_, _> = of_blocked
            .filter(|(_, resource)| !of_others.contains(&resource.id))
            .map(|owned| (&owned.1.id, owned))
            .collect();
        let paths = resources.keys().filter_map(|id| id.occupied_path()).collect();
        Self { names: names.clone(), resources, paths }
    }

    pub(crate) fn contains_component(&self, name: &Name) -> bool {
        self.names.contains(name)
    }

    /// Whether only blocked components describe it.
    pub(crate) fn contains_exclusive_resource(&self, id: &ResourceId) -> bool {
        self.resources.contains_key(id)
    }

    /// Whether something punch made stays, though no other component wants it.
    pub(crate) fn keeps_managed_resource(&self, managed: &ResourceCreatedByPunch) -> bool {
        self.names.contains(&managed.component)
            || self.contains_exclusive_resource(&managed.id)
            || managed.id.occupied_path().is_some_and(|path| self.paths.contains(&path))
    }

    /// The resources that only blocked components describe.
    pub(crate) fn exclusive_resources(&self) -> impl Iterator<Item = (&'a Name, &'a Resource)> {
        self.resources.values().copied()
    }

    /// The components that are not blocked, in their order.
    pub(crate) fn unblocked_components<'w>(
        &self,
        wanted: &'w DesiredHost,
    ) -> impl Iterator<Item = &'w DesiredComponentWithResources> {
        wanted.components.iter().filter(|component| !self.names.contains(&component.name))
    }
}

/// Plans with `plan_unblocked`, which leaves the components it is given as they are. First that is none;
/// whenever a plan blocks components, it is made again without them and without those that depend on them.
pub(super) fn plan_around_blocked_components(
    wanted: &DesiredHost,
    observed: &ObservedHost,
    plan_unblocked: impl Fn(&BTreeSet<Name>) -> Plan,
) -> Plan {
    let mut names = BTreeSet::new();
    let mut blocked: Vec<BlockedItem> = Vec::new();
    loop {
        let mut plan = plan_unblocked(&names);
        if blocked.is_empty() && plan.blocks_run() {
            return plan;
        }
        // What is blocked only now lacks something that a blocked component would have brought.
        for item in &mut plan.blocked {
            item.scope = BlockScope::Components;
        }
        let new: BTreeSet<Name> = plan.blocked.iter().flat_map(|item| &item.components).cloned().collect();
        blocked.append(&mut plan.blocked);
        if new.is_subset(&names) {
            plan.blocked = blocked;
            return plan;
        }
        names.extend(new);
        for (name, because) in find_dependents_of_components(wanted, observed, &observed.installed, &names) {
            blocked.push(BlockedItem {
                what: BlockedSubject::Component(name.clone()),
                components: [name.clone()].into(),
                because,
                scope: BlockScope::Components,
            });
            names.insert(name);
        }
    }
}

/// The components that cannot be changed while those of `blocked` stay as they are, and why: those that
/// require them, those with a resource that needs one of theirs, and those that a blocked component, as it
/// is `installed`, needs in another version.
pub fn find_dependents_of_components(
    wanted: &DesiredHost,
    observed: &ObservedHost,
    installed: &BTreeMap<Name, Component>,
    blocked: &BTreeSet<Name>,
) -> BTreeMap<Name, String> {
    let describers = components_by_resource(wanted);
    let leaving: BTreeSet<&Name> = observed
        .managed
        .packages
        .values()
        .filter(|name| wanted.components.iter().all(|component| component.name != **name))
        .collect();
    let mut all = blocked.clone();
    let mut dependents = BTreeMap::new();
    loop {
        let needed_as_installed = |name: &Name, version: Option<&crate::version::Version>| {
            all.iter().find_map(|other| {
                let other = installed.get(other)?;
                let range = other.requires.get(name)?;
                let stays = !version.is_some_and(|version| range.contains_version(version));
                stays.then(|| {
                    let described = &other.name;
                    format!(
                        "component `{described}`, which stays at {}, needs it in a version {range}",
                        other.version
                    )
                })
            })
        };
        let of_wanted =
            wanted.components.iter().filter(|component| !all.contains(&component.name)).filter_map(
                |component| {
                    let because = reason_of_requirement(component, observed, &describers, &all)
                        .or_else(|| needed_as_installed(&component.name, Some(&component.version)))?;
                    Some((component.name.clone(), because))
                },
            );
        let of_leaving = leaving
            .iter()
            .filter(|name| !all.contains(**name))
            .filter_map(|name| Some(((*name).clone(), needed_as_installed(name, None)?)));
        let new: BTreeMap<Name, String> = of_wanted.chain(of_leaving).collect();
        if new.is_empty() {
            return dependents;
        }
        all.extend(new.keys().cloned());
        dependents.extend(new);
    }
}

/// Why a component needs one of `blocked`, if it does.
fn reason_of_requirement(
    component: &DesiredComponentWithResources,
    observed: &ObservedHost,
    describers: &BTreeMap<&ResourceId, BTreeSet<&Name>>,
    blocked: &BTreeSet<Name>,
) -> Option<String> {
    if let Some(required) = component.requires.iter().find(|name| blocked.contains(*name)) {
        return Some(format!("it requires component `{required}`, which stays as it is"));
    }
    component.resources.iter().filter(|resource| resource.present).find_map(|resource| {
        let implied = resource.body.as_desired_resource().implied_requirements(&resource.id.name);
        // What a resource needs without saying so only has to be there.
        let absent = |id: &ResourceId| !matches!(observed.resources.get(id), Some(Observation::Present(_)));
        let implied = implied.into_iter().chain(resource.required_accounts()).filter(absent);
        let needed = resource.require.iter().cloned().chain(implied);
        needed.into_iter().find_map(|id| {
            let owners = describers.get(&id)?;
            let owner = owners.first().filter(|_| owners.iter().all(|owner| blocked.contains(*owner)))?;
            Some(format!("its {} needs {id} of component `{owner}`, which stays as it is", resource.id))
        })
    })
}

/// The components that describe each resource.
pub(crate) fn components_by_resource(wanted: &DesiredHost) -> BTreeMap<&ResourceId, BTreeSet<&Name>> {
    let mut describers: BTreeMap<&ResourceId, BTreeSet<&Name>> = BTreeMap::new();
    for component in &wanted.components {
        for resource in &component.resources {
            describers.entry(&resource.id).or_default().insert(&component.name);
        }
    }
    describers
}

impl DesiredHost {
    /// The components that describe this resource.
    pub fn components_describing(&self, id: &ResourceId) -> BTreeSet<Name> {
        let describes = |component: &&DesiredComponentWithResources| {
            component.resources.iter().any(|resource| resource.id == *id)
        };
        self.components.iter().filter(describes).map(|component| component.name.clone()).collect()
    }
}

impl PlannedChange {
    /// The part of this change that is not for the components `out`, and the part that is only for them.
    pub fn split_off_components(
        &self,
        out: &BTreeSet<Name>,
        wanted: &DesiredHost,
        managed: &ManagedState,
    ) -> (Option<PlannedChange>, Option<PlannedChange>) {
        let only_of_out = |id: &ResourceId, component: &Name| {
            let describers = wanted.components_describing(id);
            if describers.is_empty() { out.contains(component) } else { describers.is_subset(out) }
        };
        match &self.action {
            PlannedAction::InstallPackages(packages) => self.split_by(|of_out| {
                let differences = packages.values().zip(&self.differences);
                let chosen = |component: &Name| out.contains(component) == of_out;
                let differences =
                    differences.filter(|(package, _)| chosen(&package.component)).map(|(_, it)| it.clone());
                let packages = packages.iter().filter(|(_, package)| chosen(&package.component));
                let packages: BTreeMap<_, _> =
                    packages.map(|(name, package)| (name.clone(), package.clone())).collect();
                let components = packages.values().map(|package| package.component.clone()).collect();
                (PlannedAction::InstallPackages(packages), components, differences.collect())
            }),
            PlannedAction::RemovePackages { names, changing } => self.split_by(|of_out| {
                let owned = names.iter().filter_map(|name| Some((name, managed.packages.get(name)?)));
                let chosen: Vec<_> =
                    owned.filter(|(_, component)| out.contains(*component) == of_out).collect();
                let names = chosen.iter().map(|(name, _)| (*name).clone()).collect();
                let components = chosen.into_iter().map(|(_, component)| component.clone()).collect();
                (PlannedAction::RemovePackages { names, changing: changing.clone() }, components, Vec::new())
            }),
            PlannedAction::LookAgain(resources) => self.split_by(|of_out| {
                let resources: Vec<_> = resources
                    .iter()
                    .filter(|(component, resource)| only_of_out(&resource.id, component) == of_out)
                    .cloned()
                    .collect();
                let components = resources.iter().map(|(component, _)| component.clone()).collect();
                (PlannedAction::LookAgain(resources), components, Vec::new())
            }),
            PlannedAction::Apply(_) | PlannedAction::Remove { .. } | PlannedAction::Restart { .. } => {
                let is_out = match (self.changed_or_restarted_resource(), self.components.first()) {
                    (Some(id), Some(component)) => only_of_out(id, component),
                    _ => false,
                };
                if is_out { (None, Some(self.clone())) } else { (Some(self.clone()), None) }
            }
        }
    }

    /// The change with what `part` says is not for some components, and with what is.
    fn split_by(
        &self,
        part: impl Fn(bool) -> (PlannedAction, BTreeSet<Name>, Vec<super::ResourcePropertyDifference>),
    ) -> (Option<PlannedChange>, Option<PlannedChange>) {
        let change = |of_out| {
            let (action, components, differences) = part(of_out);
            let is_for_any = !components.is_empty();
            is_for_any.then(|| PlannedChange { action, components, differences, ..self.clone() })
        };
        (change(false), change(true))
    }
}
