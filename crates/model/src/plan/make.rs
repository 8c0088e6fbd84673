//! Making the plan: pure and total; nothing is decided after it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Blocked, Change, Difference, Limits, Plan, Wanted, compare,
    order::{self, Owned},
};
use crate::{
    component::deployment_package,
    name::Name,
    observe::{Fact, Facts, Observed, Seen},
    resource::{Body, Resource, ResourceId, ResourceKind, Service},
    version::Version,
};

/// Plans the smallest list of changes that makes the host `seen` what is `wanted`.
///
/// The order of changes: deployment packages; removals (services stop, resources go in reverse order, then
/// packages, then folders and accounts); users, groups and packages of the system; payload packages; all
/// other resources; restarts, once for each service. Health checks come after all of them.
pub fn plan(wanted: &Wanted, seen: &Observed, limits: &Limits) -> Plan {
    let mut maker =
        Maker { seen, plan: Plan::default(), notified: BTreeMap::new(), started: BTreeSet::new() };
    let resources: Vec<Owned<'_>> = wanted
        .components
        .iter()
        .flat_map(|component| component.resources.iter().map(move |resource| (&component.name, resource)))
        .collect();
    let resources = maker.each_once(resources);
    let sorted = match order::sort(&resources) {
        Ok(sorted) => sorted,
        Err(cycle) => {
            maker.block_cycle(&cycle);
            return maker.plan;
        }
    };
    let early = order::before_payloads(&sorted);

    maker.install(wanted, deployment_package);
    maker.removals(wanted, &sorted, limits);
    for owned in sorted.iter().filter(|(_, resource)| early.contains(&resource.id)) {
        maker.resource(*owned);
    }
    let changed = maker.install(wanted, Name::to_string);
    maker.payloads_changed(&changed, &sorted);
    for owned in sorted.iter().filter(|(_, resource)| !early.contains(&resource.id)) {
        maker.resource_after_payload(*owned, &changed);
    }
    maker.restarts(&sorted);
    maker.health(wanted);
    maker.plan
}

struct Maker<'a> {
    seen: &'a Observed,
    plan: Plan,
    /// Services and commands whose turn comes because something they depend on changed; whether a
    /// reload will not do.
    notified: BTreeMap<ResourceId, bool>,
    /// Services this plan starts: they need no restart.
    started: BTreeSet<ResourceId>,
}

impl<'a> Maker<'a> {
    /// One resource has one description, also when several components speak of it. Two components may
    /// well need the same package of the system: the first of two equal descriptions counts.
    fn each_once<'r>(&mut self, resources: Vec<Owned<'r>>) -> Vec<Owned<'r>> {
        let mut first: BTreeMap<&ResourceId, Owned<'r>> = BTreeMap::new();
        let mut once = Vec::with_capacity(resources.len());
        for owned in resources {
            let Some(other) = first.get(&owned.1.id) else {
                first.insert(&owned.1.id, owned);
                once.push(owned);
                continue;
            };
            if other.1.body != owned.1.body || other.1.present != owned.1.present {
                let because = format!(
                    "components `{}` and `{}` want it differently; let one of them describe it",
                    other.0, owned.0
                );
                self.block(owned.1.id.to_string(), because);
            }
        }
        once
    }

    fn block(&mut self, what: String, because: String) {
        self.plan.blocked.push(Blocked { what, because });
    }

    fn block_cycle(&mut self, cycle: &[ResourceId]) {
        let names: Vec<String> = cycle.iter().chain(cycle.first()).map(ResourceId::to_string).collect();
        let because = format!(
            "they wait for each other: {}; take one `require` or `notify` out",
            names.join(" after ")
        );
        self.block(cycle.first().map_or_else(String::new, ResourceId::to_string), because);
    }

    /// Installs the packages that `package` names, where the installed version is not the wanted one.
    /// Returns the components for which it does.
    fn install(&mut self, wanted: &Wanted, package: impl Fn(&Name) -> String) -> Vec<Name> {
        let mut versions: BTreeMap<String, Version> = BTreeMap::new();
        let mut differences = Vec::new();
        let mut changed = Vec::new();
        for component in &wanted.components {
            let name = package(&component.name);
            let before = match self.seen.packages.get(&name).unwrap_or(&Seen::Absent) {
                Seen::Present(version) if version == &component.version => {
                    self.plan.unchanged += 1;
                    continue;
                }
                Seen::Unreadable(because) => {
                    self.block(format!("package {name}"), because.clone());
                    continue;
                }
                Seen::Absent => None,
                Seen::Present(version) => Some(Fact::Text(version.to_string())),
            };
            let after = Some(Fact::Text(component.version.to_string()));
            differences.push(Difference { fact: "version", before, after, secret: false });
            versions.insert(name, component.version.clone());
            changed.push(component.name.clone());
        }
        if !versions.is_empty() {
            // Differences go by package, as the transaction's map does.
            let mut pairs: Vec<(Name, Difference)> = changed.iter().cloned().zip(differences).collect();
            pairs.sort_by_cached_key(|(name, _)| package(name));
            let component = changed.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
            let differences = pairs.into_iter().map(|(_, difference)| difference).collect();
            self.push(Action::InstallPackages(versions), component, differences, false);
        }
        changed
    }

    fn push(&mut self, action: Action, component: String, differences: Vec<Difference>, creates: bool) {
        self.plan.changes.push(Change { action, component, differences, creates, notifies: Vec::new() });
    }

    /// Removes what punch made or installed and nobody wants any more.
    fn removals(&mut self, wanted: &Wanted, resources: &[Owned<'_>], limits: &Limits) {
        let keep: BTreeSet<&ResourceId> = resources.iter().map(|(_, resource)| &resource.id).collect();
        let mut gone: Vec<(&ResourceId, &str)> = Vec::new();
        for managed in self.seen.managed.resources.iter().rev() {
            if keep.contains(&managed.id) {
                continue;
            }
            match self.seen.resources.get(&managed.id).unwrap_or(&Seen::Absent) {
                Seen::Absent => (),
                Seen::Unreadable(because) => self.block(managed.id.to_string(), because.clone()),
                Seen::Present(facts) if replaced(managed.id.kind, facts) => self
                    .plan
                    .notes
                    .push(format!("{} is left as it is: something else is there now", managed.id)),
                Seen::Present(facts) if idle(managed.id.kind, facts, self.seen.booted) => (),
                Seen::Present(_) => gone.push((&managed.id, &managed.component)),
            }
        }
        let packages = self.unwanted_packages(wanted);
        let count = gone.len() + packages.len();
        if count > limits.max_removals {
            let names = gone.iter().map(|(id, _)| id.to_string());
            let names = names.chain(packages.iter().map(|(name, _)| format!("package {name}")));
            let because = format!(
                "{count} things would be removed, at most {} may be: {}. If that is meant, run again with `--max-removals {count}`",
                limits.max_removals,
                names.collect::<Vec<_>>().join(", ")
            );
            self.block("removals".to_owned(), because);
        }
        // A stable sort: services first, folders and accounts after the packages that filled them.
        gone.sort_by_key(|(id, _)| stage(id.kind));
        let late = gone.iter().position(|(id, _)| stage(id.kind) > 1).unwrap_or(gone.len());
        let (early, late) = gone.split_at(late);
        for (id, component) in early {
            self.push(Action::Remove((*id).clone()), (*component).to_owned(), Vec::new(), false);
        }
        if !packages.is_empty() {
            let component = packages.iter().map(|(_, component)| *component).collect::<BTreeSet<_>>();
            let component = component.into_iter().collect::<Vec<_>>().join(", ");
            let names = packages.iter().map(|(name, _)| (*name).to_owned()).collect();
            self.push(Action::RemovePackages(names), component, Vec::new(), false);
        }
        for (id, component) in late {
            self.push(Action::Remove((*id).clone()), (*component).to_owned(), Vec::new(), false);
        }
    }

    fn unwanted_packages(&mut self, wanted: &Wanted) -> Vec<(&'a str, &'a str)> {
        let keep: BTreeSet<String> = wanted
            .components
            .iter()
            .flat_map(|component| [component.name.to_string(), deployment_package(&component.name)])
            .collect();
        let mut unwanted = Vec::new();
        let seen = self.seen;
        for (name, component) in seen.managed.packages.iter().filter(|(name, _)| !keep.contains(*name)) {
            match seen.packages.get(name).unwrap_or(&Seen::Absent) {
                Seen::Absent => (),
                Seen::Present(_) => unwanted.push((name.as_str(), component.as_str())),
                Seen::Unreadable(because) => self
                    .plan
                    .blocked
                    .push(Blocked { what: format!("package {name}"), because: because.clone() }),
            }
        }
        unwanted
    }

    /// Services of components whose payload changed run the old program until they are restarted, and
    /// commands' guards may answer differently.
    fn payloads_changed(&mut self, changed: &[Name], resources: &[Owned<'_>]) {
        let mut notifies = Vec::new();
        for (component, resource) in resources {
            if resource.id.kind == ResourceKind::Service && changed.contains(component) {
                self.notified.insert(resource.id.clone(), true);
                notifies.push(resource.id.clone());
            }
        }
        if let Some(change) = self.plan.changes.last_mut().filter(|_| !changed.is_empty()) {
            change.notifies = notifies;
        }
    }

    fn resource(&mut self, owned: Owned<'_>) {
        self.resource_after_payload(owned, &[]);
    }

    fn resource_after_payload(&mut self, (component, resource): Owned<'_>, changed: &[Name]) {
        let missing = (!changed.contains(component)).then(|| self.missing_unit(resource)).flatten();
        if let Some(note) = self.impossible(resource).or(missing) {
            self.plan.notes.push(note);
            return;
        }
        let seen = self.seen.resources.get(&resource.id).unwrap_or(&Seen::Absent);
        if let Seen::Unreadable(because) = seen {
            return self.block(resource.id.to_string(), because.clone());
        }
        if !resource.present {
            match seen {
                Seen::Present(_) => {
                    self.push(Action::Remove(resource.id.clone()), component.to_string(), Vec::new(), false);
                    self.notify(resource);
                }
                _ => self.plan.unchanged += 1,
            }
            return;
        }
        if let Some(because) = in_the_way(resource, seen) {
            return self.block(resource.id.to_string(), because);
        }
        let mut differences = compare::differences(resource, seen, self.seen);
        if let Body::Exec(exec) = &resource.body {
            let notified =
                self.notified.contains_key(&resource.id) || self.seen.managed.pending.contains(&resource.id);
            let again = notified || (changed.contains(component) && !exec.refresh_only);
            if again && differences.is_empty() {
                differences.push(Difference {
                    fact: "due",
                    before: Some(Fact::Text(
                        if notified { "notified" } else { "unless its guard says no" }.into(),
                    )),
                    after: None,
                    secret: false,
                });
            }
        }
        let absent = *seen == Seen::Absent && !matches!(resource.body, Body::Exec(_));
        // A group nobody describes closer has no fact that differs, and still has to be made.
        let must_be_made = absent && !matches!(resource.body, Body::Service(_));
        if differences.is_empty() && !must_be_made {
            self.plan.unchanged += 1;
            return;
        }
        let creates = match &resource.body {
            Body::Service(_) => at_rest(seen),
            _ => absent,
        };
        if let Body::Service(Service { running: Some(true), .. }) = resource.body
            && differences.iter().any(|difference| difference.fact == "running")
        {
            self.started.insert(resource.id.clone());
        }
        let action = Action::Apply(Box::new(resource.clone()));
        self.push(action, component.to_string(), differences, creates);
        self.notify(resource);
    }

    /// Marks what the change just planned notifies.
    fn notify(&mut self, resource: &Resource) {
        for id in &resource.notify {
            self.notified.entry(id.clone()).or_insert(false);
        }
        if let Some(change) = self.plan.changes.last_mut() {
            change.notifies = resource.notify.clone();
        }
    }

    /// A folder without a system has only the units our packages bring; one of the operating system's own
    /// packages will never come.
    fn missing_unit(&self, resource: &Resource) -> Option<String> {
        let wished = matches!(&resource.body, Body::Service(service) if *service != Service::default());
        let absent = matches!(self.seen.resources.get(&resource.id), None | Some(Seen::Absent));
        let system = self.seen.family.is_some() || self.seen.booted;
        (wished && absent && !system).then(|| {
            format!("{} is not enabled: there is no such unit, and no system under this root", resource.id)
        })
    }

    /// What cannot be done on this host at all, as a note.
    fn impossible(&self, resource: &Resource) -> Option<String> {
        match &resource.body {
            Body::Exec(_) if !self.seen.runs_commands => {
                Some(format!("{} is not run: there is no system under this root", resource.id))
            }
            Body::Package { .. } if self.seen.family.is_none() => {
                Some(format!("{} is not looked at: there is no system under this root", resource.id))
            }
            Body::Service(Service { enabled: None, running: Some(_), .. }) if !self.seen.booted => {
                Some(format!("{} is not started: systemd does not run here", resource.id))
            }
            _ => None,
        }
    }

    /// One restart for each notified service that runs and was not just started.
    fn restarts(&mut self, resources: &[Owned<'_>]) {
        if !self.seen.booted {
            return;
        }
        // Debian's packages start their services as they are installed: before the files of this plan.
        let installs = self.plan.changes.iter().any(|change| {
            matches!(&change.action, Action::Apply(resource) if matches!(resource.body, Body::Package { .. }))
        });
        let pending: Vec<ResourceId> = self.seen.managed.pending.iter().cloned().collect();
        for id in pending {
            self.notified.entry(id).or_insert(true);
        }
        for (component, resource) in resources {
            let Body::Service(service) = &resource.body else { continue };
            let Some(restart) = self.notified.get(&resource.id) else { continue };
            let (runs, unit) = match self.seen.resources.get(&resource.id) {
                Some(Seen::Present(facts)) => (facts.get("running") == Some(&Fact::Flag(true)), true),
                _ => (false, false),
            };
            let comes_started = installs && !unit && service.running == Some(true);
            let just_started = self.started.contains(&resource.id) || !runs;
            if (just_started && !comes_started) || service.running == Some(false) {
                continue;
            }
            let action = Action::Restart { service: resource.id.clone(), reload: service.reload && !restart };
            self.push(action, component.to_string(), Vec::new(), false);
        }
    }

    fn health(&mut self, wanted: &Wanted) {
        let checks = wanted.components.iter().flat_map(|component| {
            component.health.iter().map(|check| (component.name.clone(), check.clone()))
        });
        if self.seen.booted {
            self.plan.health.extend(checks);
        } else {
            let count = checks.count();
            if count > 0 {
                self.plan.notes.push(format!("{count} health checks are not run: systemd does not run here"));
            }
        }
    }
}

/// When a kind is removed: 0 services, 1 what lies in folders, (packages), 2 folders, 3 users, 4 groups.
fn stage(kind: ResourceKind) -> u8 {
    match kind {
        ResourceKind::Service => 0,
        ResourceKind::Directory => 2,
        ResourceKind::User => 3,
        ResourceKind::Group => 4,
        ResourceKind::Package => 5,
        _ => 1,
    }
}

/// A service that neither runs nor starts at boot.
fn at_rest(seen: &Seen<Facts>) -> bool {
    match seen {
        Seen::Present(facts) => {
            ["enabled", "running"].iter().all(|fact| facts.get(fact) != Some(&Fact::Flag(true)))
        }
        _ => true,
    }
}

/// A managed service that is stopped and disabled already needs no removal; a command leaves nothing.
fn idle(kind: ResourceKind, facts: &Facts, booted: bool) -> bool {
    match kind {
        ResourceKind::Service => {
            facts.get("enabled") != Some(&Fact::Flag(true))
                && !(booted && facts.get("running") == Some(&Fact::Flag(true)))
        }
        ResourceKind::Exec => true,
        _ => false,
    }
}

/// Whether something of another type now lies where punch made something.
fn replaced(kind: ResourceKind, facts: &Facts) -> bool {
    let made = match kind {
        ResourceKind::File => "file",
        ResourceKind::Directory => "directory",
        ResourceKind::Symlink => "symlink",
        _ => return false,
    };
    facts.get("type").is_some_and(|seen| seen != &Fact::Text(made.to_owned()))
}

/// Files and links replace each other; a folder is never replaced, nor made over something else.
fn in_the_way(resource: &Resource, seen: &Seen<Facts>) -> Option<String> {
    let Seen::Present(facts) = seen else { return None };
    let Some(Fact::Text(seen)) = facts.get("type") else { return None };
    let wants_folder = matches!(resource.body, Body::Directory(_));
    let other = match &resource.body {
        Body::File(_) | Body::Symlink(_) => seen != "file" && seen != "symlink",
        Body::Directory(_) => seen != "directory",
        _ => false,
    };
    other.then(|| {
        let wanted = if wants_folder { "directory" } else { resource.id.kind.word() };
        format!("a {seen} is there where a {wanted} must be; move it away, punch does not replace it")
    })
}
