//! Checks an estate before it is saved: every server is resolved, and every value is checked, including
//! values that are overridden everywhere and those no server uses yet.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    num::NonZero,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use foldhash::fast::FixedState;

use super::{
    Resolution, ResolutionReads, Resolver,
    evaluate::value_of_undeclared_parameter_fault,
    fault::{EstateFaultKind, EstateFinding, ResolveFaults, UnlocatedEstateFault},
    linearise::RoleLinearisations,
    reach::{ChangedResolutionInputs, ResolutionReadsIndex},
    server_evaluation::ServerReadyForEvaluation,
    unknown_names,
};
use crate::{
    catalog::Catalog,
    component::Component,
    effect::{Effect, find_effects_on_server},
    estate::{Estate, Overrides, PlaceId, RemovedInheritedItem, Server},
    fault::Severity,
    name::{Key, Name, ServerName},
    node::NodeContentDigest,
    suggest_spelling,
    value::Value,
    version::Version,
};

/// How many threads resolve the servers of one change at most.
const MAX_THREADS: usize = 4;

/// A thread is not worth it for fewer servers: what servers share each thread evaluates for itself.
const MIN_SERVERS_OF_THREAD: usize = 200;

/// Which places the servers use, and which versions they get.
#[derive(Default)]
struct PlaceUsage<'a> {
    used: BTreeSet<PlaceId>,
    chosen: BTreeMap<(PlaceId, &'a Name), BTreeSet<Version>>,
    /// What is recorded already: the address of a place's overrides, and the number of the components.
    recorded: HashSet<(usize, usize), FixedState>,
}

/// A change of an estate, checked, and what it does to servers.
#[derive(Debug, Default)]
pub struct EstateChangeCheckResult {
    /// Everything wrong or suspicious in what the change can reach, fatal findings first.
    pub findings: Vec<EstateFinding>,
    /// What it does to each server it reaches; those that leave the estate are among them.
    pub effects: BTreeMap<ServerName, Vec<Effect>>,
    /// The servers it reaches, and what their resolutions then come to; `None` for one that cannot be resolved.
    pub resolutions: BTreeMap<ServerName, Option<ResolutionDigestAndReads>>,
}

/// What a resolution comes to, without the node.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolutionDigestAndReads {
    /// The server's environment.
    pub environment: Name,
    /// The digest of the node's content.
    pub digest: NodeContentDigest,
    /// What it depends on.
    pub reads: ResolutionReads,
}

impl From<&Resolution> for ResolutionDigestAndReads {
    fn from(resolution: &Resolution) -> Self {
        let Resolution { node, digest, reads, .. } = resolution;
        Self { environment: node.environment.clone(), digest: *digest, reads: reads.clone() }
    }
}

/// Returns everything wrong or suspicious in an estate, fatal findings first.
pub fn check_estate(estate: &Estate, catalog: &Catalog) -> Vec<EstateFinding> {
    let servers: Vec<&ServerName> = estate.servers.keys().collect();
    let resolved = ResolvedServers::resolve(None, estate, catalog, &servers, &AtomicBool::new(false));
    collect_findings(estate, catalog, &resolved, None)
}

/// Checks everything that a change can reach and finds its effects. Each server it reaches is resolved once before and
/// once after it; `recorded` tells which these are.
///
/// Only faults that the change introduces are fatal. A fault that existed before is a
/// warning: it does not block unrelated changes.
pub fn check_estate_change(
    old: &Estate,
    new: &Estate,
    catalog: &Catalog,
    recorded: &ResolutionReadsIndex,
) -> EstateChangeCheckResult {
    check_estate_change_unless_cancelled(old, new, catalog, recorded, &AtomicBool::new(false))
        .unwrap_or_default()
}

/// Like [`check_estate_change`]; gives `None`, and soon, once `is_cancelled` is set.
pub fn check_estate_change_unless_cancelled(
    old: &Estate,
    new: &Estate,
    catalog: &Catalog,
    recorded: &ResolutionReadsIndex,
    is_cancelled: &AtomicBool,
) -> Option<EstateChangeCheckResult> {
    let changed = ChangedResolutionInputs::diff_estates(old, new);
    let reached = recorded.find_servers_reached_by_change(&changed, new);
    let servers: Vec<&ServerName> = reached.iter().collect();
    let resolved = ResolvedServers::resolve(Some(old), new, catalog, &servers, is_cancelled);
    if is_cancelled.load(Ordering::Relaxed) {
        return None;
    }
    let mut found = collect_findings(new, catalog, &resolved, Some(&changed.places));
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        let known: Vec<&ServerName> =
            servers.into_iter().filter(|name| old.servers.contains_key(*name)).collect();
        let before = ResolvedServers::resolve(None, old, catalog, &known, is_cancelled);
        let known: BTreeSet<String> = collect_findings(old, catalog, &before, Some(&changed.places))
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        for finding in found.iter_mut().filter(|finding| known.contains(&finding.to_string())) {
            finding.severity = Severity::Warning;
        }
        found.sort_by_key(|finding| finding.severity);
    }
    let ResolvedServers { mut effects, resolutions, .. } = resolved;
    for name in old.servers.keys().filter(|name| !new.servers.contains_key(*name)) {
        effects.insert(name.clone(), vec![Effect::Leaves]);
    }
    let is_whole = !is_cancelled.load(Ordering::Relaxed);
    is_whole.then_some(EstateChangeCheckResult { findings: found, effects, resolutions })
}

/// What a change of the catalog does to each server it reaches; `recorded` tells which these are.
pub fn find_catalog_change_effects(
    estate: &Estate,
    old: &Catalog,
    new: &Catalog,
    recorded: &ResolutionReadsIndex,
) -> BTreeMap<ServerName, Vec<Effect>> {
    let reached =
        recorded.find_servers_reached_by_change(&ChangedResolutionInputs::diff_catalogs(old, new), estate);
    let servers: Vec<&ServerName> = reached.iter().collect();
    let parts = in_parallel(&servers, |servers| {
        let (before, after) = (Resolver::new(estate, old), Resolver::new(estate, new));
        let effects = servers.iter().map(|name| {
            let (before, after) = (before.resolve_server(name), after.resolve_server(name));
            let effects = find_effects_on_server(Some(before.as_ref()), Some(after.as_ref()));
            ((*name).clone(), effects)
        });
        effects.filter(|(_, effects)| !effects.is_empty()).collect::<Vec<_>>()
    });
    parts.into_iter().flatten().collect()
}

/// What comes to light when servers are resolved. No node is kept: there may be very many.
#[derive(Default)]
struct ResolvedServers<'a> {
    uses: PlaceUsage<'a>,
    findings: Vec<EstateFinding>,
    /// Channels that are not there, although servers need components of them.
    missing_channels: BTreeSet<Name>,
    effects: BTreeMap<ServerName, Vec<Effect>>,
    resolutions: BTreeMap<ServerName, Option<ResolutionDigestAndReads>>,
}

impl<'a> ResolvedServers<'a> {
    /// Resolves servers of `new`, and finds what is different from `old`, if there is one. The result is
    /// incomplete once `is_cancelled` is set.
    fn resolve(
        old: Option<&Estate>,
        new: &'a Estate,
        catalog: &'a Catalog,
        servers: &[&ServerName],
        is_cancelled: &AtomicBool,
    ) -> ResolvedServers<'a> {
        let parts = in_parallel(servers, |servers| {
            let after = Resolver::new(new, catalog);
            let before = old.map(|old| (old, Resolver::new(old, catalog)));
            let mut part = ResolvedServers::default();
            for name in servers.iter().take_while(|_| !is_cancelled.load(Ordering::Relaxed)) {
                let after = part.uses.resolve(&after, name);
                if let Err(error) = &after {
                    part.add_faults(catalog, error);
                }
                if let Some((old, before)) = &before {
                    let before = old.servers.contains_key(*name).then(|| before.resolve_server(name));
                    let effects =
                        find_effects_on_server(before.as_ref().map(Result::as_ref), Some(after.as_ref()));
                    part.effects.insert((*name).clone(), effects);
                    part.resolutions.insert((*name).clone(), after.ok().as_ref().map(Into::into));
                }
            }
            part
        });
        let mut all = ResolvedServers::default();
        for part in parts {
            all.uses.extend(part.uses);
            all.findings.extend(part.findings);
            all.missing_channels.extend(part.missing_channels);
            all.effects.extend(part.effects);
            all.resolutions.extend(part.resolutions);
        }
        all
    }

    /// Adds why a server has no node. A channel that is not there is one fault, of the environment that names it, and not
    /// one of each line that requires a component.
    fn add_faults(&mut self, catalog: &Catalog, error: &ResolveFaults) {
        for fault in &error.faults {
            match &fault.kind {
                EstateFaultKind::UnknownComponent { channel, .. }
                    if !catalog.channels.contains_key(channel) =>
                {
                    self.missing_channels.insert(channel.clone());
                }
                _ => self.findings.push(fault.clone().into_estate_finding()),
            }
        }
    }
}

/// Does some work for servers in several threads, each for a part of them; the results are in the order of the parts.
fn in_parallel<T: Send>(servers: &[&ServerName], work: impl Fn(&[&ServerName]) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let mut parts = servers.chunks(servers.len().div_ceil(threads).max(MIN_SERVERS_OF_THREAD));
    let first = parts.next().unwrap_or_default();
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let mut results = vec![work(first)];
        results.extend(others.into_iter().map(|other| match other.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        results
    })
}

/// The findings on resolved servers, on the places that apply to them and on `places`; on all
/// places if `places` is `None`.
fn collect_findings(
    estate: &Estate,
    catalog: &Catalog,
    resolved: &ResolvedServers<'_>,
    places: Option<&BTreeSet<PlaceId>>,
) -> Vec<EstateFinding> {
    let (uses, mut findings) = (&resolved.uses, resolved.findings.clone());
    let hierarchy = RoleLinearisations::new(&estate.roles);
    let whole = |place: &PlaceId| places.is_none_or(|places| places.contains(place));
    let concerns = |place: &PlaceId| whole(place) || uses.used.contains(place);
    for (name, role) in &estate.roles {
        let place = PlaceId::Role(name.clone());
        if !concerns(&place) {
            continue;
        }
        if let Some(Err(fault)) = hierarchy.linearise_role(name) {
            findings.push(fault.into_estate_finding());
        }
        check_place(catalog, uses, &place, whole(&place), &role.overrides, &mut findings);
    }
    for (name, group) in &estate.groups {
        let place = PlaceId::Group(name.clone());
        if concerns(&place) {
            check_place(catalog, uses, &place, whole(&place), &group.overrides, &mut findings);
        }
    }
    for (name, environment) in &estate.environments {
        let place = PlaceId::Environment(name.clone());
        if concerns(&place) {
            let is_needed = resolved.missing_channels.contains(&environment.channel);
            findings.extend(unknown_names::unknown_channel_finding(
                catalog,
                &place,
                &environment.channel,
                is_needed,
            ));
            check_place(catalog, uses, &place, whole(&place), &environment.overrides, &mut findings);
        }
    }
    for (name, server) in &estate.servers {
        let place = PlaceId::Server(name.clone());
        if concerns(&place) {
            check_place(catalog, uses, &place, whole(&place), &server.overrides, &mut findings);
        }
    }
    let mut known = HashSet::new();
    findings.retain(|finding| known.insert(finding.to_string()));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

impl<'a> PlaceUsage<'a> {
    /// Resolves a server and records which places it uses, and the versions that their values then apply to.
    fn resolve(&mut self, resolver: &Resolver<'a>, name: &ServerName) -> Result<Resolution, ResolveFaults> {
        let places = match resolver.places_of(name) {
            Ok(places) => places,
            Err(faults) => {
                // Its places are checked all the same, so that all faults are reported at once.
                self.used.extend(places_named_by_server(name, &resolver.estate.servers[name]));
                return Err(faults.into());
            }
        };
        let evaluation = match resolver.server_evaluation(&places) {
            Ok(evaluation) => evaluation,
            Err(error) => {
                match places.stack_places(resolver.estate, &resolver.hierarchy) {
                    Ok(stack) => self.used.extend(stack.layers.into_iter().map(|layer| layer.place)),
                    Err(_) => self.used.extend(places_named_by_server(name, places.server)),
                }
                return Err(error);
            }
        };
        self.record(&evaluation);
        resolver.resolve_evaluation(&places, &evaluation)
    }

    fn extend(&mut self, other: Self) {
        self.used.extend(other.used);
        for (place, versions) in other.chosen {
            self.chosen.entry(place).or_default().extend(versions);
        }
    }

    fn record(&mut self, evaluation: &ServerReadyForEvaluation<'a>) {
        for layer in &evaluation.stack.layers {
            let overrides = std::ptr::from_ref(layer.overrides).addr();
            if !self.recorded.insert((overrides, evaluation.components.number)) {
                continue;
            }
            self.used.insert(layer.place.clone());
            for component in layer.overrides.values.keys() {
                let Some(found) = evaluation.components.find_chosen_component_by_name(component) else {
                    continue;
                };
                let versions = self.chosen.entry((layer.place.clone(), component)).or_default();
                versions.insert(found.published.component.version.clone());
            }
        }
    }
}

/// The places a server names itself.
fn places_named_by_server<'s>(
    name: &ServerName,
    server: &'s Server,
) -> impl Iterator<Item = PlaceId> + use<'s> {
    let own = [PlaceId::Server(name.clone()), PlaceId::Environment(server.environment.clone())];
    let groups = server.groups.iter().cloned().map(PlaceId::Group);
    own.into_iter().chain(groups).chain(server.roles.iter().cloned().map(PlaceId::Role))
}

/// Checks the overrides of one place against the versions they can apply to. Unless `whole`, only
/// those are checked that apply to the resolved servers.
fn check_place(
    catalog: &Catalog,
    uses: &PlaceUsage<'_>,
    place: &PlaceId,
    whole: bool,
    overrides: &Overrides,
    findings: &mut Vec<EstateFinding>,
) {
    let severity = if uses.used.contains(place) { Severity::Error } else { Severity::Warning };
    let named = overrides.components.keys().chain(overrides.versions.keys()).chain(overrides.values.keys());
    for name in named {
        let known =
            |finding: &EstateFinding| finding.place == *place && finding.component.as_ref() == Some(name);
        if !catalog.components.contains_key(name) && !findings.iter().any(known) {
            findings.push(unknown_names::unknown_component_finding(catalog, severity, place, name));
        }
    }
    let is_checked = |name: &Name| whole || uses.chosen.contains_key(&(place.clone(), name));
    for (name, values) in overrides.values.iter().filter(|(name, _)| is_checked(name)) {
        let applicable = applicable_versions(catalog, uses, place, name, overrides);
        for (key, assignment) in values {
            findings.extend(check_value(catalog, place, &applicable, name, key, &assignment.value));
        }
    }
    for removal in &overrides.remove {
        findings.extend(check_removal(catalog, place, &removal.what));
    }
}

/// The versions whose parameters a place's values must fit: those chosen for its servers, else those
/// its own requirement allows, else all.
fn applicable_versions<'c>(
    catalog: &'c Catalog,
    uses: &PlaceUsage<'_>,
    place: &PlaceId,
    name: &Name,
    overrides: &Overrides,
) -> (Vec<&'c Component>, bool) {
    let Some(published) = catalog.components.get(name) else { return (Vec::new(), false) };
    if let Some(versions) = uses.chosen.get(&(place.clone(), name)) {
        let components = versions.iter().filter_map(|version| published.get(version));
        return (components.map(|published| &published.component).collect(), true);
    }
    let all = || published.values().map(|published| &published.component);
    let required: Vec<_> = match overrides.components.get(name) {
        Some(requirement) => {
            all().filter(|component| requirement.range.contains_version(&component.version)).collect()
        }
        None => Vec::new(),
    };
    (if required.is_empty() { all().collect() } else { required }, false)
}

fn check_value(
    catalog: &Catalog,
    place: &PlaceId,
    applicable: &(Vec<&Component>, bool),
    name: &Name,
    key: &Key,
    value: &Value,
) -> Option<EstateFinding> {
    let (components, chosen) = applicable;
    let wrong: Vec<UnlocatedEstateFault> = components
        .iter()
        .filter_map(|component| {
            let Some(parameter) = component.parameters.get(key) else {
                return Some(value_of_undeclared_parameter_fault(place.clone(), component, key));
            };
            // A parameter that is secret in any version is masked in the messages about all versions.
            let secret = || parameter.secret || catalog.is_secret_in_any_version(name, key) == Some(true);
            let message = parameter.check_unresolved_value_masked(value, true).err()?;
            let message = parameter.check_unresolved_value_masked(value, secret()).err().unwrap_or(message);
            let kind = EstateFaultKind::WrongValue { component: name.clone(), key: key.clone(), message };
            Some(UnlocatedEstateFault::new(place.clone(), kind).with_key(name, key))
        })
        .collect();
    let all = wrong.len() == components.len();
    let mut finding = wrong.into_iter().next_back()?.into_estate_finding();
    if !all && !chosen {
        finding.severity = Severity::Warning;
        finding.message.push_str(" (in some of its versions)");
    }
    Some(finding)
}

/// A removal of something that never existed is probably a mistake, but has no effect.
fn check_removal(
    catalog: &Catalog,
    place: &PlaceId,
    removal: &RemovedInheritedItem,
) -> Option<EstateFinding> {
    let (name, key) = match removal {
        RemovedInheritedItem::Component(name) => (name, None),
        RemovedInheritedItem::Value(name, key) | RemovedInheritedItem::Entry(name, key, _) => {
            (name, Some(key))
        }
    };
    let hint = |near: Option<&str>| near.map(|near| format!("did you mean `{near}`?"));
    let (message, hint) = match (catalog.components.get(name), key) {
        (None, _) => {
            let near = suggest_spelling(name.as_str(), catalog.components.keys().map(Name::as_str));
            let message = format!("it removes `{removal}`, but the repository has no component `{name}`");
            (message, hint(near))
        }
        (Some(versions), Some(key)) => {
            let keys = || versions.values().flat_map(|published| published.component.parameters.keys());
            if keys().any(|known| known == key) {
                return None;
            }
            let near = suggest_spelling(key.as_str(), keys().map(Key::as_str));
            (format!("it removes `{removal}`, but `{name}` has no parameter `{key}`"), hint(near))
        }
        (Some(_), None) => return None,
    };
    Some(EstateFinding {
        severity: Severity::Warning,
        place: place.clone(),
        component: Some(name.clone()),
        key: key.cloned(),
        list_entry: Some(removal.to_string()),
        message,
        hint,
    })
}
