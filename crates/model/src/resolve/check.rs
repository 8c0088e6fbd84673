//! Checks an estate before it is saved: every server is resolved, and every value is checked, including
//! values that are overridden everywhere and those no server uses yet.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    num::NonZero,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{
    Resolution, ResolutionReads, Resolver,
    check_place::PlaceCheck,
    fault::{EstateFaultKind, EstateFaultOrWarning, ResolveFaults},
    linearise::RoleLinearisations,
    place_usage::PlaceUsage,
    reach::{ChangedResolutionInputs, ResolutionReadsIndex},
    unknown_names,
};
use crate::{
    catalog::ComponentCatalog,
    effect::{Effect, find_effects_on_server},
    estate::{Estate, PlaceId},
    fault::Severity,
    name::{Name, ServerName},
    node::NodeContentDigest,
};

/// How many threads resolve the servers of one change at most.
const MAX_THREADS: usize = 4;

/// A thread is not worth it for fewer servers: what servers share each thread evaluates for itself.
const MIN_SERVERS_OF_THREAD: usize = 200;

/// A change of an estate, checked, and what it does to servers.
#[derive(Debug, Default)]
pub struct EstateChangeCheckResult {
    /// Everything wrong or suspicious in what the change can reach, fatal findings first.
    pub findings: Vec<EstateFaultOrWarning>,
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
pub fn check_estate(estate: &Estate, catalog: &ComponentCatalog) -> Vec<EstateFaultOrWarning> {
    let servers: Vec<&ServerName> = estate.servers.keys().collect();
    let is_cancelled = AtomicBool::new(false);
    let resolved = ResolvedServers::resolve(None, estate, catalog, &servers, &is_cancelled);
    collect_findings(estate, catalog, &resolved, None, &is_cancelled)
}

/// Checks everything that a change can reach and finds its effects. Each server it reaches is resolved once before and
/// once after it; `recorded` tells which these are.
///
/// Only faults that the change introduces are fatal. A fault that existed before is a
/// warning: it does not block unrelated changes.
pub fn check_estate_change(
    old: &Estate,
    new: &Estate,
    catalog: &ComponentCatalog,
    recorded: &ResolutionReadsIndex,
) -> EstateChangeCheckResult {
    check_estate_change_unless_cancelled(old, new, catalog, recorded, &AtomicBool::new(false))
        .unwrap_or_default()
}

/// Like [`check_estate_change`]; gives `None`, and soon, once `is_cancelled` is set.
pub fn check_estate_change_unless_cancelled(
    old: &Estate,
    new: &Estate,
    catalog: &ComponentCatalog,
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
    let mut found = collect_findings(new, catalog, &resolved, Some(&changed.places), is_cancelled);
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        let known: Vec<&ServerName> =
            servers.into_iter().filter(|name| old.servers.contains_key(*name)).collect();
        let before = ResolvedServers::resolve(None, old, catalog, &known, is_cancelled);
        let known = collect_findings(old, catalog, &before, Some(&changed.places), is_cancelled);
        let known: BTreeSet<String> = known
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
    old: &ComponentCatalog,
    new: &ComponentCatalog,
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
    findings: Vec<EstateFaultOrWarning>,
    /// The findings, as texts: many servers have the same.
    known: HashSet<String>,
    /// Channels that are not there, although servers need components of them.
    missing_channels: BTreeSet<Name>,
    effects: BTreeMap<ServerName, Vec<Effect>>,
    resolutions: BTreeMap<ServerName, Option<ResolutionDigestAndReads>>,
}

impl<'a> ResolvedServers<'a> {
    /// Resolves servers of `new`, and finds what is different from `old`, if there is one. The result is
    /// incomplete once `is_cancelled` is set.
    fn resolve(
        old: Option<&'a Estate>,
        new: &'a Estate,
        catalog: &'a ComponentCatalog,
        servers: &[&ServerName],
        is_cancelled: &'a AtomicBool,
    ) -> ResolvedServers<'a> {
        let parts = in_parallel(servers, |servers| {
            let after = Resolver::for_check(new, catalog, is_cancelled);
            let before = old.map(|old| (old, Resolver::for_check(old, catalog, is_cancelled)));
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
    fn add_faults(&mut self, catalog: &ComponentCatalog, error: &ResolveFaults) {
        for fault in &error.faults {
            match &fault.kind {
                EstateFaultKind::UnknownComponent { channel, .. }
                    if !catalog.channels.contains_key(channel) =>
                {
                    self.missing_channels.insert(channel.clone());
                }
                _ => {
                    let finding = fault.clone().into_fault_or_warning();
                    if self.known.insert(finding.to_string()) {
                        self.findings.push(finding);
                    }
                }
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
/// places if `places` is `None`. They are incomplete once `is_cancelled` is set.
fn collect_findings(
    estate: &Estate,
    catalog: &ComponentCatalog,
    resolved: &ResolvedServers<'_>,
    places: Option<&BTreeSet<PlaceId>>,
    is_cancelled: &AtomicBool,
) -> Vec<EstateFaultOrWarning> {
    let (uses, mut findings) = (&resolved.uses, resolved.findings.clone());
    let hierarchy = RoleLinearisations::new(&estate.roles);
    let whole = |place: &PlaceId| places.is_none_or(|places| places.contains(place));
    let concerns = |place: &PlaceId| {
        !is_cancelled.load(Ordering::Relaxed) && (whole(place) || uses.used.contains(place))
    };
    let of_servers =
        findings.iter().filter_map(|finding| Some((finding.place.clone(), finding.component.clone()?)));
    let known = of_servers.collect();
    let check = PlaceCheck { catalog, uses, known, is_cancelled };
    for (name, role) in &estate.roles {
        let place = PlaceId::Role(name.clone());
        if !concerns(&place) {
            continue;
        }
        if let Some(Err(fault)) = hierarchy.linearise_role(name) {
            findings.push(fault.into_fault_or_warning());
        }
        check.check_place(&place, whole(&place), &role.settings, &mut findings);
    }
    for (name, group) in &estate.groups {
        let place = PlaceId::Group(name.clone());
        if concerns(&place) {
            check.check_place(&place, whole(&place), &group.settings, &mut findings);
        }
    }
    for (name, environment) in &estate.environments {
        let place = PlaceId::Environment(name.clone());
        if concerns(&place) {
            let is_needed = resolved.missing_channels.contains(&environment.channel);
            findings.extend(unknown_names::find_unknown_channel(
                catalog,
                &place,
                &environment.channel,
                is_needed,
            ));
            check.check_place(&place, whole(&place), &environment.settings, &mut findings);
        }
    }
    for (name, server) in &estate.servers {
        let place = PlaceId::Server(name.clone());
        if concerns(&place) {
            check.check_place(&place, whole(&place), &server.settings, &mut findings);
        }
    }
    let mut known = HashSet::new();
    findings.retain(|finding| known.insert(finding.to_string()));
    findings.sort_by_key(|finding| finding.severity);
    findings
}
