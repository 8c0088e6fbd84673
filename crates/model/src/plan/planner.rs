//! Making the plan: pure and total; nothing is decided after it.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    BlockScope, BlockedItem, BlockedSubject, DesiredComponentWithResources, DesiredHost, FoldersOfUsers,
    PackageToInstall, Plan, PlanLimits, PlannedAction, PlannedChange, ResourcePropertyDifference,
    blocked_components::{BlockedComponents, components_by_resource, plan_around_blocked_components},
    compare,
    merge_duplicates::merge_or_block_duplicate_resources,
    order::{self, ComponentAndResource},
    refusals,
};
use crate::{
    component::deployment_package_name,
    name::Name,
    observe::{
        FileType, Observation, ObservedHost, ResourceCreatedByPunch, ResourcePropertiesByKind,
        ResourcePropertyKind, ResourcePropertyValue, payload_drift_lines,
    },
    resource::{Resource, ResourceBody, ResourceId, ServiceResourceBody, service},
};

/// Plans the smallest list of changes that makes the host `observed` what is `wanted`.
///
/// The order of changes: deployment packages; removals (services stop, resources go in reverse order, then
/// packages, then folders and accounts); users, groups and packages of the system; payload packages; a
/// second look at what those packages may have touched; all other resources; restarts, once for each
/// service. Health checks come after all of them.
///
/// What blocks only components leaves them, and those that depend on them, as they are.
pub fn plan_host_changes(wanted: &DesiredHost, observed: &ObservedHost, limits: &PlanLimits) -> Plan {
    plan_around_blocked_components(wanted, observed, |blocked| {
        plan_unblocked_components(wanted, observed, limits, blocked)
    })
}

/// Plans all but the components `blocked`, which stay as they are.
fn plan_unblocked_components(
    wanted: &DesiredHost,
    observed: &ObservedHost,
    limits: &PlanLimits,
    blocked: &BTreeSet<Name>,
) -> Plan {
    let left = BlockedComponents::new(wanted, blocked);
    let (once, blocked) = merge_or_block_duplicate_resources(left.unblocked_components(wanted));
    let resources: Vec<ComponentAndResource<'_>> =
        once.iter().map(|(component, resource)| (*component, resource.as_ref())).collect();
    let mut planner = Planner::new(observed, &resources, left);
    planner.describers = components_by_resource(wanted);
    planner.plan.blocked = blocked;
    let sorted = match order::sort_resources_by_requirements(&resources) {
        Ok(sorted) => sorted,
        Err(cycle) => {
            planner.block_cycle(&cycle, &resources);
            return planner.plan;
        }
    };
    let early = order::resources_needed_before_payloads(&sorted);

    planner.install_packages(wanted, deployment_package_name);
    planner.plan_removals_of_unwanted(wanted, &sorted, limits);
    for owned in sorted.iter().filter(|(_, resource)| early.contains(&resource.id)) {
        planner.plan_resource(*owned, &[]);
        planner.remember_for_recheck(*owned);
    }
    planner.remove_groups_that_users_left();
    let changed = planner.install_packages(wanted, Name::to_string);
    planner.mark_services_of_changed_payloads_notified(&changed, &sorted);
    planner.packages |= !changed.is_empty();
    planner.brings |= !changed.is_empty();
    let after_packages = planner.plan.changes.len();
    for owned in sorted.iter().filter(|(_, resource)| !early.contains(&resource.id)) {
        let before = planner.plan.unchanged;
        planner.plan_resource(*owned, &changed);
        // What is changed after the packages needs no second look.
        if planner.plan.unchanged > before && planner.packages_change() {
            planner.remember_for_recheck(*owned);
        }
    }
    planner.insert_recheck(after_packages);
    planner.plan_restarts_of_notified_services(&sorted);
    planner.plan_health_checks(wanted);
    planner.note_owners_that_cannot_be_given(wanted);
    planner.plan.notes.extend(observed.unit_overrides.iter().cloned());
    planner.plan
}

pub(crate) struct Planner<'a> {
    pub(crate) observed: &'a ObservedHost,
    pub(crate) plan: Plan,
    /// The components that stay as they are: nothing is planned for them.
    pub(crate) blocked: BlockedComponents<'a>,
    /// The components that describe each resource; empty where only the first is known.
    describers: BTreeMap<&'a ResourceId, BTreeSet<&'a Name>>,
    /// Looked for when something is blocked.
    folders_of_users: OnceCell<FoldersOfUsers>,
    /// All that is wanted of the other components, absence included.
    pub(crate) wanted: BTreeMap<&'a ResourceId, &'a Resource>,
    /// What punch made in earlier runs.
    pub(crate) made: BTreeSet<&'a ResourceId>,
    /// What takes the place of something punch made under another name: it is punch's own, too.
    pub(crate) inherited: BTreeSet<ResourceId>,
    /// Paths this plan empties for something else.
    pub(crate) cleared: BTreeSet<String>,
    /// Services and commands whose turn comes because something they depend on changed; whether a
    /// reload will not do.
    pub(crate) notified: BTreeMap<ResourceId, bool>,
    /// Services this plan starts: they need no restart.
    pub(crate) started: BTreeSet<ResourceId>,
    /// Whether packages are removed or payloads installed so far.
    pub(crate) packages: bool,
    /// Whether packages of the operating system are installed so far.
    pub(crate) os_packages: bool,
    /// Whether something planned so far may create things that are not described: packages, commands.
    pub(crate) brings: bool,
    /// Groups to be removed when no user has them as primary group any more.
    pub(super) groups_to_be_left: Vec<&'a ResourceCreatedByPunch>,
    /// What was right before the packages.
    doubted: Vec<(Name, Resource)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        observed: &'a ObservedHost,
        resources: &[ComponentAndResource<'a>],
        blocked: BlockedComponents<'a>,
    ) -> Self {
        Self {
            observed,
            plan: Plan::default(),
            blocked,
            describers: BTreeMap::new(),
            folders_of_users: OnceCell::new(),
            wanted: resources.iter().map(|(_, resource)| (&resource.id, *resource)).collect(),
            made: observed.managed.resources.iter().map(|made| &made.id).collect(),
            inherited: BTreeSet::new(),
            cleared: BTreeSet::new(),
            notified: BTreeMap::new(),
            started: BTreeSet::new(),
            packages: false,
            os_packages: false,
            brings: false,
            groups_to_be_left: Vec::new(),
            doubted: Vec::new(),
        }
    }

    pub(crate) fn add_blocked_item(
        &mut self,
        what: BlockedSubject,
        components: BTreeSet<Name>,
        because: String,
        scope: BlockScope,
    ) {
        self.plan.blocked.push(BlockedItem { what, components, because, scope });
    }

    pub(crate) fn add_blocked_resource(
        &mut self,
        (component, resource): ComponentAndResource<'_>,
        because: String,
    ) {
        let what = BlockedSubject::Resource(resource.id.clone());
        let components = self.components_describing((component, resource));
        self.add_blocked_item(what, components, because, self.block_scope_of_resource(&resource.id));
    }

    /// Blocks the components of a resource that is never changed like this.
    pub(super) fn add_refused_resource(
        &mut self,
        (component, resource): ComponentAndResource<'_>,
        because: String,
    ) {
        let what = BlockedSubject::Resource(resource.id.clone());
        let components = self.components_describing((component, resource));
        self.add_blocked_item(what, components, because, BlockScope::Components);
    }

    /// All components that describe a resource: it is of more than one where equal descriptions were joined.
    pub(crate) fn components_describing(
        &self,
        (component, resource): ComponentAndResource<'_>,
    ) -> BTreeSet<Name> {
        let describers = self.describers.get(&resource.id).into_iter().flatten();
        let unblocked = describers.filter(|name| !self.blocked.contains_component(name));
        unblocked.map(|name| (*name).clone()).chain([component.clone()]).collect()
    }

    /// What is not changed when this resource is blocked: no more than its components where a user of the
    /// host can make it so.
    pub(crate) fn block_scope_of_resource(&self, id: &ResourceId) -> BlockScope {
        let folders = || FoldersOfUsers::among_resources(self.wanted.values().copied(), self.observed);
        let is_unsafe = matches!(self.observed.resources.get(id), Some(Observation::Unsafe(_)));
        if is_unsafe || self.folders_of_users.get_or_init(folders).contains_resource(id) {
            BlockScope::Components
        } else {
            BlockScope::Run
        }
    }

    fn block_cycle(&mut self, cycle: &[ResourceId], resources: &[ComponentAndResource<'_>]) {
        let Some(first) = cycle.first() else { return };
        let owned = resources.iter().filter(|(_, resource)| cycle.contains(&resource.id));
        let components = owned.map(|(component, _)| (*component).clone()).collect();
        let names: Vec<String> = cycle.iter().chain([first]).map(ResourceId::to_string).collect();
        let because = format!(
            "they wait for each other: {}; take one `require` or `notify` out",
            names.join(" after ")
        );
        let what = BlockedSubject::Resource(first.clone());
        self.add_blocked_item(what, components, because, BlockScope::Run);
    }

    /// Installs the packages that `package` names, where the installed version is not the wanted one or its files
    /// were changed.
    /// Returns the components for which it does.
    fn install_packages(&mut self, wanted: &DesiredHost, package: impl Fn(&Name) -> String) -> Vec<Name> {
        let mut packages: BTreeMap<String, PackageToInstall> = BTreeMap::new();
        let mut differences = Vec::new();
        let mut changed = Vec::new();
        let package_of = |component: &DesiredComponentWithResources| PackageToInstall {
            component: component.name.clone(),
            version: component.version.clone(),
        };
        for component in self.blocked.unblocked_components(wanted).collect::<Vec<_>>() {
            let name = package(&component.name);
            let before = match self.observed.packages.get(&name).unwrap_or(&Observation::Absent) {
                Observation::Present(version) if version == &component.version => {
                    let Some(drift) = self.observed.payload_drift.get(&name) else {
                        self.plan.unchanged += 1;
                        continue;
                    };
                    differences.push(ResourcePropertyDifference {
                        property: ResourcePropertyKind::Files,
                        before: Some(ResourcePropertyValue::Set(payload_drift_lines(drift))),
                        after: Some(ResourcePropertyValue::Text(format!("as {name} {version} brings them"))),
                        secret: false,
                    });
                    packages.insert(name, package_of(component));
                    changed.push(component.name.clone());
                    continue;
                }
                Observation::Unreadable(because) | Observation::Unsafe(because) => {
                    let components = [component.name.clone()].into();
                    let what = BlockedSubject::Package(name);
                    self.add_blocked_item(what, components, because.clone(), BlockScope::Run);
                    continue;
                }
                Observation::Absent => None,
                Observation::Present(version) => Some(ResourcePropertyValue::Text(version.to_string())),
            };
            let after = Some(ResourcePropertyValue::Text(component.version.to_string()));
            differences.push(ResourcePropertyDifference {
                property: ResourcePropertyKind::Version,
                before,
                after,
                secret: false,
            });
            packages.insert(name, package_of(component));
            changed.push(component.name.clone());
        }
        if !packages.is_empty() {
            // Differences go by package, as the transaction's map does.
            let mut pairs: Vec<(Name, ResourcePropertyDifference)> =
                changed.iter().cloned().zip(differences).collect();
            pairs.sort_by_cached_key(|(name, _)| package(name));
            let differences = pairs.into_iter().map(|(_, difference)| difference).collect();
            self.add_planned_change(
                PlannedAction::InstallPackages(packages),
                changed.iter().cloned().collect(),
                differences,
                false,
            );
        }
        changed
    }

    pub(crate) fn add_planned_change(
        &mut self,
        action: PlannedAction,
        components: BTreeSet<Name>,
        differences: Vec<ResourcePropertyDifference>,
        creates: bool,
    ) {
        self.plan.changes.push(PlannedChange {
            action,
            components,
            differences,
            creates,
            notifies: Vec::new(),
        });
    }

    pub(super) fn plan_resource(
        &mut self,
        (component, resource): ComponentAndResource<'a>,
        changed: &[Name],
    ) {
        let observed = self.observation_of(resource);
        let comes = changed.contains(component) || self.os_packages;
        if let ResourceBody::Service(service) = &resource.body
            && *observed == Observation::Absent
            && !service.is_wanted_running_or_enabled()
            && !comes
        {
            // A service that is not there is off.
            self.plan.unchanged += 1;
            return;
        }
        if let Some(note) = self.unsupported_on_host(resource) {
            self.plan.notes.push(note);
            return;
        }
        if let ResourceBody::Service(service) = &resource.body
            && !changed.contains(component)
            && service
                .unit_cannot_exist_in_bare_folder(self.observed.resources.get(&resource.id), self.observed)
        {
            self.plan.notes.push(format!(
                "{} is not enabled: there is no such unit, and no system under this root",
                resource.id
            ));
            return;
        }
        if let Observation::Unreadable(because) | Observation::Unsafe(because) = observed {
            return self.add_blocked_resource((component, resource), because.clone());
        }
        let own = self.without_owners_that_cannot_be_given(resource);
        let resource = own.as_ref();
        if let Some(because) = refusals::refused_description_reason(&resource.id) {
            return self.add_refused_resource((component, resource), because);
        }
        if let Some(because) = blocking_file_type(resource, observed) {
            return self.add_blocked_resource((component, resource), because);
        }
        if !resource.present {
            return self.plan_absence((component, resource), observed);
        }
        if let Some(because) = self.root_owned_in_user_folder_reason(resource) {
            return self.add_blocked_resource((component, resource), because);
        }
        if let ResourceBody::Exec(exec) = &resource.body {
            return self.plan_exec((component, resource), exec, observed, changed);
        }
        let completed = self.with_defaults_of_what_is_not_stated(resource, observed);
        let resource = completed.as_ref();
        let differences =
            compare::find_differences_from_desired_properties(resource, observed, self.observed);
        let absent = *observed == Observation::Absent;
        // A group without properties has no differing property, and still has to be created.
        let must_be_made = absent && resource.body.as_desired_resource().must_be_created_if_absent();
        if differences.is_empty() && !must_be_made {
            self.plan.unchanged += 1;
            return;
        }
        if let Some(because) = refusals::refused_change_reason(resource, observed, &differences) {
            return self.add_refused_resource((component, resource), because);
        }
        if let Some(because) = self.missing_owner_or_group_reason(resource) {
            return self.add_blocked_resource((component, resource), because);
        }
        let creates = match &resource.body {
            ResourceBody::Service(service) => {
                service::is_service_not_seen_active(observed) && service.is_wanted_running_or_enabled()
            }
            _ => absent || self.inherited.contains(&resource.id),
        };
        if let ResourceBody::Service(ServiceResourceBody { running: Some(true), .. }) = resource.body
            && differences.iter().any(|difference| difference.property == ResourcePropertyKind::Running)
        {
            self.started.insert(resource.id.clone());
        }
        if matches!(resource.body, ResourceBody::Package(_)) {
            (self.os_packages, self.brings) = (true, true);
        }
        let action = PlannedAction::Apply(Box::new(resource.clone()));
        let components = self.components_describing((component, resource));
        self.add_planned_change(action, components, differences, creates);
        self.mark_notified_by_resource(resource);
    }

    /// What was seen of a resource; nothing where this plan clears its path, or one above it, first.
    fn observation_of(&self, resource: &Resource) -> &'a Observation<ResourcePropertiesByKind> {
        let cleared = !self.cleared.is_empty()
            && resource.id.occupied_path().is_some_and(|path| {
                let above = path.match_indices('/').map(|(at, _)| &path[..at]);
                above.chain([path.as_str()]).any(|path| self.cleared.contains(path))
            });
        let observed = self.observed.resources.get(&resource.id).filter(|_| !cleared);
        observed.unwrap_or(&Observation::Absent)
    }

    /// Marks what the change just planned notifies.
    pub(crate) fn mark_notified_by_resource(&mut self, resource: &Resource) {
        self.mark_resources_notified(resource.notify.clone());
    }

    pub(crate) fn mark_resources_notified(&mut self, notify: Vec<ResourceId>) {
        for id in &notify {
            self.notified.entry(id.clone()).or_insert(false);
        }
        if let Some(change) = self.plan.changes.last_mut() {
            change.notifies = notify;
        }
    }

    fn packages_change(&self) -> bool {
        self.packages || self.os_packages
    }

    /// Remembers what a package may undo: it brings and takes away files without asking.
    fn remember_for_recheck(&mut self, (component, resource): ComponentAndResource<'_>) {
        if resource.id.occupied_path().is_some() {
            self.doubted.push((component.clone(), resource.clone()));
        }
    }

    /// Has what was right looked at again once the packages are as they must be.
    fn insert_recheck(&mut self, after_packages: usize) {
        let doubted = std::mem::take(&mut self.doubted);
        if doubted.is_empty() || !self.packages_change() {
            return;
        }
        let change = PlannedChange {
            components: doubted.iter().map(|(component, _)| component.clone()).collect(),
            action: PlannedAction::LookAgain(doubted),
            differences: Vec::new(),
            creates: false,
            notifies: Vec::new(),
        };
        self.plan.changes.insert(after_packages, change);
    }

    /// What cannot be done on this host at all, as a note.
    fn unsupported_on_host(&self, resource: &Resource) -> Option<String> {
        resource
            .body
            .as_desired_resource()
            .unsupported_reason(self.observed)
            .map(|why| format!("{} {why}", resource.id))
    }

    fn plan_health_checks(&mut self, wanted: &DesiredHost) {
        let checks = self.blocked.unblocked_components(wanted).flat_map(|component| {
            component.health.iter().map(|check| (component.name.clone(), check.clone()))
        });
        if self.observed.booted {
            self.plan.health.extend(checks);
        } else {
            let count = checks.count();
            if count > 0 {
                let what =
                    if count == 1 { "1 health check is" } else { &format!("{count} health checks are") };
                self.plan.notes.push(format!("{what} not run: systemd does not run here"));
            }
        }
    }
}

/// Files and links replace each other; a folder is never replaced, nor made over something else. What
/// must be absent is removed only when it is of the manifest's kind.
fn blocking_file_type(
    resource: &Resource,
    observed: &Observation<ResourcePropertiesByKind>,
) -> Option<String> {
    let wanted = resource.id.kind.definition_of_kind().file_type?;
    let Observation::Present(properties) = observed else { return None };
    let Some(ResourcePropertyValue::Type(observed)) = properties.get(&ResourcePropertyKind::Type) else {
        return None;
    };
    let replaceable = [FileType::File, FileType::Symlink];
    let other = *observed != wanted && !(replaceable.contains(observed) && replaceable.contains(&wanted));
    other.then(|| {
        if !resource.present {
            let word = resource.id.kind.manifest_keyword();
            return format!(
                "a {observed} is there, which `{word}: {}` does not remove; move it away, or name it by what it is",
                resource.id.name
            );
        }
        format!("a {observed} is there where a {wanted} must be; move it away, punch does not replace it")
    })
}
