//! Versions: the requirements and constraints of places and components become one exact version of each component.
//!
//! The strongest place that requires a component decides its range; every constraint (`versions:`) of any place and
//! every component that requires it narrows it. What only components require is added; what is only constrained is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    fault::{EstateFault, EstateFaultKind, ResolveFaults},
    places_strongest_first::PlacesStrongestFirst,
    version_search::{ChosenVersionAndReasons, ServerPlacesOrRootVersion, VersionConstraint, VersionSearch},
};
use crate::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages},
    estate::{
        PlaceId, PlaceSettings, RemovedInheritedItem, RevisionAndAuthor, VersionRangeWithRevisionAndAuthor,
    },
    name::Name,
    node::{RequirementProvenanceEntry, RequirementProvenanceKind},
    suggest_spelling,
    version::VersionRange,
};

/// The chosen components, by name.
pub(super) struct ChosenComponents<'a> {
    pub(super) components: BTreeMap<&'a Name, ChosenComponent<'a>>,
    /// Every component whose versions in the channel were looked at, chosen or not.
    pub(super) consulted: BTreeSet<Name>,
}

/// The places that require, constrain or remove components, with the channel: what the choice of versions depends on.
/// They are told apart by the addresses of their settings.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct VersionChoiceCacheKey {
    channel: *const Name,
    places: Vec<*const PlaceSettings>,
}

impl VersionChoiceCacheKey {
    pub(super) fn new(stack: &PlacesStrongestFirst<'_>) -> Self {
        let removes = |settings: &PlaceSettings| {
            let mut removals = settings.remove.iter();
            removals.any(|removal| matches!(removal.what, RemovedInheritedItem::Component(_)))
        };
        let counts = |settings: &&PlaceSettings| {
            !settings.components.is_empty() || !settings.versions.is_empty() || removes(settings)
        };
        let places = stack.layers.iter().map(|layer| layer.settings).filter(counts);
        Self { channel: stack.channel, places: places.map(std::ptr::from_ref).collect() }
    }

    pub(super) fn has_place(&self, settings: *const PlaceSettings) -> bool {
        self.places.contains(&settings)
    }
}

/// A component in its chosen version.
pub(super) struct ChosenComponent<'a> {
    pub(super) published: &'a Arc<ComponentVersionWithPackages>,
    /// Places first, strongest first; then the components that require it.
    pub(super) requirements: Arc<Vec<RequirementProvenanceEntry>>,
}

/// Chooses a version for every component that a place requires, and for all that these require. `blamed` is the place
/// of a fault that no other place has caused.
pub(super) fn choose_component_versions<'a>(
    catalog: &'a ComponentCatalog,
    stack: &PlacesStrongestFirst<'a>,
    blamed: &PlaceId,
) -> Result<ChosenComponents<'a>, ResolveFaults> {
    let operations = operations_by_component(stack);
    let mut search = VersionSearch::new(catalog, ServerPlacesOrRootVersion::Places { stack, blamed });
    let mut faults = Vec::new();
    for (name, operations) in &operations {
        let required = operations.iter().find(|operation| operation.effective && !operation.is_constraint());
        if let Some(PlacedOperation { place, what: PlacedWhat::Requires(range), .. }) = required {
            if catalog.component_versions_in_channel(stack.channel, name).is_empty() {
                faults.push(unknown(catalog, stack, place, name));
            }
            search.add_component_requirement(
                name,
                Some(VersionConstraint::constraint_of_requirement(place, range)),
            );
        }
        for operation in operations {
            if let PlacedWhat::Constrains(range) = operation.what {
                search.add_version_constraint(
                    name,
                    VersionConstraint::constraint_without_requirement(operation.place, range),
                );
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let found = search.search_versions()?;
    let components = found.choices.into_iter().map(|choice| {
        let places = operations.get(choice.name).map_or(&[][..], Vec::as_slice);
        (choice.name, choice.into_component(places))
    });
    Ok(ChosenComponents { components: components.collect(), consulted: found.consulted })
}

impl<'a> ChosenVersionAndReasons<'a> {
    fn into_component(self, places: &[PlacedOperation<'a, '_>]) -> ChosenComponent<'a> {
        let places = places.iter().map(PlacedOperation::provenance);
        // A place's operations are both in `places` and in the constraints.
        let requirers =
            self.constraints.into_iter().filter(|constraint| constraint.depth.is_some()).map(|constraint| {
                RequirementProvenanceEntry {
                    place: constraint.place,
                    what: RequirementProvenanceKind::Requires(constraint.range.clone()),
                    effective: true,
                    origin: None,
                }
            });
        let exclusions = self.exclusions.into_iter().map(|exclusion| RequirementProvenanceEntry {
            place: exclusion.place,
            what: RequirementProvenanceKind::Excludes {
                version: exclusion.version.clone(),
                requires: exclusion.requires.clone(),
            },
            effective: true,
            origin: None,
        });
        ChosenComponent {
            published: self.published,
            requirements: Arc::new(places.chain(requirers).chain(exclusions).collect()),
        }
    }
}

/// One place's requirement, constraint or removal of a component.
struct PlacedOperation<'a, 'l> {
    place: &'l PlaceId,
    what: PlacedWhat<'a>,
    origin: Option<&'a RevisionAndAuthor>,
    /// Whether it has a part in the choice.
    effective: bool,
}

#[derive(Clone, Copy)]
enum PlacedWhat<'a> {
    Requires(&'a VersionRange),
    Constrains(&'a VersionRange),
    /// Removes the requirements of weaker places.
    Removes,
}

impl PlacedOperation<'_, '_> {
    fn is_constraint(&self) -> bool {
        matches!(self.what, PlacedWhat::Constrains(_))
    }

    fn provenance(&self) -> RequirementProvenanceEntry {
        RequirementProvenanceEntry {
            place: self.place.clone(),
            what: match self.what {
                PlacedWhat::Requires(range) => RequirementProvenanceKind::Requires(range.clone()),
                PlacedWhat::Constrains(range) => RequirementProvenanceKind::Constrains(range.clone()),
                PlacedWhat::Removes => RequirementProvenanceKind::Removes,
            },
            effective: self.effective,
            origin: self.origin.cloned(),
        }
    }
}

/// The requirements, constraints and removals of each component, strongest first.
fn operations_by_component<'a, 'l>(
    stack: &'l PlacesStrongestFirst<'a>,
) -> BTreeMap<&'a Name, Vec<PlacedOperation<'a, 'l>>> {
    let mut operations: BTreeMap<&Name, Vec<PlacedOperation<'_, '_>>> = BTreeMap::new();
    for (at, layer) in stack.layers.iter().enumerate() {
        let place = &layer.place;
        let operation = |what, requirement: &'a VersionRangeWithRevisionAndAuthor, effective| {
            PlacedOperation { place, what, origin: requirement.origin.as_ref(), effective }
        };
        for (name, requirement) in &layer.settings.components {
            let operations = operations.entry(name).or_default();
            let is_first = operations.iter().all(PlacedOperation::is_constraint);
            let effective = is_first && at < stack.count_places_down_to_component_removal(name);
            operations.push(operation(PlacedWhat::Requires(&requirement.range), requirement, effective));
        }
        for (name, constraint) in &layer.settings.versions {
            let operations = operations.entry(name).or_default();
            operations.push(operation(PlacedWhat::Constrains(&constraint.range), constraint, true));
        }
        for removed in &layer.settings.remove {
            if let RemovedInheritedItem::Component(name) = &removed.what {
                let is_strongest = at + 1 == stack.count_places_down_to_component_removal(name);
                let removes_some = || {
                    stack.layers[at + 1..].iter().any(|layer| layer.settings.components.contains_key(name))
                };
                operations.entry(name).or_default().push(PlacedOperation {
                    place,
                    what: PlacedWhat::Removes,
                    origin: removed.origin.as_ref(),
                    effective: is_strongest && removes_some(),
                });
            }
        }
    }
    operations
}

fn unknown(
    catalog: &ComponentCatalog,
    stack: &PlacesStrongestFirst<'_>,
    place: &PlaceId,
    component: &Name,
) -> EstateFault {
    let channels: Vec<Name> = catalog
        .channels
        .iter()
        .filter(|(_, names)| names.get(component).is_some_and(|versions| !versions.is_empty()))
        .map(|(channel, _)| channel.clone())
        .collect();
    let carried = catalog.channels.get(stack.channel).into_iter().flatten();
    let near =
        suggest_spelling(component.as_str(), carried.map(|(name, _)| name.as_str())).map(str::to_owned);
    let (channel, component) = (stack.channel.clone(), component.clone());
    EstateFault::new(
        place.clone(),
        EstateFaultKind::UnknownComponent { component: component.clone(), channel, near, channels },
    )
    .with_component(&component)
}
