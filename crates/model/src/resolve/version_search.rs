//! The search for versions that satisfy all constraints: newest first, and on a conflict
//! back to the latest choice that caused it (conflict-directed backjumping).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    fault::{EstateFault, EstateFaultKind},
    places_strongest_first::PlacesStrongestFirst,
};
use crate::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages},
    estate::PlaceId,
    name::Name,
    version::{Version, VersionRange},
};

/// The number of dead ends after which the search gives up; real estates need a few hundred.
const MAX_STEPS: usize = 50_000;

/// A version range that one place or component requires or constrains a component to.
#[derive(Clone)]
pub(super) struct VersionConstraint<'a> {
    pub(super) place: PlaceId,
    pub(super) range: &'a VersionRange,
    /// The index of the chosen component that requires it; `None` for a place.
    pub(super) depth: Option<usize>,
    /// Whether the component is required, and not only constrained.
    is_requirement: bool,
}

impl<'a> VersionConstraint<'a> {
    /// A place requires the component.
    pub(super) fn constraint_of_requirement(place: &PlaceId, range: &'a VersionRange) -> Self {
        Self { place: place.clone(), range, depth: None, is_requirement: true }
    }

    /// A place constrains the component's version.
    pub(super) fn constraint_without_requirement(place: &PlaceId, range: &'a VersionRange) -> Self {
        Self { place: place.clone(), range, depth: None, is_requirement: false }
    }

    fn of_component(name: &Name, range: &'a VersionRange, depth: usize) -> Self {
        Self { place: PlaceId::Default(name.clone()), range, depth: Some(depth), is_requirement: true }
    }
}

/// A version that was passed over because it requires a component that a place removes.
pub(super) struct VersionRequiringRemovedComponent<'a> {
    /// The place that removes what it requires.
    pub(super) place: PlaceId,
    pub(super) version: &'a Version,
    pub(super) requires: &'a Name,
}

/// A component, its chosen version, all constraints on it, and the newer versions that a removal excluded.
pub(super) struct ChosenVersionAndReasons<'a> {
    pub(super) name: &'a Name,
    pub(super) published: &'a Arc<ComponentVersionWithPackages>,
    pub(super) constraints: Vec<VersionConstraint<'a>>,
    pub(super) exclusions: Vec<VersionRequiringRemovedComponent<'a>>,
}

/// What a search found.
pub(super) struct ChosenAndConsultedComponents<'a> {
    pub(super) choices: Vec<ChosenVersionAndReasons<'a>>,
    /// Every component whose versions were looked at, chosen or not.
    pub(super) consulted: BTreeSet<Name>,
}

pub(super) struct VersionSearch<'a, 'l> {
    catalog: &'a ComponentCatalog,
    scope: ServerPlacesOrRootVersion<'a, 'l>,
    /// Components in the order they are decided: those required by places, by name, then their requirements.
    order: Vec<&'a Name>,
    /// Each component's position in `order`.
    position: BTreeMap<&'a Name, usize>,
    constraints: BTreeMap<&'a Name, Vec<VersionConstraint<'a>>>,
    /// One for each decided component of `order`.
    frames: Vec<SearchFrame<'a>>,
    /// The first conflict: the one reported when there is no solution.
    first_conflict: Option<EstateFault>,
    consulted: BTreeSet<Name>,
}

/// Whose versions are chosen: those of a server's places, or one version and what it requires.
#[derive(Clone, Copy)]
pub(super) enum ServerPlacesOrRootVersion<'a, 'l> {
    /// For a server: the channel of its environment; its places may remove components.
    Places {
        /// The places.
        stack: &'l PlacesStrongestFirst<'a>,
        /// The place of a fault that no other place has caused.
        blamed: &'l PlaceId,
    },
    /// For one version and what it requires: several channels, those of the first one before those of the next.
    Channels {
        /// The version.
        root: &'a Arc<ComponentVersionWithPackages>,
        /// The channels.
        channels: &'l [&'a Name],
    },
}

impl<'a> ServerPlacesOrRootVersion<'a, '_> {
    /// The versions of a component that are offered, the best first.
    fn offered(
        &self,
        catalog: &'a ComponentCatalog,
        name: &Name,
    ) -> Vec<&'a Arc<ComponentVersionWithPackages>> {
        let newest_first = |channel: &Name| {
            let versions = catalog.component_versions_in_channel(channel, name).iter().rev();
            versions.filter_map(|version| catalog.components.get(name)?.get(version)).collect::<Vec<_>>()
        };
        match self {
            ServerPlacesOrRootVersion::Places { stack, .. } => newest_first(stack.channel),
            ServerPlacesOrRootVersion::Channels { root, .. } if root.component.name == *name => vec![*root],
            ServerPlacesOrRootVersion::Channels { channels, .. } => {
                channels.iter().flat_map(|channel| newest_first(channel)).collect()
            }
        }
    }

    /// The place a fault is blamed on when no other place is.
    fn place(&self) -> PlaceId {
        match self {
            ServerPlacesOrRootVersion::Places { blamed, .. } => (*blamed).clone(),
            ServerPlacesOrRootVersion::Channels { root, .. } => PlaceId::Default(root.component.name.clone()),
        }
    }

    fn channel(&self) -> Option<&'a Name> {
        match self {
            ServerPlacesOrRootVersion::Places { stack, .. } => Some(stack.channel),
            ServerPlacesOrRootVersion::Channels { channels, .. } => channels.first().copied(),
        }
    }

    fn removal_of(&self, component: &Name) -> Option<PlaceId> {
        match self {
            ServerPlacesOrRootVersion::Places { stack, .. } => {
                stack.find_component_removal(component).map(|(place, _)| place.clone())
            }
            ServerPlacesOrRootVersion::Channels { .. } => None,
        }
    }
}

struct SearchFrame<'a> {
    candidates: Vec<&'a Arc<ComponentVersionWithPackages>>,
    /// The candidate after the chosen one.
    next: usize,
    /// How long `order` was before the choice.
    known: usize,
    /// Indexes of earlier choices that excluded candidates.
    blamed_choices: BTreeSet<usize>,
    /// The candidates that removals excluded.
    exclusions: Vec<VersionRequiringRemovedComponent<'a>>,
}

impl<'a, 'l> VersionSearch<'a, 'l> {
    pub(super) fn new(catalog: &'a ComponentCatalog, scope: ServerPlacesOrRootVersion<'a, 'l>) -> Self {
        Self {
            catalog,
            scope,
            order: Vec::new(),
            position: BTreeMap::new(),
            constraints: BTreeMap::new(),
            frames: Vec::new(),
            first_conflict: None,
            consulted: BTreeSet::new(),
        }
    }

    /// Adds a place's requirement; without a constraint, every version that is offered will do.
    pub(super) fn add_component_requirement(
        &mut self,
        name: &'a Name,
        constraint: Option<VersionConstraint<'a>>,
    ) {
        self.position.insert(name, self.order.len());
        self.order.push(name);
        self.constraints.entry(name).or_default().extend(constraint);
    }

    /// Adds a place's constraint, which holds if the component is required.
    pub(super) fn add_version_constraint(&mut self, name: &'a Name, constraint: VersionConstraint<'a>) {
        self.constraints.entry(name).or_default().push(constraint);
    }

    /// Chooses a version of every component, or returns the first conflict that makes it impossible.
    pub(super) fn search_versions(mut self) -> Result<ChosenAndConsultedComponents<'a>, Box<EstateFault>> {
        let mut steps = 0;
        while self.frames.len() < self.order.len() {
            self.list_candidates();
            while !self.choose_candidate() {
                steps += 1;
                if steps > MAX_STEPS {
                    return Err(Box::new(self.too_many_choices()));
                }
                if !self.backjump() {
                    // Nothing is impossible before a contradiction was met.
                    let fault = self.too_many_choices();
                    return Err(Box::new(self.first_conflict.unwrap_or(fault)));
                }
            }
        }
        let Self { order, frames, mut constraints, consulted, .. } = self;
        let choices = order.into_iter().zip(frames).filter_map(|(name, mut frame)| {
            let published = *frame.candidates.get(frame.next.checked_sub(1)?)?;
            let constraints = constraints.remove(name).unwrap_or_default();
            Some(ChosenVersionAndReasons {
                name,
                published,
                constraints,
                exclusions: std::mem::take(&mut frame.exclusions),
            })
        });
        Ok(ChosenAndConsultedComponents { choices: choices.collect(), consulted })
    }

    /// The fault of a search that reached its limit.
    fn too_many_choices(&self) -> EstateFault {
        let first = self.first_conflict.as_ref().map(|fault| fault.kind.to_string());
        let kind = EstateFaultKind::TooManyChoices { tried: MAX_STEPS, first };
        let server = self.scope.place();
        match self.first_conflict.as_ref().and_then(|fault| fault.component.as_ref()) {
            Some(component) => EstateFault::new(server, kind).with_component(component),
            None => EstateFault::new(server, kind),
        }
    }

    /// Lists the candidates for the next component.
    fn list_candidates(&mut self) {
        let name = self.order[self.frames.len()];
        if !self.consulted.contains(name) {
            self.consulted.insert(name.clone());
        }
        let constraints = self.constraints.get(name).map_or(&[][..], Vec::as_slice);
        let satisfies = |candidate: &&Arc<ComponentVersionWithPackages>| {
            constraints
                .iter()
                .all(|constraint| constraint.range.contains_version(&candidate.component.version))
        };
        let candidates: Vec<_> =
            self.scope.offered(self.catalog, name).into_iter().filter(satisfies).collect();
        let blamed_choices = constraints.iter().filter_map(|constraint| constraint.depth).collect();
        if candidates.is_empty() {
            let fault = self.no_version(name, None);
            self.first_conflict.get_or_insert(fault);
        }
        let (known, exclusions) = (self.order.len(), Vec::new());
        self.frames.push(SearchFrame { candidates, next: 0, known, blamed_choices, exclusions });
    }

    /// Chooses the next candidate of the last frame that is consistent with all earlier choices.
    fn choose_candidate(&mut self) -> bool {
        let depth = self.frames.len() - 1;
        let name = self.order[depth];
        while let Some(candidate) = self.frames[depth].candidates.get(self.frames[depth].next).copied() {
            self.frames[depth].next += 1;
            if self.is_consistent(name, depth, candidate) {
                for (required, range) in &candidate.component.requires {
                    if !self.position.contains_key(required) {
                        self.position.insert(required, self.order.len());
                        self.order.push(required);
                    }
                    let constraint = VersionConstraint::of_component(name, range, depth);
                    self.constraints.entry(required).or_default().push(constraint);
                }
                return true;
            }
        }
        false
    }

    fn is_consistent(
        &mut self,
        name: &'a Name,
        depth: usize,
        candidate: &'a ComponentVersionWithPackages,
    ) -> bool {
        for (required, range) in &candidate.component.requires {
            if let Some(fault) = self.removed_but_required(name, required, range) {
                let (version, requires) = (&candidate.component.version, required);
                let exclusion =
                    VersionRequiringRemovedComponent { place: fault.place.clone(), version, requires };
                self.frames[depth].exclusions.push(exclusion);
                self.first_conflict.get_or_insert(fault);
                return false;
            }
            let at = self.position.get(required).copied().filter(|at| *at <= depth);
            let chosen = at.and_then(|at| {
                let frame = self.frames.get(at)?;
                frame.candidates.get(frame.next.checked_sub(1)?)
            });
            if let (Some(at), Some(chosen)) = (at, chosen)
                && !range.contains_version(&chosen.component.version)
            {
                let constraint = VersionConstraint::of_component(name, range, depth);
                let fault = self.no_version(required, Some(constraint));
                self.first_conflict.get_or_insert(fault);
                if at < depth {
                    self.frames[depth].blamed_choices.insert(at);
                }
                return false;
            }
        }
        true
    }

    /// Returns to the latest choice that caused the conflict; false when there is none.
    fn backjump(&mut self) -> bool {
        let Some(failed) = self.frames.pop() else { return false };
        let Some(blamed) = failed.blamed_choices.last().copied() else { return false };
        while self.frames.len() > blamed + 1 {
            self.undo_choice();
            self.frames.pop();
        }
        self.undo_choice();
        match self.frames.last_mut() {
            Some(frame) => {
                frame
                    .blamed_choices
                    .extend(failed.blamed_choices.into_iter().filter(|choice| *choice < blamed));
                true
            }
            None => false,
        }
    }

    /// Removes the constraints that the last frame's choice added.
    fn undo_choice(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        let chosen = frame.next.checked_sub(1).and_then(|at| frame.candidates.get(at));
        for required in chosen.into_iter().flat_map(|chosen| chosen.component.requires.keys()) {
            if let Some(constraints) = self.constraints.get_mut(required) {
                constraints.pop();
            }
        }
        for name in self.order.drain(frame.known..) {
            self.position.remove(name);
        }
    }

    /// The fault of `name` requiring a component that a place removes and no place requires.
    fn removed_but_required(
        &self,
        name: &Name,
        required: &Name,
        range: &VersionRange,
    ) -> Option<EstateFault> {
        let place = self.scope.removal_of(required)?;
        let required_by_place = self.constraints.get(required).is_some_and(|constraints| {
            constraints.iter().any(|constraint| constraint.depth.is_none() && constraint.is_requirement)
        });
        let kind = EstateFaultKind::RemovedButRequired {
            component: required.clone(),
            requirer: name.clone(),
            range: range.clone(),
        };
        Some(EstateFault::new(place, kind).with_component(required)).filter(|_| !required_by_place)
    }

    fn no_version(&self, name: &Name, more: Option<VersionConstraint<'_>>) -> EstateFault {
        let constraints = self.constraints.get(name).into_iter().flatten().chain(more.as_ref());
        let constraints: Vec<(PlaceId, VersionRange)> =
            constraints.map(|constraint| (constraint.place.clone(), constraint.range.clone())).collect();
        let place =
            constraints.iter().map(|(place, _)| place).find(|place| !matches!(place, PlaceId::Default(_)));
        let place = place.cloned().unwrap_or_else(|| self.scope.place());
        let offered = self.scope.offered(self.catalog, name).into_iter();
        let available = offered.map(|offered| offered.component.version.clone()).collect();
        let channel = self.scope.channel().unwrap_or(name).clone();
        EstateFault::new(
            place,
            EstateFaultKind::NoVersion { component: name.clone(), channel, constraints, available },
        )
        .with_component(name)
    }
}
