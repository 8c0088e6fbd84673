//! The search for versions that suit everybody: newest first, and when choices contradict each other,
//! straight back to the latest choice that is to blame (conflict-directed backjumping).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    fault::{Fault, FaultKind},
    layers::PlaceStack,
};
use crate::{
    catalog::{Catalog, CatalogVersion},
    estate::Place,
    name::Name,
    version::VersionRange,
};

/// So many dead ends are met before giving up; an estate people wrote needs a few hundred.
const MAX_STEPS: usize = 50_000;

/// Somebody's wish for a component.
#[derive(Clone)]
pub(super) struct VersionConstraint<'a> {
    pub(super) place: Place,
    pub(super) range: &'a VersionRange,
    /// The choice that brought this wish; `None` for a place's.
    pub(super) depth: Option<usize>,
}

/// A component, its version, and all who asked for it.
pub(super) type VersionChoice<'a> = (&'a Name, &'a Arc<CatalogVersion>, Vec<VersionConstraint<'a>>);

pub(super) struct VersionSearch<'a, 'l> {
    catalog: &'a Catalog,
    layers: &'l PlaceStack<'a>,
    /// Components in the order they are decided: those wished for by name, then those required.
    order: Vec<&'a Name>,
    /// Each component's position in `order`.
    position: BTreeMap<&'a Name, usize>,
    asked: BTreeMap<&'a Name, Vec<VersionConstraint<'a>>>,
    /// One for each decided component of `order`.
    frames: Vec<Frame<'a>>,
    /// The first contradiction met: the one to show when nothing works out.
    why: Option<Fault>,
}

struct Frame<'a> {
    candidates: Vec<&'a Arc<CatalogVersion>>,
    /// The candidate after the chosen one.
    next: usize,
    /// How long `order` was before the choice.
    known: usize,
    /// Earlier choices that ruled candidates out.
    culprits: BTreeSet<usize>,
}

impl<'a, 'l> VersionSearch<'a, 'l> {
    pub(super) fn new(catalog: &'a Catalog, layers: &'l PlaceStack<'a>) -> Self {
        Self {
            catalog,
            layers,
            order: Vec::new(),
            position: BTreeMap::new(),
            asked: BTreeMap::new(),
            frames: Vec::new(),
            why: None,
        }
    }

    /// Adds a place's wish.
    pub(super) fn wish(&mut self, name: &'a Name, ask: VersionConstraint<'a>) {
        self.position.insert(name, self.order.len());
        self.order.push(name);
        self.asked.insert(name, vec![ask]);
    }

    /// Decides everything, or says the first reason why that is impossible.
    pub(super) fn run(mut self) -> Result<Vec<VersionChoice<'a>>, Box<Fault>> {
        let mut steps = 0;
        while self.frames.len() < self.order.len() {
            self.open();
            while !self.choose() {
                steps += 1;
                if steps > MAX_STEPS {
                    return Err(Box::new(self.given_up()));
                }
                if !self.back() {
                    // Nothing is impossible before a contradiction was met.
                    let given_up = self.given_up();
                    return Err(Box::new(self.why.unwrap_or(given_up)));
                }
            }
        }
        let chosen: Vec<_> =
            self.frames.iter().filter_map(|frame| frame.candidates.get(frame.next - 1)).collect();
        Ok(self
            .order
            .iter()
            .zip(chosen)
            .map(|(name, published)| (*name, *published, self.asked.get(name).cloned().unwrap_or_default()))
            .collect())
    }

    /// The fault of a search that ends before it knows.
    fn given_up(&self) -> Fault {
        let first = self.why.as_ref().map(|why| why.kind.to_string());
        let kind = FaultKind::TooManyChoices { tried: MAX_STEPS, first };
        let server = Place::Server(self.layers.server.clone());
        match self.why.as_ref().and_then(|why| why.component.as_ref()) {
            Some(component) => Fault::new(server, kind).about(component),
            None => Fault::new(server, kind),
        }
    }

    /// Lists what would do for the next component.
    fn open(&mut self) {
        let name = self.order[self.frames.len()];
        let asks = self.asked.get(name).map_or(&[][..], Vec::as_slice);
        let versions = self.catalog.versions(self.layers.channel, name).iter().rev();
        let all = self.catalog.components.get(name);
        let candidates: Vec<_> = versions
            .filter(|version| asks.iter().all(|ask| ask.range.contains(version)))
            .filter_map(|version| all?.get(version))
            .collect();
        let culprits = asks.iter().filter_map(|ask| ask.depth).collect();
        if candidates.is_empty() {
            let fault = self.no_version(name, None);
            self.why.get_or_insert(fault);
        }
        self.frames.push(Frame { candidates, next: 0, known: self.order.len(), culprits });
    }

    /// Takes the next candidate of the last frame that agrees with all choices before it.
    fn choose(&mut self) -> bool {
        let depth = self.frames.len() - 1;
        let name = self.order[depth];
        while let Some(candidate) = self.frames[depth].candidates.get(self.frames[depth].next).copied() {
            self.frames[depth].next += 1;
            if self.agrees(name, depth, candidate) {
                for (required, range) in &candidate.component.requires {
                    if !self.position.contains_key(required) {
                        self.position.insert(required, self.order.len());
                        self.order.push(required);
                    }
                    let ask =
                        VersionConstraint { place: Place::Default(name.clone()), range, depth: Some(depth) };
                    self.asked.entry(required).or_default().push(ask);
                }
                return true;
            }
        }
        false
    }

    fn agrees(&mut self, name: &'a Name, depth: usize, candidate: &'a CatalogVersion) -> bool {
        for (required, range) in &candidate.component.requires {
            if let Some(fault) = self.removed(name, required, range) {
                self.why.get_or_insert(fault);
                return false;
            }
            let at = self.position.get(required).copied().filter(|at| *at <= depth);
            let chosen = at.and_then(|at| {
                let frame = self.frames.get(at)?;
                frame.candidates.get(frame.next.checked_sub(1)?)
            });
            if let (Some(at), Some(chosen)) = (at, chosen)
                && !range.contains(&chosen.component.version)
            {
                let ask =
                    VersionConstraint { place: Place::Default(name.clone()), range, depth: Some(depth) };
                let fault = self.no_version(required, Some(ask));
                self.why.get_or_insert(fault);
                if at < depth {
                    self.frames[depth].culprits.insert(at);
                }
                return false;
            }
        }
        true
    }

    /// Goes back to the latest choice to blame; false when there is none.
    fn back(&mut self) -> bool {
        let Some(failed) = self.frames.pop() else { return false };
        let Some(blamed) = failed.culprits.last().copied() else { return false };
        while self.frames.len() > blamed + 1 {
            self.undo();
            self.frames.pop();
        }
        self.undo();
        match self.frames.last_mut() {
            Some(frame) => {
                frame.culprits.extend(failed.culprits.into_iter().filter(|culprit| *culprit < blamed));
                true
            }
            None => false,
        }
    }

    /// Takes back what the last frame's choice asked for.
    fn undo(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        let chosen = frame.next.checked_sub(1).and_then(|at| frame.candidates.get(at));
        for required in chosen.into_iter().flat_map(|chosen| chosen.component.requires.keys()) {
            if let Some(asks) = self.asked.get_mut(required) {
                asks.pop();
            }
        }
        for name in self.order.drain(frame.known..) {
            self.position.remove(name);
        }
    }

    /// Whether a place took away what `name` requires, and no place wishes for it.
    fn removed(&self, name: &Name, required: &Name, range: &VersionRange) -> Option<Fault> {
        let (place, _) = self.layers.cut(required)?;
        let wished = self.asked.get(required).is_some_and(|asks| asks.iter().any(|ask| ask.depth.is_none()));
        let kind = FaultKind::RemovedButRequired {
            component: required.clone(),
            requirer: name.clone(),
            range: range.clone(),
        };
        Some(Fault::new(place.clone(), kind).about(required)).filter(|_| !wished)
    }

    fn no_version(&self, name: &Name, more: Option<VersionConstraint<'_>>) -> Fault {
        let asks = self.asked.get(name).into_iter().flatten().chain(more.as_ref());
        let asked: Vec<(Place, VersionRange)> =
            asks.map(|ask| (ask.place.clone(), ask.range.clone())).collect();
        let place = asked.iter().map(|(place, _)| place).find(|place| !matches!(place, Place::Default(_)));
        let place = place.cloned().unwrap_or_else(|| Place::Server(self.layers.server.clone()));
        let available = self.catalog.versions(self.layers.channel, name).iter().rev().cloned().collect();
        let channel = self.layers.channel.clone();
        Fault::new(place, FaultKind::NoVersion { component: name.clone(), channel, asked, available })
            .about(name)
    }
}
